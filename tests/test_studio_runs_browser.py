"""The view of runs in Debian's Chromium: live runs, eight at once, long logs, names of markup."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from microgpt.studio.server import Server

from .browser import expect
from .studios import hostile_run, serving, until
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten runs, copies of one; the log of the last has 10,000 steps."""
    made = tmp_path_factory.mktemp("runs")
    run = hostile_run(made).folder
    for i in range(9):
        shutil.copytree(run, made / f"<b>run {i},")
    line = '{{"step": {}, "loss": {}, "positions": 5, "lr": 0.01, "seconds": {}}}\n'
    text = "".join(line.format(k, 3 - k / 5000, k / 1000) for k in range(1, 10_001))
    (made / "<b>run 8," / "log.jsonl").write_text(text)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, "#runs-table tbody tr", view="runs")
    yield made
    made.close()


def box(tab: Tab, run: str) -> Any:
    return tab.page.get_by_role("checkbox", name=run)


def choose(tab: Tab, run: str) -> None:
    """Choose this run alone."""
    box(tab, run).check()
    for other in tab.page.locator("#runs-table label:has(input:checked)").all_inner_texts():
        if other.strip() != run:
            box(tab, other.strip()).uncheck()


def test_one_run_is_shown_at_once_and_eight_can_be_compared(tab: Tab) -> None:
    expect(tab.page.locator("#runs-table tbody tr")).to_have_count(10)
    expect(tab.page.locator("input:checked")).to_have_count(1)
    expect(tab.page.locator("#details")).to_contain_text("microgpt train")
    for i in range(10):
        box = tab.page.locator(f"#run-{i}")
        if not box.is_checked() and box.is_enabled():
            box.check()
    expect(tab.page.locator("input:checked")).to_have_count(8)
    expect(tab.page.locator("input:disabled")).to_have_count(2)
    expect(tab.page.locator("figure path:not(.faint)")).to_have_count(8)
    # Each has a style of its own: a colour, a dash pattern.
    styles = tab.page.locator("figure path:not(.faint)").evaluate_all(
        "(all) => all.map((e) => getComputedStyle(e).stroke + getComputedStyle(e).strokeDasharray)"
    )
    assert len(set(styles)) == 8
    tab.page.reload()
    expect(tab.page.locator("input:checked")).to_have_count(8)
    expect(tab.page.locator("#details table").first).to_contain_text("setting or result")


def test_a_log_of_ten_thousand_steps_is_a_curve_of_few_points(tab: Tab) -> None:
    choose(tab, "<b>run 8,")
    row = tab.page.locator("#runs-table tr", has=tab.page.locator("input:checked"))
    expect(row).to_contain_text("10,000")
    path = tab.page.locator("figure path")
    expect(path).to_have_count(1)
    assert 100 < len((path.get_attribute("d") or "").split("L")) <= 240


def test_a_run_that_a_terminal_begins_appears_and_grows(tab: Tab, folder: Path) -> None:
    names = folder / "names.txt"
    names.write_text("ada\nlea\nanna\nlena\n" * 10)
    process = subprocess.Popen(
        [sys.executable, "-m", "microgpt", "train", str(names), "--engine=scalar",
         "--steps=100000", "--n-embd=8", f"--out={folder / 'from a terminal'}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        box(tab, "from a terminal").wait_for(timeout=30_000)
        box(tab, "from a terminal").check()
        row = tab.page.locator("#runs-table tr", has_text="from a terminal")
        expect(row).to_contain_text("training")
        steps = row.locator("td:nth-of-type(3)")
        before = steps.inner_text()
        expect(steps).not_to_have_text(before)
        until(lambda: int(steps.inner_text().replace(",", "")) > 50, 20)
    finally:
        process.kill()
        process.wait()
    shutil.rmtree(folder / "from a terminal")


def test_a_worst_document_opens_in_the_view_of_the_loss(tab: Tab) -> None:
    tab.page.locator("#details button.plain").first.click()
    tab.page.wait_for_selector("#way")
    assert tab.address("view") == "loss"


def test_the_report_is_a_file(tab: Tab, tmp_path: Path) -> None:
    with tab.page.expect_download() as coming:
        tab.page.get_by_role("button", name="Save its report").click()
    coming.value.save_as(tmp_path / "report.html")
    assert "<!doctype html>" in (tmp_path / "report.html").read_text("utf-8")


def test_a_run_that_was_begun_elsewhere_cannot_be_stopped_here(tab: Tab, folder: Path) -> None:
    run = folder / "<b>run 0,"
    checkpoint = run / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    try:
        # One whose checkpoint is not there yet, and whose log has just been written to.
        checkpoint.unlink()
        (run / "log.jsonl").touch()
        tab.page.reload()
        choose(tab, "<b>run 0,")
        tab.page.get_by_role("button", name="Stop").click()
        expect(tab.page.locator("#status")).to_contain_text("Press Ctrl-C where it was started")
    finally:
        checkpoint.write_bytes(whole)


def test_the_chosen_runs_are_in_the_address(tab: Tab) -> None:
    tab.page.locator("#run-3").check()
    label = tab.page.locator("label:has(#run-3)").inner_text().strip()
    found = tab.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('runs')")
    assert label in json.loads(found)
