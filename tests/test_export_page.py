"""The page that stands alone, in Chromium: from the disk, by keyboard, with texts of markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.export.html import export
from microgpt.wording import level

from .browser import Browser, accessible, expect, silent
from .conftest import TINY

pytestmark = pytest.mark.slow
SIZES = {"wide": (1100, 900), "narrow": (320, 640), "4K": (3840, 2160)}
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


VIEWS = ["loss", "curve", "sample", "documents", "good"]


def opening(tab: Any, page: str, view: str, **values: str) -> None:
    """Go to a view of the page."""
    tab.goto("about:blank")
    tab.goto(f"{page}#{urlencode({'view': view, **values})}")
    tab.wait_for_selector("main > *")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_and_the_page_does_not_scroll_sideways(
    browser: Browser, page: str, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    # Axe is a script, which the page itself would not let in.
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    for view in VIEWS:
        opening(tab, page, view, text="annxa 0<b>")
        tab.wait_for_timeout(300)
        tab.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        accessible(tab)
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.text_content("#status") == ""
    context.close()


def test_every_view_opens_from_the_disk_and_asks_for_nothing(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        links = tab.locator("nav a")
        assert links.count() == len(VIEWS)
        for i in range(len(VIEWS)):
            links.nth(i).click()
            expect(links.nth(i)).to_have_attribute("aria-current", "page")
            tab.wait_for_selector("main > *")


def test_what_is_typed_is_scored_at_once(browser: Browser, page: str, run: Run) -> None:
    with silent(browser, page) as tab:
        tab.fill("#text", "anna")
        ours = run.score("anna")
        expect(tab.locator("#characters button")).to_have_count(5)
        cells = tab.query_selector_all("#characters button")
        for cell, one in zip(cells, ours.characters, strict=True):
            char, nats = cell.inner_text().split()
            assert char == (one.char or "⏎")
            assert float(nats) == pytest.approx(one.nats, abs=0.0051)
            assert cell.get_attribute("class") == f"s{level(one.nats)}"
        assert float(tab.text_content("#sum").split()[0]) == pytest.approx(ours.loss, abs=5.1e-3)
        cells[1].focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#characters button").nth(1)).to_have_attribute("aria-pressed", "true")
        expect(tab.locator("#way")).to_contain_text("p of n = ")
        likeliest = tab.text_content("#inside tbody tr:first-child th")
        assert likeliest == (ours.characters[1].likely[0] or "⏎")
        # A logit can be moved, and taken back.
        before = tab.text_content("#way")
        tab.locator("#inside input[type=range]").first.press("End")
        assert tab.text_content("#way") != before
        tab.get_by_role("button", name="As the model had it").click()
        assert tab.text_content("#way") == before


def test_two_texts_stand_side_by_side(browser: Browser, page: str, run: Run) -> None:
    with silent(browser, page) as tab:
        opening(tab, page, "loss", text="anna", other="ada")
        for name, text, sum_ in (
            ("characters", "anna", "sum"),
            ("other-characters", "ada", "other-sum"),
        ):
            expect(tab.locator(f"#{name} button")).to_have_count(len(text) + 1)
            nats = float(tab.text_content(f"#{sum_}").split()[0])
            assert nats == pytest.approx(run.score(text).loss, abs=5.1e-3)


# Types a name while a long text is read, each position of which takes a tenth of a millisecond.
TYPING = """() => {
    const field = document.getElementById("text");
    const all = microgpt.positions.bind(microgpt);
    globalThis.read = 0;
    microgpt.positions = function* (text) {
        for (const one of all(text)) {
            if (text.length > 1000 && ++globalThis.read === 50) setTimeout(() => {
                field.value = "anna";
                field.dispatchEvent(new Event("input"));
            });
            const until = performance.now() + 0.1;
            while (text.length > 1000 && performance.now() < until);
            yield one;
        }
    };
}"""


def test_a_long_text_is_given_up_when_another_one_is_typed(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        expect(tab.locator("#way")).to_be_visible()
        tab.evaluate(TYPING)
        tab.fill("#text", "a" * 2000)
        expect(tab.locator("#characters button")).to_have_count(5)
        read = tab.evaluate("globalThis.read")
        assert 50 <= read < 2000
        tab.wait_for_timeout(500)
        assert tab.evaluate("globalThis.read") == read
        assert tab.text_content("#status") == ""


def test_the_curve_has_the_marks_of_this_model_and_of_counts(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.get_by_role("link", name="Curve").click()
        tab.fill("#p", "0.5")
        marks = tab.locator("figure.plot svg").first.locator("text.level").all_text_contents()
        assert {"blind guess", "this model", "pairs"} <= set(marks)
        assert marks.count("this model") == 1
        assert any(mark.endswith("-grams") for mark in marks)
        expect(tab.locator("#marks")).to_contain_text("pairs ")
        assert "0.69" in tab.inner_text("#objectives")


def test_an_unknown_character_is_said_to_be_that(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.fill("#text", "añ")
        expect(tab.locator("#characters")).to_contain_text("ñ?")
        tab.locator("#characters button").nth(1).click()
        expect(tab.locator("#inside")).to_contain_text("has never seen ñ?")


def test_samples_answer_their_fields(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.get_by_role("link", name="Sample").click()
        texts = tab.locator("#samples tbody th button")
        expect(texts).to_have_count(12)
        first = texts.all_text_contents()
        tab.get_by_role("button", name="Draw others").click()
        expect(tab.locator("#samples[aria-busy=false]")).to_have_count(1)
        assert texts.all_text_contents() != first
        tab.fill("#prompt", "ann")
        expect(texts.first).to_have_text(re.compile("^ann"))
        expect(tab.locator("#samples[aria-busy=false]")).to_have_count(1)
        assert all(text.startswith("ann") for text in texts.all_text_contents())
        tab.fill("#temperature", "0")
        expect(tab.locator(".shares text.cut")).to_have_count(11)
        expect(tab.locator("#samples[aria-busy=false]")).to_have_count(1)
        assert len(set(texts.all_text_contents())) == 1
        tab.fill("#prompt", "ñ")
        expect(tab.locator("#status")).to_contain_text("never seen")
        tab.fill("#prompt", "a" * 99)
        expect(tab.locator("#status")).to_contain_text("shorter than the block of 64")
        tab.fill("#prompt", "")
        expect(tab.locator("#status")).to_have_text("")


def test_documents_are_sorted_filtered_and_opened(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        tab.get_by_role("link", name="Documents").click()

        def losses() -> list[float]:
            return [*map(float, tab.locator("#documents td").all_text_contents())]

        found = losses()
        assert found == sorted(found, reverse=True)
        tab.select_option("#order", "lowest")
        assert losses() == sorted(found)
        tab.fill("#wanted", "nn")
        texts = tab.locator("#documents button").all_text_contents()
        assert texts
        assert all("nn" in text for text in texts)
        tab.locator("#documents button").first.press("Enter")
        tab.wait_for_selector("#way")
        assert tab.input_value("#text") == texts[0]


def test_texts_made_of_markup_run_nothing(browser: Browser, page: str) -> None:
    with silent(browser, page) as tab:
        title = tab.title()
        for text in HOSTILE:
            tab.fill("#text", text)
        tab.get_by_role("link", name="Documents").click()
        # Some are among those held out; each is there as text.
        assert "<" in tab.text_content("#documents")
        for text in HOSTILE:
            tab.fill("#wanted", text)
        tab.fill("#wanted", "")
        for i in range(min(12, tab.locator("#documents button").count())):
            tab.locator("#documents button").nth(i).click()
            tab.wait_for_selector("#characters")
            assert tab.title() == title
            tab.get_by_role("link", name="Documents").click()
        assert tab.query_selector_all("main script, main img, main style, main a[href^=java]") == []


def test_without_javascript_it_says_what_it_is_and_how_good(browser: Browser, page: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page)
    assert "trained on" in tab.inner_text("#about")
    assert "this model" in tab.inner_text("#good")
    assert "JavaScript" in tab.inner_text("noscript")
    context.close()


def test_no_other_script_is_let_in(browser: Browser, page: str, tmp_path: Path) -> None:
    text = Path(page.removeprefix("file://")).read_text("utf-8")
    spoilt = tmp_path / "spoilt.html"
    bad = "<script>document.title = 'no'</script><img src='x' onerror=\"document.title = 'no'\">"
    spoilt.write_text(text.replace("</main>", f"{bad}</main>"), "utf-8")
    tab = browser.new_page()
    tab.goto(spoilt.as_uri())
    tab.wait_for_selector("#way")
    assert tab.title().startswith("Loss")
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
        tab.fill("#text", "né")
        shown = "\\xc3" if "tokenizer" in kind else "é?"  # a byte is a position of its own
        expect(tab.locator("#characters")).to_contain_text(shown)
