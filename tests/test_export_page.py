"""The page that stands alone, in Chromium: from the disk, by keyboard, with texts of markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.export.html import export

from .browser import Axe, Browser, chromium, silent
from .conftest import TINY

pytestmark = pytest.mark.slow
SIZES = {"wide": (1100, 900), "narrow": (320, 640)}
HOSTILE = [
    "<script>document.title = 'no'</script>",
    "</script><script>document.title = 'no'</script>",
    "<!--<script>document.title = 'no'//-->",
    "<img src=x onerror=\"document.title = 'no'\">",
    "\" autofocus onfocus=\"document.title = 'no'",
    "{{ 7 * 7 }} ${document.title = 'no'}",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<style>* { display: none }</style>",
    "]]></script>\u2028\u2029",
    "&lt;script&gt;",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("page")
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:6]), *HOSTILE * 3, "z" * 400]
    (folder / "<script>.txt").write_text("\n".join(texts), "utf-8")
    return microgpt.train(
        folder / "<script>.txt",
        preset="micro",
        steps=100,
        holdout=0.3,
        out=folder / "<b>run",
    )


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert (
        cli(["export", str(run.folder), "--documents", "200", "--bits", "32", "-o", str(path)]) == 0
    )
    return path.as_uri()


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")])
def opened(request: pytest.FixtureRequest, browser: Browser, page: str) -> Iterator[Any]:
    size, scheme = request.param
    width, height = SIZES[size]
    # Axe is a script, which the page itself would not let in.
    viewport = {"width": width, "height": height}
    with silent(browser, page, viewport=viewport, color_scheme=scheme, bypass_csp=True) as tab:
        tab.wait_for_selector("#samples tr")
        yield tab


def test_axe_finds_nothing_and_the_page_does_not_scroll_sideways(opened: Any) -> None:
    opened.fill("#text", "annxa 0<b>")
    found = Axe().run(opened)
    assert found.response["testEngine"]["name"] == "axe-core"
    assert len(found.response["passes"]) > 20
    assert found.violations_count == 0, found.generate_report()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_typed_is_scored_at_once(browser: Browser, page: str, run: Run) -> None:
    with silent(browser, page) as tab:
        tab.fill("#text", "anna")
        ours = run.score("anna")
        cells = tab.query_selector_all("#text-characters button")
        for cell, one in zip(cells, ours.characters, strict=True):
            char, nats = cell.inner_text().split()
            assert char == (one.char or "⏎")
            assert float(nats) == pytest.approx(one.nats, abs=0.0051)
        assert float(tab.text_content("#text-sum").split()[0]) == pytest.approx(ours.loss, abs=2e-4)
        cells[1].focus()
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
        title = tab.text_content("#expected-title")
        assert title.startswith("At n, character 2: p = ")
        likeliest = tab.text_content("#expected tr:first-child th")
        assert likeliest == (ours.characters[1].likely[0] or "⏎")


def test_an_unknown_character_is_said_to_be_that(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.fill("#text", "añ")
        assert "ñ?" in tab.text_content("#text-characters")
        assert "unknown to the model" in tab.text_content("#expected-title")


def test_samples_answer_their_fields(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.wait_for_selector("#samples tr")
        first = tab.text_content("#samples")
        tab.click("#draw")
        tab.wait_for_function(
            "(old) => document.querySelector('#samples').textContent !== old", arg=first
        )
        tab.fill("#prompt", "ann")
        tab.wait_for_function(
            "() => [...document.querySelectorAll('#samples button')].every("
            "(one) => one.textContent.startsWith('ann'))"
        )
        tab.fill("#temperature", "0")
        tab.wait_for_function(
            "() => new Set([...document.querySelectorAll('#samples button')].map("
            "(one) => one.textContent)).size === 1"
        )
        assert tab.text_content("#next td") == "100.0 %"
        tab.fill("#prompt", "ñ")
        assert "never seen" in tab.text_content("#samples-mistake")
        tab.fill("#prompt", "a" * 99)
        assert "shorter than the block of 64" in tab.text_content("#samples-mistake")
        tab.fill("#prompt", "")
        assert tab.text_content("#samples-mistake") == ""


def test_documents_are_sorted_filtered_and_opened(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        losses = (
            "() => [...document.querySelectorAll('#documents-rows td:last-child')]"
            ".map((one) => +one.textContent)"
        )
        found = tab.evaluate(losses)
        assert found == sorted(found, reverse=True)
        tab.select_option("#order", "lowest")
        assert tab.evaluate(losses) == sorted(found)
        tab.fill("#wanted", "nn")
        texts = tab.evaluate(
            "() => [...document.querySelectorAll('#documents-rows button')]"
            ".map((one) => one.textContent)"
        )
        assert texts
        assert all("nn" in text for text in texts)
        tab.focus("#documents-rows button")
        tab.keyboard.press("Enter")
        assert tab.input_value("#text") == texts[0]


def test_texts_made_of_markup_run_nothing(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.wait_for_selector("#samples tr")
        title = tab.title()
        assert title.endswith("a model to try")
        shown = tab.text_content("#documents-rows")
        # Some are among those held out; each is there as text.
        assert "<" in shown
        for text in HOSTILE:
            tab.fill("#text", text)
            tab.fill("#wanted", text)
        for button in tab.query_selector_all("#documents-rows button"):
            button.click()
        assert tab.title() == title
        assert tab.query_selector_all("main script, main img, main style, main a[href^=java]") == []


def test_no_other_script_is_let_in(browser: Browser, page: str, tmp_path: Path) -> None:
    text = Path(page.removeprefix("file://")).read_text("utf-8")
    spoilt = tmp_path / "spoilt.html"
    bad = "<script>document.title = 'no'</script><img src='x' onerror=\"document.title = 'no'\">"
    spoilt.write_text(text.replace("</main>", f"{bad}</main>"), "utf-8")
    tab = browser.new_page()
    tab.goto(spoilt.as_uri())
    tab.wait_for_selector("#samples tr")
    assert tab.title().endswith("a model to try")
    refused = tab.evaluate(
        "() => fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')"
    )
    assert refused == "refused"
    tab.close()


@pytest.mark.parametrize("kind", [{"tokenizer": "bytes"}, {"stream": True}])
def test_other_kinds_of_runs_open_too(
    kind: dict[str, Any], browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY * 20), "utf-8")
    made = microgpt.train(
        tmp_path / "t.txt", preset="micro", block_size=12, steps=50, out=tmp_path / "run", **kind
    )
    path = tmp_path / "page.html"
    path.write_bytes(export(made).page)
    with silent(browser, path.as_uri()) as tab:
        tab.wait_for_selector("#samples tr")
        tab.fill("#text", "né")
        assert "é" in tab.text_content("#text-characters")
