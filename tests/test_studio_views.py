"""Every view of the studio: accessible, in every width, by keyboard, silent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from microgpt import Run, page
from microgpt.studio.server import Server

from .browser import accessible, expect
from .studios import serving
from .tabs import SIZES, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

VIEWS = re.findall(r"\w+", re.findall(r"VIEWS = \[([^\]]*)\]", page.text("views.js"))[0])
LOOKS = [("wide", "light"), ("wide", "dark"), ("narrow", "dark"), ("huge", "light")]
CONTROLS = "a[href], input, select, button, textarea, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


def opened(browser: Browser, server: Server, view: str, size: str, scheme: Any) -> Tab:
    width, height = SIZES[size]
    # Axe is a script, which the page itself would not let in.
    made = Tab(
        browser, server, view=view, viewport={"width": width, "height": height},
        color_scheme=scheme, bypass_csp=True,
    )  # fmt: skip
    made.page.wait_for_timeout(500)  # answers arrive
    return made


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, server: Server, view: str, look: tuple[str, str]
) -> None:
    made = opened(browser, server, view, *look)
    made.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    made.page.wait_for_timeout(100)
    assert made.text("status") == ""
    accessible(made.page)
    assert made.fits()
    made.close()


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_is_reached_by_keyboard(browser: Browser, server: Server, view: str) -> None:
    made = opened(browser, server, view, "wide", "light")
    # Of radio buttons the browser reaches one; what is disabled or closed it does not reach.
    made.page.evaluate(
        f"void (window.controls = [...document.querySelectorAll({CONTROLS!r})].filter("
        "(e) => !e.disabled && e.tabIndex >= 0 && e.checkVisibility() && "
        "(e.type !== 'radio' || e.checked)))"
    )
    count = made.page.evaluate("window.controls.length")
    reached = set[int]()
    made.page.evaluate("document.activeElement.blur()")
    for _ in range(count + 5):
        made.page.keyboard.press("Tab")
        reached.add(made.page.evaluate("window.controls.indexOf(document.activeElement)"))
    assert len(reached - {-1}) == count
    made.close()


def test_all_views_are_in_the_navigation_and_their_addresses_open_them(
    browser: Browser, server: Server
) -> None:
    made = opened(browser, server, "", "wide", "light")
    links = made.page.locator("nav a")
    assert links.count() == len(VIEWS)
    for i, view in enumerate(VIEWS):
        links.nth(i).click()
        expect(links.nth(i)).to_have_attribute("aria-current", "page")
        made.page.wait_for_selector("main > *")
        expect(made.page).to_have_url(re.compile(f"#(.*&)?view={view}(&|$)"))
        title = links.nth(i).inner_text()
        expect(made.page).to_have_title(f"{title} · microgpt studio")
    made.page.reload()
    expect(links.nth(len(VIEWS) - 1)).to_have_attribute("aria-current", "page")
    if len(VIEWS) > 1:
        made.page.go_back()
        expect(links.nth(len(VIEWS) - 2)).to_have_attribute("aria-current", "page")
    made.close()


def test_the_link_past_the_navigation_keeps_the_address(browser: Browser, server: Server) -> None:
    made = opened(browser, server, VIEWS[-1], "wide", "light")
    before = made.page.url
    made.page.keyboard.press("Tab")
    expect(made.page.locator(".skip")).to_be_focused()
    made.page.keyboard.press("Enter")
    expect(made.page.locator("main")).to_be_focused()
    assert made.page.url == before
    made.close()
