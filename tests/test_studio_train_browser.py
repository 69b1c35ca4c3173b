"""The view that trains, in Chromium: a fast hand, reloads, two tabs, hostile text, its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from microgpt.studio.library import Library
from microgpt.studio.server import Server

from .browser import accessible, expect
from .conftest import TINY
from .hostile import PAYLOADS
from .studios import serving, until
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

WHOLE = "The whole curve was on the screen"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("runs")) as served:
        yield served


def opened(browser: Browser, server: Server, **values: Any) -> Tab:
    return Tab(
        browser, server, ".setup", view="train", values=values,
        viewport={"width": 1280, "height": 800},
    )  # fmt: skip


def control(tab: Tab, label: str) -> Any:
    """Return the slider, the choice or the field that has a label."""
    words = tab.page.locator("span", has_text=re.compile(f"^{label}$"))
    return tab.page.locator("label", has=words).locator("input, select")


def result(tab: Tab) -> str:
    """Wait for the end of a training; return what is said of it."""
    for _ in range(50):
        expect(tab.page.locator("#result")).to_contain_text("loss at the end", timeout=20_000)
        if said := tab.text("result"):  # another one may have begun in between
            return said
    raise AssertionError("trainings never rest")


def close(tab: Tab) -> None:
    """Close a tab that was refused something: Chromium notes a status of 400."""
    tab.said[:] = [said for said in tab.said if "400 (Bad Request)" not in said]
    tab.close()


def test_it_trains_to_the_end_and_says_how_well(browser: Browser, server: Server) -> None:
    tab = opened(browser, server, steps=300)
    assert "Held-out loss at the end: 2." in result(tab)
    expect(tab.page.locator("#at")).to_contain_text("Step 300: training loss")
    expect(tab.page.locator("#took")).to_contain_text(WHOLE)
    names = tab.page.locator(".train > .plot text.level")
    expect(names).to_have_count(4)
    assert names.all_text_contents()[:3] == ["blind", "letters", "pairs"]
    expect(tab.page.locator(".samples li")).to_have_count(8)
    expect(tab.page.locator(".matrices select option")).to_have_count(9)
    expect(tab.page.locator(".matrices rect")).to_have_count(82)
    control(tab, "Matrix").select_option("layer0.mlp_fc1")
    expect(tab.page.locator(".matrices")).to_contain_text("64 × 16 numbers")
    assert tab.address("matrix") == "layer0.mlp_fc1"
    tab.close()


def test_a_reload_trains_the_same_again(browser: Browser, server: Server) -> None:
    tab = opened(browser, server)
    control(tab, "Steps").press("ArrowLeft")
    control(tab, "Width").press("ArrowRight")
    control(tab, "Loss").select_option("quadratic")
    control(tab, "Seed").fill("7")
    expect(tab.page.locator("#at")).to_contain_text("Step 700")
    address = {name: tab.address(name) for name in ("steps", "width", "objective", "seed")}
    assert address == {"steps": "700", "width": "24", "objective": "quadratic", "seed": "7"}
    # The last of four changes: what is on the page then is its result.
    tab.page.wait_for_timeout(300)
    before = result(tab)
    tab.page.reload()
    assert result(tab) == before
    assert control(tab, "Loss").input_value() == "quadratic"
    control(tab, "Preset").select_option("microgpt-v1")
    expect(tab.page.locator("#at")).to_contain_text("Step 1,000")
    assert tab.address("steps") is tab.address("width") is tab.address("seed") is None
    tab.close()


def test_nothing_queues_up_behind_a_fast_hand(browser: Browser, server: Server) -> None:
    tab = opened(browser, server, steps=300)
    result(tab)
    tab.asked.clear()
    rate = control(tab, "Learning rate")
    box = rate.bounding_box()
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + 5, y)
    tab.page.mouse.down()
    moves = 50
    for i in range(moves):
        tab.page.mouse.move(box["x"] + 5 + (box["width"] - 10) * i / moves, y)
        tab.page.wait_for_timeout(10)
    tab.page.mouse.up()
    drafts = [url for url in tab.asked if url.endswith("/api/draft")]
    assert 2 <= len(drafts) <= moves
    last = tab.address("lr")
    # What is shown at the end is the newest value, at once: nothing was waiting.
    expect(
        tab.page.locator("header + main .quiet", has_text="learning rate falls")
    ).to_contain_text(f"from {float(last or 0):.2f}", timeout=1000)
    expect(tab.page.locator("#result")).to_contain_text("loss at the end", timeout=1000)
    assert 1 <= tab.page.locator(".plot path.ghost").count() <= 4
    tab.page.wait_for_timeout(300)
    assert len([url for url in tab.asked if url.endswith("/api/draft")]) <= len(drafts) + 1
    tab.close()


def test_a_slow_training_streams_and_says_so_stops_and_goes_on(
    browser: Browser, server: Server
) -> None:
    tab = opened(browser, server, steps=700, width=32, batch=64, layers=2)
    expect(tab.page.locator(".plot path.two")).to_have_count(1)
    tab.page.get_by_role("button", name="Stop").click()
    expect(tab.page.get_by_role("button", name="Continue")).to_be_enabled()
    tab.page.wait_for_timeout(150)
    stopped = tab.text("at")
    tab.page.wait_for_timeout(150)
    assert tab.text("at") == stopped
    assert tab.text("result") == ""
    points = tab.page.locator(".plot path.two").get_attribute("d") or ""
    tab.page.get_by_role("button", name="Continue").click()
    said = result(tab)
    assert (tab.page.locator(".plot path.two").get_attribute("d") or "").count("L") > points.count(
        "L"
    )
    assert tab.page.locator(".plot path.ghost").count() == 0
    # It is the same training as one that is not stopped.
    tab.page.get_by_role("button", name="Train", exact=True).click()
    expect(tab.page.locator("#result")).to_have_text("")
    assert result(tab) == said
    expect(tab.page.locator("#took")).to_contain_text("too slow to follow a slider")
    tab.close()


def test_a_reload_in_the_middle_and_two_tabs_at_once(browser: Browser, server: Server) -> None:
    endless = {"steps": 50_000, "batch": 64}
    first = opened(browser, server, **endless)
    expect(first.page.locator("#at")).to_contain_text("Step")
    second = opened(browser, server, steps=200)
    assert "loss at the end" in result(second)
    first.page.reload()
    expect(first.page.locator("#at")).to_contain_text("Step")
    second.page.get_by_role("button", name="Train", exact=True).click()
    assert "loss at the end" in result(second)
    shown = first.text("at")
    expect(first.page.locator("#at")).not_to_have_text(shown)
    first.page.get_by_role("link", name="Loss").click()
    expect(first.page.locator("#status")).to_contain_text("There is no run yet")
    first.close()
    second.close()


def test_pasted_text_is_text_whatever_it_says(browser: Browser, server: Server) -> None:
    tab = opened(browser, server, steps=100, lr=0.02)
    control(tab, "Text").select_option("own")
    text = "\r\n".join(PAYLOADS * 2)
    tab.page.get_by_label("Your text").fill(text)
    expect(tab.page.locator(".own")).to_contain_text("pasted.txt: 400 documents")
    expect(tab.page.locator(".quiet", has_text="documents to learn from")).not_to_contain_text(
        "28,762"
    )
    assert "loss at the end" in result(tab)
    expect(tab.page.locator(".samples li")).to_have_count(8)
    drawn = tab.page.locator(".samples li").all_inner_texts()
    assert any("<" in sample for sample in drawn)
    assert (
        tab.page.evaluate("document.querySelectorAll('main script, main img, main iframe').length")
        == 0
    )
    # A reload has the text still, and trains on it.
    said = tab.text("result")
    tab.page.reload()
    assert result(tab) == said
    assert PAYLOADS[0] in tab.page.get_by_label("Your text").input_value()
    tab.close()


def test_what_is_shown_can_be_kept_as_a_run(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "runs") as server:
        tab = Tab(browser, server, ".setup", view="train", values={"steps": 50}, bypass_csp=True)
        control(tab, "Text").select_option("own")
        tab.page.get_by_label("Your text").fill("\n".join(a + b for a in TINY for b in TINY))
        expect(tab.page.locator(".own")).to_contain_text("pasted.txt: 400 documents")
        accessible(tab.page)
        tab.page.get_by_role("button", name="Keep as a run").click()
        expect(tab.page.locator("#kept a")).to_have_text("pasted-1", timeout=20_000)
        expect(tab.page.locator("#kept")).to_contain_text(f"{tmp_path / 'texts'}/pasted-1.txt")
        tab.page.locator("#kept a").click()
        box = tab.page.locator("#runs-table label", has_text="pasted-1").locator("input")
        expect(box).to_be_checked()
        tab.close()
        until(lambda: (tmp_path / "runs" / "pasted-1" / "samples.txt").exists(), 20)


def test_a_file_may_be_chosen_and_its_column(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    rows = "".join(f"{i},{a}{b}\n" for i, (a, b) in enumerate((a, b) for a in TINY for b in TINY))
    (tmp_path / "some names.csv").write_text("id,name\n" + rows)
    tab = opened(browser, server, steps=100)
    control(tab, "Text").select_option("own")
    tab.page.set_input_files(".own input[type=file]", tmp_path / "some names.csv")
    expect(tab.page.locator(".own")).to_contain_text("some names.csv: 400 documents")
    assert tab.address("column") == "name"
    assert "loss at the end" in result(tab)
    control(tab, "Column").select_option("id")
    expect(tab.page.locator(".plot text.level").first).to_be_visible()
    assert "loss at the end" in result(tab)
    dropped = tab.page.evaluate_handle(
        "() => { const all = new DataTransfer(); all.items.add(new File(['emma\\r\\nava\\r\\n'], "
        "'two.txt')); return all }"
    )
    control(tab, "Text").dispatch_event("drop", {"dataTransfer": dropped})
    expect(tab.page.locator(".own")).to_contain_text("two.txt: 2 documents, 7 characters")
    expect(tab.page.locator(".own label", has_text="Column")).to_have_count(0)
    assert tab.address("column") is None
    (tmp_path / "empty.txt").write_bytes(b"")
    tab.page.set_input_files(".own input[type=file]", tmp_path / "empty.txt")
    expect(tab.page.locator("#status")).to_contain_text("no documents")
    close(tab)


def test_mistakes_in_the_address_are_sentences(browser: Browser, server: Server) -> None:
    for values, sentence in (
        ({"width": 18}, "n_embd must be a multiple of n_head; got n_embd=18, n_head=4."),
        ({"lr": 1e30}, "Try a smaller learning rate"),
        ({"data": "0" * 32}, "This file is not here any more"),
    ):
        tab = opened(browser, server, **values)
        expect(tab.page.locator("#status")).to_contain_text(sentence)
        close(tab)


def test_a_server_that_ends_is_a_sentence(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        tab = opened(browser, server, steps=50_000, batch=64)
        expect(tab.page.locator("#at")).to_contain_text("Step")
    expect(tab.page.locator("#status")).to_contain_text("Start microgpt studio again")
    expect(tab.page.get_by_role("button", name="Stop")).to_be_disabled()
    tab.said.clear()  # the browser's own words on a connection that broke
    tab.close()
    assert Library(tmp_path).folders() == {}


def test_a_curve_of_ten_thousand_steps_is_drawn_as_frames_go_by(
    browser: Browser, server: Server
) -> None:
    tab = opened(browser, server, steps=100)
    result(tab)
    tab.page.evaluate(
        "() => { window.frames = []; const next = (t) => { window.frames.push(t); "
        "requestAnimationFrame(next) }; requestAnimationFrame(next) }"
    )
    tab.page.evaluate(
        "history.replaceState(null, '', location.hash.replace('steps=100', 'steps=10000'))"
    )
    tab.page.get_by_role("button", name="Train", exact=True).click()
    expect(tab.page.locator("#at")).to_contain_text("Step 10,000:")
    frames = tab.page.evaluate("window.frames")
    assert len(frames) > 5
    path = tab.page.locator(".plot path.two").get_attribute("d") or ""
    assert path.count("L") == 119
    assert tab.page.locator(".plot text", has_text="10,000").count() == 1
    tab.close()
