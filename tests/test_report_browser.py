"""The page in Debian's Chromium: on screen, in a screen reader, printed, dark, narrow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli

from .browser import accessible, watched
from .conftest import TINY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# With `pip install .[test]` alone there is no browser to be driven.
pytestmark = pytest.mark.slow
SIZES = {"wide": (1100, 900), "narrow": (320, 640)}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with all of its parts: its address."""
    folder = tmp_path_factory.mktemp("browser")
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:6]), "<b>é</b>", "z" * 400]
    (folder / "t.txt").write_text("\n".join(texts), "utf-8")
    microgpt.train(
        folder / "t.txt", engine="scalar", preset="microgpt", steps=60, holdout=0.3,
        out=folder / "run",
    )  # fmt: skip
    words = ["report", str(folder / "run"), "--text", "anna", "--text", "x<>y" * 20]
    assert cli([*words, "-o", str(folder / "report.html")]) == 0
    return (folder / "report.html").as_uri()


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")])
def opened(request: pytest.FixtureRequest, browser: Browser, page: str) -> Iterator[Any]:
    """The page, and what the browser asked for and complained of."""
    size, scheme = request.param
    width, height = SIZES[size]
    # Axe is a script, which the page itself would not let in.
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=True
    )
    tab, asked, said = watched(context)
    tab.goto(page)
    yield tab
    assert asked == [page]
    assert said == []
    context.close()


def test_axe_finds_nothing_and_the_page_does_not_scroll_sideways(opened: Any) -> None:
    opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    accessible(opened)
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_drawn_can_be_seen(opened: Any) -> None:
    for name in (".chart polyline.training", ".chart circle.honest, .chart circle.off", ".fill"):
        boxes = [one.bounding_box() for one in opened.query_selector_all(name)]
        assert boxes
        assert any(box and box["width"] > 1 and box["height"] > 1 for box in boxes)
    texts = opened.query_selector_all(
        ".chart text.level, .chart text.held-out, .chart text.training"
    )
    boxes = sorted((one.bounding_box() for one in texts), key=lambda box: (box["x"], box["y"]))
    chart = opened.query_selector(".chart").bounding_box()
    for box in boxes:
        assert box["x"] + box["width"] <= chart["x"] + chart["width"] + 1
    for a, b in pairwise(boxes):
        assert a["x"] != b["x"] or a["y"] + 0.8 * a["height"] <= b["y"]
    seen = "(e) => getComputedStyle(e).backgroundColor"
    shades = {opened.eval_on_selector(f".heat span.s{n}", seen) for n in range(6)}
    assert len(shades) == 6


def test_a_keyboard_reaches_and_opens_every_table(opened: Any) -> None:
    closed = len(opened.query_selector_all("details:not([open])"))
    assert closed >= 5
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    for _ in range(200):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.tagName") == "SUMMARY":
            opened.keyboard.press("Enter")
        if not opened.query_selector_all("details:not([open])"):
            break
    assert opened.query_selector_all("details:not([open])") == []


def test_on_paper_all_tables_are_there(browser: Browser, page: str) -> None:
    tab = browser.new_page()
    tab.goto(page)
    tall = "() => [...document.querySelectorAll('details table')].map(t => t.offsetHeight)"
    shown = "() => [...document.querySelectorAll('table')].every(t => t.checkVisibility())"
    ink = "(e) => getComputedStyle(e).printColorAdjust"
    assert not tab.evaluate(shown)
    tab.emulate_media(media="print")
    assert tab.evaluate(shown)
    assert min(tab.evaluate(tall)) > 20
    assert tab.eval_on_selector(".heat span.s5", ink) == "exact"
    paper = tab.pdf()
    assert paper.startswith(b"%PDF")
    tab.close()


def test_the_page_lets_no_script_run(browser: Browser, page: str, tmp_path: Path) -> None:
    text = Path(page.removeprefix("file://")).read_text("utf-8")
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(text.replace("</main>", "<script>document.title = 'no'</script></main>"))
    tab = browser.new_page()
    tab.goto(spoilt.as_uri())
    assert tab.title().endswith("how wrong the model is")
    # And the one style that is allowed does apply.
    assert tab.eval_on_selector("table", "(e) => getComputedStyle(e).borderCollapse") == "collapse"
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["#fff", "#000"])
def test_what_a_notebook_shows_is_readable_on_any_background(
    browser: Browser, model: Run, tmp_path: Path, scheme: Any, ground: str
) -> None:
    things = (model, model.score("lena<b>é"), model.evaluate(), model.ladder())
    body = "\n".join(thing._repr_html_() for thing in things)
    head = f'<!doctype html><html lang="en"><title>cards</title><body style="background: {ground}">'
    (tmp_path / "cards.html").write_text(f"{head}<main><h1>Cards</h1>{body}</main>", "utf-8")
    context = browser.new_context(viewport={"width": 900, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto((tmp_path / "cards.html").as_uri())
    tab.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    accessible(tab, "main .card", least=10)
    shades = "(e) => getComputedStyle(e).backgroundColor"
    card = tab.eval_on_selector(".card", shades)
    assert card == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
