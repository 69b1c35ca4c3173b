"""One step in Debian's Chromium: by keys, by mouse, a thousand times, and left in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from microgpt import Run
from microgpt.studio.server import Server

from .browser import expect
from .hostile import PAYLOADS
from .studios import serving
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
PHASES = ["Forward", "Loss", "Backward", "Update"]


@pytest.fixture
def tab(browser: Browser, trained: Run) -> Iterator[Tab]:
    with serving(trained.folder.parent) as server:
        made = opened(browser, server)
        yield made
        made.close()


def opened(browser: Browser, server: Server, **values: str) -> Tab:
    made = Tab(browser, server, view="step", values={"text": "lea", **values})
    expect(made.page.get_by_role("button", name="1 Forward")).to_be_enabled()
    return made


def losses(tab: Tab) -> tuple[float, float]:
    """The document's loss before and after, as the page has them."""
    words = tab.text("did").split()
    return float(words[words.index("→") - 1]), float(words[words.index("→") + 1])


def test_four_presses_of_a_key_make_one_step(tab: Tab, trained: Run) -> None:
    tab.page.get_by_role("button", name="1 Forward").focus()
    for i, phase in enumerate(PHASES):
        panel = tab.page.get_by_role("region", name=phase, exact=True)
        assert panel.locator("table").count() == 0
        tab.page.keyboard.press("Enter")
        panel.locator("table").first.wait_for()
        expect(tab.page.locator("button:focus")).to_contain_text(str((i + 1) % 4 + 1))
    before, after = losses(tab)
    assert before == pytest.approx(trained.score("lea").loss, abs=1e-4)
    assert after < before
    assert "other documents" in tab.text("others")
    # The next step begins where this one ended.
    tab.page.get_by_role("button", name="Again", exact=True).click()
    expect(tab.page.locator("#did")).to_contain_text(f"This document: {after:.4f}")
    tab.page.get_by_role("button", name="Start over").click()
    expect(tab.page.locator("#did")).to_have_count(0)


def test_each_phase_has_a_key_that_types_in_the_document(tab: Tab) -> None:
    tab.page.get_by_role("button", name="1 Forward").focus()
    for i, phase in enumerate(PHASES):
        tab.page.keyboard.press(str(i + 1))
        panel = tab.page.get_by_role("region", name=phase, exact=True)
        panel.locator("table").first.wait_for()
    expect(tab.page.locator("#others")).to_contain_text("other documents (")
    expect(tab.page.locator("figure", has_text="Change of the others")).to_be_visible()
    tab.page.locator("#document").press("End")
    tab.page.keyboard.press("1")
    expect(tab.page.locator("#document")).to_have_value("lea1")


def test_a_thousand_updates_run_to_the_end(tab: Tab) -> None:
    tab.page.get_by_role("button", name="1,000 times", exact=True).click()
    course = tab.page.get_by_role("region", name="Course")
    course.wait_for()
    expect(tab.page.get_by_role("button", name="Start over")).to_be_enabled(timeout=30_000)
    course.locator("summary").click()
    rows = course.locator("tbody tr")
    expect(rows).to_have_count(21)  # of 101, every fifth
    texts = [rows.nth(n).inner_text().split("\t") for n in (0, 20)]
    first, last = ([float("".join(cell.split())) for cell in cells] for cells in texts)
    assert (first[0], last[0]) == (0, 1_000)
    assert last[1] < first[1] / 2  # by heart
    assert last[2] > first[2]  # and the others cost more


def test_many_updates_become_a_curve_that_falls(tab: Tab) -> None:
    tab.page.get_by_role("button", name="10 times", exact=True).click()
    tab.page.get_by_role("region", name="Course").wait_for()
    expect(tab.page.get_by_role("button", name="Start over")).to_be_enabled(timeout=20_000)
    course = tab.page.get_by_role("region", name="Course")
    course.locator("summary").click()
    expect(course.locator("tbody tr")).to_have_count(11)
    rows = course.locator("tbody tr").all_inner_texts()
    updates, loss, *_ = zip(*(map(float, row.split()) for row in rows))
    assert list(updates) == list(range(11))
    assert loss[-1] < loss[0] / 2


def test_the_view_can_be_left_in_the_middle(tab: Tab) -> None:
    tab.page.get_by_role("button", name="1,000 times", exact=True).click()
    tab.page.get_by_role("region", name="Course").wait_for()
    tab.page.get_by_role("link", name="Loss", exact=True).click()
    tab.page.wait_for_selector("#way")
    tab.page.get_by_role("link", name="One step").click()
    button = tab.page.get_by_role("button", name="1 Forward")
    expect(button).to_be_enabled(timeout=20_000)
    assert tab.text("status") == ""


@pytest.mark.parametrize("text", PAYLOADS[::67])
def test_hostile_documents_run_nothing(tab: Tab, text: str) -> None:
    tab.page.fill("#document", text)
    expect(tab.page.get_by_role("button", name="1 Forward")).to_be_enabled()
    for phase in range(4):
        tab.page.get_by_role("button", name=f"{phase + 1} {PHASES[phase]}").click()
    expect(tab.page.locator("#did")).to_contain_text("This document")


def test_an_unknown_character_is_said_and_can_be_taken_back(tab: Tab) -> None:
    tab.page.fill("#document", "lé")
    expect(tab.page.locator("#status")).to_contain_text('the document has "é"')
    tab.page.fill("#document", "le")
    expect(tab.page.get_by_role("button", name="1 Forward")).to_be_enabled()
    expect(tab.page.locator("#status")).to_have_text("")
    assert tab.address("text") == "le"
