"""The view of samples in Debian's Chromium: sliders, kept samples, files, texts of markup."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from microgpt import Run
from microgpt.sampling import Choice, probabilities
from microgpt.studio.server import Server

from .browser import chromium, expect
from .studios import ask, hostile_run, serving
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return hostile_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, "#samples tr", view="sample", values={"temperature": "1"})
    yield made
    made.close()


def texts(tab: Tab) -> list[str]:
    return [
        text.removesuffix("…")
        for text in tab.page.locator("#samples tbody th button").all_inner_texts()
    ]


def test_samples_are_those_of_the_run(tab: Tab, trained: Run) -> None:
    ours = islice(trained.samples(Choice(temperature=1.0)), 12)
    assert texts(tab) == [one.text or "(empty)" for one in ours]
    # It was trained in a Python program: nobody knows its documents any more.
    assert set(tab.page.locator("#samples td:nth-child(3)").all_inner_texts()) == {""}


def test_the_distribution_follows_the_sliders_as_the_package_computes_it(
    tab: Tab, server: Server, trained: Run
) -> None:
    tab.page.get_by_label("Top-k").fill("4")
    tab.page.get_by_label("Temperature").fill("0.5")
    tab.page.get_by_label("Min-p").fill("0.1")
    logits = np.array(ask(server, "/api/next", run=trained.folder.name, prompt="")["logits"])
    p = probabilities(logits[None], Choice(temperature=0.5, top_k=4, min_p=0.1))[0]
    expect(tab.page.locator(".shares text.cut")).to_have_count(12 - int((p > 0).sum()))
    tab.page.locator(".shares summary").click()
    cells = tab.page.locator(".shares td:nth-child(3)").all_inner_texts()
    assert [float(cell) for cell in cells] == pytest.approx(
        sorted(p, reverse=True)[:12], abs=0.0051
    )
    assert tab.address("k") == "4"


def test_kept_samples_stay_and_are_downloaded(tab: Tab, tmp_path: Path) -> None:
    kept = texts(tab)[:2]
    for i in range(2):
        tab.page.get_by_role("button", name="Keep").nth(i).click()
    before = texts(tab)
    tab.page.get_by_role("button", name="Draw others").click()
    expect(tab.page.locator("#samples tbody th").first).not_to_have_text(before[0])
    tab.page.reload()
    expect(tab.page.locator("#kept tbody tr")).to_have_count(2)
    with tab.page.expect_download() as coming:
        tab.page.locator("#kept").get_by_role("button", name="Download CSV").click()
    coming.value.save_as(tmp_path / "kept.csv")
    lines = (tmp_path / "kept.csv").read_bytes().decode().split("\r\n")
    assert [line.rsplit(",", 1)[0] for line in lines[1:3]] == [
        '"' + text.replace('"', '""') + '"' for text in kept
    ]
    tab.page.get_by_role("button", name="Drop").first.click()
    expect(tab.page.locator("#kept tbody tr")).to_have_count(1)


def test_a_sample_opens_in_the_view_of_the_loss(tab: Tab) -> None:
    text = texts(tab)[3]
    tab.page.locator("#samples tbody th button").nth(3).click()
    tab.page.wait_for_selector("#way")
    assert tab.page.input_value("#text") == text


def test_a_prompt_that_cannot_be_read_is_said(tab: Tab) -> None:
    tab.page.fill("#prompt", "lé")
    expect(tab.page.locator("#status")).to_contain_text('the prompt has "é"')
    tab.page.fill("#prompt", "le")
    expect(tab.page.locator("#status")).to_have_text("")
    expect(tab.page.locator("#samples tbody th").first).to_contain_text("le")
