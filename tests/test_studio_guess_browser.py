"""A hidden text is guessed in Debian's Chromium: by keys, by mouse, reloaded, with hostile text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import microgpt
from microgpt.studio.bets import Bet, shares
from microgpt.studio.server import Server

from .browser import expect
from .hostile import PAYLOADS
from .studios import serving
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

NAMES = ["bab", "abba", "baba", "abab", "bb", "aab", "abb", "bba", "aba", "baab"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "names.txt"
    file.write_text("\n".join(NAMES), "utf-8")
    microgpt.train(file, engine="scalar", steps=9, n_embd=8, holdout=0.3, out=folder / "a")
    with serving(folder) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, "#board button", view="guess", values={"seed": 1})
    yield made
    made.close()


def has_come(tab: Tab, n: int) -> None:
    """Wait until so many tokens have come."""
    expect(tab.page.locator("#so .position:not(.next)")).to_have_count(n)


def means(tab: Tab) -> list[float]:
    found = tab.page.locator("#means td:nth-child(2)").all_inner_texts()
    return [math.inf if mean == "∞" else float(mean) for mean in found]


def test_a_text_is_guessed_to_its_end_by_keys(tab: Tab) -> None:
    # Of the tokens a, b, end: a and b alike at 99 %, and 1 % on the end; the text has no other.
    n = 0
    while not n or "the end" not in tab.text("came"):
        n += 1
        tab.page.keyboard.press("a")
        tab.page.keyboard.press("B")
        if n == 1:
            tab.page.keyboard.press("ArrowUp")
        expect(tab.page.locator("#preview")).to_contain_text("a comes: 0.70 nats; b comes: 0.70")
        tab.page.keyboard.press("Enter")
        has_come(tab, n)
        expect(tab.page.locator("#bet")).to_be_disabled()
    assert tab.page.locator("#end").inner_text().startswith("The whole text is out. Your mean is")
    expect(tab.page.locator("#another")).to_be_focused()
    last = -math.log(0.01)
    assert means(tab)[0] == pytest.approx((0.7032 * (n - 1) + last) / n, abs=0.006)
    assert means(tab)[3] == pytest.approx(math.log(3), abs=0.006)
    tab.page.get_by_role("button", name="What it costs the model").click()
    expect(tab.page.locator("#text")).to_have_value(re.compile("^[ab]+$"))


def test_a_text_is_guessed_by_mouse_and_goes_on_after_a_reload(tab: Tab) -> None:
    tab.page.locator("#board button", has_text="a").click()
    tab.page.get_by_label("50 %").check()
    tab.page.locator("#bet").click()
    has_come(tab, 1)
    before = means(tab)
    tab.page.reload()
    has_come(tab, 1)
    assert means(tab) == before
    tab.page.locator("#another").click()
    has_come(tab, 0)
    assert tab.address("seed") == "2"


def test_whoever_is_certain_and_wrong_is_told_so(tab: Tab) -> None:
    tab.page.get_by_label("100 %").check()
    tab.page.get_by_label("Keep 1 % back for everything else").uncheck()
    tab.page.focus("#board")
    tab.page.keyboard.press(".")  # no text is empty
    expect(tab.page.locator("#preview")).to_contain_text("your loss is infinite")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#came")).to_contain_text("You were certain that it could not come")
    assert means(tab)[0] == math.inf


def test_weights_share_the_bet_and_what_is_foreseen_is_what_is_charged(tab: Tab) -> None:
    tab.page.keyboard.press("a")
    tab.page.keyboard.press("b")
    for _ in range(2):
        tab.page.get_by_role("button", name="More on b").click()
    tab.page.get_by_role("button", name="More on a").press("Enter")
    tab.page.get_by_role("button", name="Less on a").press("Enter")
    costs = [-math.log(share) for share in shares(Bet([(0, 1), (1, 3)], 0.9), 3).on.values()]
    says = "a comes: {:.2f} nats; b comes: {:.2f} nats".format(*costs)
    expect(tab.page.locator("#preview")).to_contain_text(says)
    for weights, sure, keep, size in (
        ([1.0], 0.5, True, 27), ([2.0, 1.0], 0.99, True, 27), ([1.0], 1.0, True, 257),
        ([1.0, 1.0], 1.0, False, 3), ([1.0, 2.0], 0.5, True, 2),
    ):  # fmt: skip
        words = f"{weights}, {sure}, {str(keep).lower()}, {size}"
        found = tab.page.evaluate(f"import('/page/loss.js').then(m => m.shares({words}))")
        expected = shares(Bet([*enumerate(weights)], sure, keep), size)
        assert found["on"] == pytest.approx([*expected.on.values()], abs=1e-12)
        assert found["rest"] == pytest.approx(expected.rest, abs=1e-12)


def test_hostile_texts_are_guessed_as_texts(browser: Browser, tmp_path: Path) -> None:
    run = microgpt.train(PAYLOADS[:9], engine="scalar", steps=1, n_embd=8, out=tmp_path / "<b>")
    with serving(tmp_path) as server:
        tab = Tab(browser, server, "#board button", view="guess", values={"seed": 5})
        for n in range(1, 4):
            tab.page.focus("#board")
            tab.page.keyboard.press("<")
            tab.page.keyboard.press("Enter")
            has_come(tab, n)
        assert run.tokenizer.vocab_size == tab.page.locator("#board button").count()
        tab.close()
