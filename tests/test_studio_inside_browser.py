"""The Inside view in Debian's Chromium: by keys, down to single Values; hostile and long texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from microgpt import Run
from microgpt.studio.graphs import GraphAsked, Graphs
from microgpt.studio.inside import EmbeddingsAsked, embeddings, inside
from microgpt.studio.server import Server

from .browser import accessible, expect
from .hostile import PAYLOADS
from .studios import serving
from .tabs import SIZES, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

PARTS = ["attention", "stream", "embeddings", "graph"]
TITLES = ["Attention", "Residual stream", "Embeddings", "Computation graph"]


@pytest.fixture(scope="module")
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


def opened(browser: Browser, server: Server, part: str, text: str = "anna", **kind: object) -> Tab:
    values = {"part": part, "text": text}
    return Tab(browser, server, "#part h2", "inside", values, has_touch=True, **kind)


@pytest.mark.parametrize("part", PARTS[1:])  # the first is looked at with the other views
def test_every_part_is_accessible_and_fits_a_phone(
    browser: Browser, server: Server, part: str
) -> None:
    width, height = SIZES["narrow"]
    made = opened(
        browser, server, part, viewport={"width": width, "height": height}, bypass_csp=True,
        color_scheme="dark",
    )  # fmt: skip
    made.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    made.page.wait_for_timeout(300)
    accessible(made.page)
    assert made.fits()
    made.close()


def test_the_parts_are_reached_by_keys_and_are_in_the_address(
    browser: Browser, server: Server
) -> None:
    made = opened(browser, server, "attention")
    made.page.focus("#inside-text")
    for part, title in zip(PARTS[1:], TITLES[1:]):
        made.page.keyboard.press("Tab")
        if part == PARTS[1]:
            made.page.keyboard.press("Tab")
        made.page.keyboard.press("Enter")
        button = made.page.get_by_role("button", name=title)
        expect(button).to_have_attribute("aria-pressed", "true")
        made.page.wait_for_selector("#part h2")
        assert made.address("part") == part
    made.page.reload()
    expect(button).to_have_attribute("aria-pressed", "true")
    made.close()


def test_each_cell_of_a_head_is_said_in_words_by_keys_and_pointer(
    browser: Browser, server: Server, trained: Run
) -> None:
    made = opened(browser, server, "attention")
    heads = inside(trained, "anna")["layers"][0]
    made.page.get_by_role("button", name="Layer 0, head 2").click()
    expect(made.page.locator("#looks")).to_contain_text(heads[2]["says"])
    made.page.focus(".board")
    for key in ("Home", "ArrowUp", "ArrowRight", "ArrowRight"):
        made.page.keyboard.press(key)
    share = 100 * heads[2]["shares"][3][2]
    said = made.text("cell")
    assert said.startswith("Reading n at position 3, head 2 of layer 0 looks ")
    assert said.endswith("at n, position 2.")
    found = re.search(r"looks ([\d.]+) %", said)
    assert found
    assert float(found[1]) == pytest.approx(share, abs=0.5)
    assert (made.address("row"), made.address("column"), made.address("head")) == ("3", "2", "2")
    made.page.keyboard.press("End")
    assert made.text("cell").endswith("at n, position 3.")
    board = made.page.locator(".board svg")
    box = board.bounding_box()
    assert box
    made.page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.95 * box["height"])
    assert made.text("cell").startswith("Reading a at position 4")
    made.page.reload()
    expect(made.page.locator("#cell")).to_contain_text("at n, position 3.")
    made.close()


def test_the_stream_and_the_embeddings_are_the_package_s(
    browser: Browser, server: Server, trained: Run
) -> None:
    made = opened(browser, server, "stream")
    seen = inside(trained, "anna")
    made.page.get_by_role("combobox", name="Position").select_option("2")
    cells = made.page.locator("#part table tbody tr td:nth-child(4)").all_inner_texts()
    assert [float(x) for x in cells] == pytest.approx([row[2] for row in seen["norms"]], abs=0.006)
    made.page.get_by_role("button", name="Embeddings").click()
    made.page.get_by_role("combobox", name="Token").select_option(label="n")
    for matrix in ("wte", "lm_head"):
        made.page.get_by_role("combobox", name="Matrix").select_option(matrix)
        expect(made.page.locator("figcaption")).to_contain_text(matrix)
        marks = embeddings(trained, EmbeddingsAsked("", "anna", matrix))["marks"]
        alike = next(mark["alike"] for mark in marks if mark["symbol"] == "n")
        words = ", ".join(symbol for symbol, _ in alike)
        said = re.sub(r" -?[\d.]+(?=[,.]?(\s|$))", "", made.text("alike").partition(": ")[2])
        assert said.rstrip(".") == words
        assert made.page.locator("text.letter").count() == len(marks)
    made.close()


def test_a_loss_is_unfolded_by_keys_down_to_a_single_value(
    browser: Browser, server: Server, trained: Run
) -> None:
    made = opened(browser, server, "graph")
    path = ["layer0", "attention", "scores", "position 2: n", "head 1"]
    for i, name in enumerate(path):
        summary = made.page.locator("details:not([open]) > summary", has_text=name).first
        summary.focus()
        made.page.keyboard.press("Enter")
        expect(made.page.locator("details[open]")).to_have_count(i + 1)
    values = made.page.locator("button.value")
    expect(values).to_have_count(6)
    values.nth(1).focus()
    made.page.keyboard.press("Enter")
    expect(made.page.locator("#value-title")).to_be_focused()
    own = ["layer0", "attention", "scores", "position 2", "head 1"]
    part = Graphs().part(trained, GraphAsked("", "anna", path=own))
    number = part["nodes"][1]["number"]
    assert made.address("value") == str(number)
    shown = made.page.inner_text("#value")
    assert f"Value {number:,} = " in shown
    assert "Computed as a * 0.5." in shown
    made.page.locator("#value table button").first.click()
    expect(made.page.locator("#value")).to_contain_text("dot product of 4 pairs")
    made.page.reload()
    expect(made.page.locator("#value")).to_contain_text("dot product of 4 pairs")
    made.page.get_by_role("combobox", name="Loss").select_option("1")
    one = Graphs().part(trained, GraphAsked("", "anna", position=1))
    expect(made.page.locator("#part h2")).to_contain_text(f"{one['values']:,} Values make one loss")
    assert made.page.locator("#value").count() == 0
    made.close()


def test_a_part_of_more_than_two_hundred_entries_is_shown_in_pieces(
    browser: Browser, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.studio.graphs.ENTRIES", 6)
    made = opened(browser, server, "graph")
    for name in ("parameters", "layer0.attn_wq"):
        made.page.locator("summary", has_text=name).first.click()
    more = made.page.get_by_role("button", name="Show more: 10 are left")
    more.click()
    made.page.get_by_role("button", name="Show more: 4 are left").click()
    expect(made.page.locator("details details details")).to_have_count(16)
    expect(made.page.locator("summary", has_text="row 12")).to_be_focused()
    made.close()


def test_too_long_a_text_is_said_in_a_sentence_and_a_shorter_one_is_shown_again(
    browser: Browser, server: Server
) -> None:
    made = opened(browser, server, "graph")
    made.page.fill("#inside-text", "anna" * 10)
    expect(made.page.locator("#status")).to_contain_text("Try a shorter text")
    made.page.get_by_role("button", name="Attention").click()
    expect(made.page.locator("#part")).to_contain_text(
        "first 16 of 41 positions: the model reads so many"
    )
    assert made.text("status") == ""
    made.page.fill("#inside-text", "anna")
    expect(made.page.locator("#part")).not_to_contain_text("first 16")
    made.page.fill("#inside-text", "")
    expect(made.page.locator("#looks")).to_contain_text("too few positions")
    made.close()


def test_an_address_with_a_value_that_is_not_there_says_so(
    browser: Browser, server: Server
) -> None:
    values = {"part": "graph", "text": "anna", "value": 10**9}
    made = Tab(browser, server, "#part h2", "inside", values)
    expect(made.page.locator("#status")).to_contain_text("number must be from 0 to")
    made.page.locator("summary", has_text="loss").click()
    expect(made.page.locator("details details")).to_have_count(2)
    assert made.text("status") == ""
    made.close()


def test_hostile_text_runs_nothing(browser: Browser, server: Server) -> None:
    made = opened(browser, server, "attention")
    for title in TITLES:
        made.page.fill("#inside-text", "anna")
        made.page.get_by_role("button", name=title).click()
        for text in PAYLOADS[::67]:
            is_graph = title == TITLES[-1]  # of one window
            made.page.fill("#inside-text", text[:15] if is_graph else text)
            made.page.wait_for_timeout(500 if is_graph else 100)
            made.page.wait_for_selector("#part h2")
        assert made.page.locator("#part script, #part img, #part iframe").count() == 0
    # The graph of the last text, whose last letter is read last, closes what was unfolded before.
    last = made.page.get_by_role("combobox", name="Loss").locator("option").last
    expect(last).to_contain_text(f"15: after {PAYLOADS[::67][-1][14]} comes ⏎")
    made.page.locator("summary", has_text="parameters").click()
    made.page.locator("summary", has_text="lm_head").click()
    expect(made.page.locator("summary", has_text="row 3: (")).to_be_visible()
    made.close()


def test_files_of_the_charts_are_whole(browser: Browser, server: Server, tmp_path: Path) -> None:
    for part, first in (("attention", '"reading"'), ("embeddings", '"token"')):
        made = opened(browser, server, part)
        with made.page.expect_download() as coming:
            made.page.get_by_role("button", name="CSV").click()
        coming.value.save_as(tmp_path / part)
        lines = (tmp_path / part).read_text("utf-8").splitlines()
        assert lines[0].startswith(first)
        assert len(lines) == (
            6 if part == "attention" else 1 + made.page.locator(".letter").count()
        )
        made.close()
