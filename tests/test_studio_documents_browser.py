"""The view of documents in Debian's Chromium: parts, slices, dropped files, long lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.studio.server import Server
from microgpt.wording import clipped

from .browser import accessible, expect
from .hostile import PAYLOADS
from .studios import serving
from .tabs import SIZES, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

PARTS = ["ladder", "position", "character", "length", "calibration", "documents", "file"]
ROWS = ".pages tbody tr"


@pytest.fixture(scope="module")
def server(model: Run) -> Iterator[Server]:
    with serving(model.folder.parent) as served:
        yield served


def opened(browser: Browser, server: Server, part: str, size: str = "wide", **kind: Any) -> Tab:
    width, height = SIZES[size]
    values = {"run": "run", "part": part}
    viewport = {"width": width, "height": height}
    return Tab(browser, server, "#part > *", "documents", values, viewport=viewport, **kind)


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = opened(browser, server, "file")
    yield made
    made.close()


def drop(tab: Tab, name: str, part: str | list[int], times: int = 1, where: str = "#drop") -> None:
    """Drop a file on the page: a text, repeated, or bytes."""
    made = tab.page.evaluate_handle(
        "([name, part, times]) => { const made = new DataTransfer(); const content = typeof part "
        "=== 'string' ? part.repeat(times) : new Uint8Array(part); "
        "made.items.add(new File([content], name)); return made; }",
        [name, part, times],
    )
    tab.page.dispatch_event(where, "dragover", {"dataTransfer": made})
    tab.page.dispatch_event(where, "drop", {"dataTransfer": made})


def texts(tab: Tab) -> list[str]:
    return tab.page.locator(f"{ROWS} button").all_inner_texts()


@pytest.mark.parametrize("look", [("wide", "light"), ("narrow", "dark")], ids="-".join)
def test_every_part_is_accessible_and_fits(
    browser: Browser, server: Server, look: tuple[str, Any]
) -> None:
    made = opened(browser, server, "ladder", look[0], color_scheme=look[1], bypass_csp=True)
    links = made.page.locator("nav.parts a")
    expect(links).to_have_count(len(PARTS))
    for i, part in enumerate(PARTS):
        links.nth(i).click()
        expect(links.nth(i)).to_have_attribute("aria-current", "true")
        assert made.address("part") == part
        if part == "file":
            drop(made, "new.csv", "id,name\n1,anna\n2,zoë\n3,ok\n,\n")
        made.page.wait_for_selector(ROWS if part in ("documents", "file") else "#part table")
        if part in ("position", "character", "length", "calibration"):
            made.page.locator(".tall tbody tr button").last.click()
        if part != "ladder":
            made.page.locator(f"{ROWS} button").first.click()
            made.page.wait_for_selector(".document .heat")
        assert made.text("status") == ""
        accessible(made.page)
        assert made.fits()
    made.close()


def test_a_part_is_chosen_and_its_documents_are_shown(browser: Browser, server: Server) -> None:
    made = opened(browser, server, "character")
    made.page.get_by_role("button", name="Documents with character n", exact=True).click()
    expect(made.page.locator(".pages caption")).to_have_text("Documents with n")
    made.page.wait_for_selector(f"{ROWS} button")
    assert all("n" in text for text in texts(made))
    first = texts(made)[0]
    made.page.click(f"{ROWS} button")
    expect(made.page.locator(".document .heat li")).to_have_count(len(first) + 1)
    made.page.reload()
    expect(made.page.locator(".pages caption")).to_have_text("Documents with n")
    made.page.click(f"{ROWS} button")
    made.page.get_by_role("link", name="Open it in the Loss view").click()
    expect(made.page.locator("#text")).to_have_value(first)
    made.page.go_back()
    expect(made.page.locator(".pages caption")).to_have_text("Documents with n")
    made.close()


def test_a_list_is_sorted_filtered_and_paged_by_keys_and_wheel(
    browser: Browser, server: Server, model: Run
) -> None:
    made = opened(browser, server, "documents")
    _, worst, _ = model.evaluate().parts.documents(20)
    expect(made.page.locator(ROWS)).to_have_count(14)
    assert texts(made) == [document.text for document in worst[:14]]
    box = made.page.locator(".pages .scroll")
    box.focus()
    made.page.keyboard.press("PageDown")
    place = made.page.locator(".pager output")
    n = len(model.held_out)
    expect(place).to_have_text(f"15 to 28 of {n}")
    made.page.keyboard.press("ArrowUp")
    expect(place).to_have_text(f"14 to 27 of {n}")
    made.page.keyboard.press("End")
    expect(place).to_have_text(f"{n - 13} to {n} of {n}")
    made.page.keyboard.press("Home")
    expect(place).to_have_text(f"1 to 14 of {n}")
    box.hover()
    made.page.mouse.wheel(0, 100)
    expect(place).to_have_text(f"4 to 17 of {n}")
    made.page.get_by_role("button", name="Last").click()
    expect(made.page.get_by_role("button", name="Next")).to_be_disabled()
    made.page.get_by_role("button", name="nats each").click()
    expect(made.page.locator("th[aria-sort=ascending]")).to_contain_text("nats each")
    losses = made.page.locator(f"{ROWS} td:nth-child(2)").all_inner_texts()
    assert [*map(float, losses)] == sorted(map(float, losses))
    made.page.get_by_label("Contains").fill("NN")
    hits = [text for text in model.held_out if "nn" in text]
    expect(made.page.locator(".list")).to_contain_text(f"{len(hits)} of {n} documents.")
    assert sorted(texts(made)) == sorted(hits)[: len(texts(made))]
    made.page.reload()
    expect(made.page.locator(".list")).to_contain_text(f"{len(hits)} of {n} documents.")
    expect(made.page.locator("th[aria-sort=ascending]")).to_contain_text("nats each")
    made.close()


def test_a_dropped_file_is_scored_flagged_and_downloaded(
    tab: Tab, model: Run, tmp_path: Path
) -> None:
    data = "id,name\r\n1,anna\r\n2,zzzzz\r\n3,\r\n4,lena\r\n"
    drop(tab, "new.csv", data)
    expect(tab.page.locator("#part strong")).to_have_text("new.csv")
    expect(tab.page.locator("#part")).to_contain_text("3 documents, 13 characters; 1 blank rows")
    expect(tab.page.locator(ROWS).first).to_contain_text("zzzzz")
    tab.page.locator(".list select").select_option("0.1")
    expect(tab.page.locator(".flag", has_text="flagged")).to_have_count(1)
    expect(tab.page.locator(".list")).to_contain_text("1 flagged. Of good lines ")
    tab.page.get_by_label("flagged only").check()
    expect(tab.page.locator(ROWS)).to_have_count(1)
    tab.page.reload()  # the address has the file, the rate and the filter
    expect(tab.page.locator(ROWS)).to_have_count(1)
    assert texts(tab) == ["zzzzz"]
    with tab.page.expect_download() as download:
        tab.page.get_by_role("link", name="Download all rows").click()
    (tmp_path / "new.csv").write_bytes(data.encode())
    words = f"score {model.folder} new.csv --column name --flag-rate 0.1 -o out.csv"
    assert cli(words.split()) == 0
    assert Path(download.value.path()).read_bytes() == (tmp_path / "out.csv").read_bytes()
    tab.page.get_by_label("Column").select_option("id")
    expect(tab.page.locator("#part")).to_contain_text("4 documents")
    tab.page.get_by_role("link", name="Measure everything on this file").click()
    expect(tab.page.locator("#part")).to_contain_text("On 4 documents")
    expect(tab.page.locator("#source")).to_contain_text("Of the file that was dropped.")
    tab.page.get_by_role("link", name="Back to the run's own documents").click()
    expect(tab.page.locator("#part")).to_contain_text(
        f"On {len(model.held_out)} held-out documents"
    )


REFUSED: list[tuple[str, Any, str]] = [
    ("empty.txt", "", "empty.txt: no documents. Expected text, one document a line."),
    ("picture.png", [0x89, *b"PNG\r\n\x1a\n", *bytes(50)], "picture.png: a PNG picture"),
    ("program", [*range(256)] * 40, "program: "),
    ("x.csv", "", "x.csv: no documents"),
]


def test_a_file_that_is_no_text_is_a_sentence_and_the_next_one_is_read(tab: Tab) -> None:
    for name, content, sentence in REFUSED:
        drop(tab, name, content)
        expect(tab.page.locator("#status")).to_contain_text(sentence)
        assert "/" not in tab.text("status")  # none of our paths
        drop(tab, "crlf.txt", "anna\r\nlena\r\n")
        expect(tab.page.locator(ROWS)).to_have_count(2)
        assert sorted(texts(tab)) == ["anna", "lena"]
        assert tab.text("status") == ""
    # The browser notes every refused question.
    assert [said for said in tab.said if "status of 400" not in said] == []
    tab.said.clear()


def test_fifty_megabytes_are_scored_and_only_the_rows_in_sight_are_in_the_page(tab: Tab) -> None:
    # Four bytes a character: as many bytes, but fewer positions to compute.
    drop(tab, "large.txt", f"anna{11 * '🙂'}\n" + f"lena{11 * '🙂'}\n", 510_000)
    expect(tab.page.locator("#part strong")).to_have_text("large.txt", timeout=30_000)
    expect(tab.page.locator("progress")).to_be_visible()
    expect(tab.page.locator(".pager output")).to_have_text("1 to 14 of 1,020,000", timeout=60_000)
    assert tab.page.locator(ROWS).count() == 14
    assert tab.page.evaluate("document.querySelectorAll('*').length") < 400
    tab.page.get_by_role("button", name="Last").click()
    expect(tab.page.locator(".pager output")).to_have_text("1,019,987 to 1,020,000 of 1,020,000")
    tab.page.get_by_label("Contains").fill("LENA")
    expect(tab.page.locator(".list")).to_contain_text("510,000 of 1,020,000 documents.")


def test_hostile_texts_are_documents(tab: Tab) -> None:
    drop(tab, PAYLOADS[1], "\n".join(PAYLOADS))
    expect(tab.page.locator("#part strong")).to_have_text(clipped(PAYLOADS[1]))
    expect(tab.page.locator(".list")).to_contain_text("200 of 200 documents.")
    seen = {*texts(tab)}
    after, place = tab.page.get_by_role("button", name="Next"), tab.page.locator(".pager output")
    tab.page.locator(f"{ROWS} button").first.click()
    tab.page.wait_for_selector(".document .heat")
    while after.is_enabled():
        before = place.inner_text()
        after.click()
        expect(place).not_to_have_text(before)
        seen |= {*texts(tab)}
    assert seen == set(PAYLOADS)
    drop(tab, "table.csv", "<b onclick=boom()>,<img src=x onerror=boom()>\nx,<svg onload=boom()>\n")
    expect(tab.page.get_by_label("Column")).to_have_value(re.compile("img|onclick"))
    expect(tab.page.locator("#part strong")).to_have_text("table.csv")
    tab.page.get_by_role("link", name="Measure everything on this file").click()
    tab.page.get_by_role("link", name="By character").click()
    expect(tab.page.locator("#part caption").first).to_contain_text("By character")


def test_a_file_may_be_dropped_anywhere_on_the_view(browser: Browser, server: Server) -> None:
    made = opened(browser, server, "ladder")
    drop(made, "new.txt", "anna\nlena\n", where="h1")
    expect(made.page.locator(ROWS)).to_have_count(2)
    assert made.address("part") == "file"
    drop(made, "other.txt", "anna\n", where="body")
    expect(made.page.locator(ROWS)).to_have_count(1)
    expect(made.page.locator("#part strong")).to_have_text("other.txt")
    made.close()


def test_documents_that_are_gone_have_a_remedy(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(f"anna{i:c}lena" for i in range(97, 117)))
    microgpt.train("names.txt", engine="scalar", preset="microgpt", steps=2, out="runs/moved")
    (tmp_path / "names.txt").unlink()
    with serving(tmp_path / "runs") as server:
        made = Tab(browser, server, "#part > *", "documents")
        for part in ("How good", "Documents"):
            made.page.locator("nav.parts").get_by_role("link", name=part).click()
            expect(made.page.locator("#part")).to_contain_text("there is no")
        made.page.get_by_role("link", name="drop a file of documents").click()
        drop(made, "new.txt", "anna\nlena\n")
        made.page.get_by_role("link", name="Measure everything on this file").click()
        expect(made.page.locator("#part")).to_contain_text("On 2 documents")
        expect(made.page.locator("#part")).to_contain_text("No models to compare it with:")
        made.close()
