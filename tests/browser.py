"""Debian's Chromium, for the tests that need a browser."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from .conftest import required

try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Browser, expect, sync_playwright
except ImportError as error:
    required("chromium", str(error))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM:
    required("chromium", "there is no Chromium")

__all__ = ["Axe", "Browser", "accessible", "chromium", "expect", "silent"]


@contextmanager
def chromium() -> Generator[Browser]:
    """Open a browser."""
    with sync_playwright() as playwright:
        # As root, in a container, there is no other sandbox to be had.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def accessible(tab: Any, within: str | None = None, least: int = 20) -> None:
    """Check that axe-core finds nothing to complain of; the page must let its script in."""
    found = Axe().run(tab, within)
    assert found.response["testEngine"]["name"] == "axe-core"
    assert len(found.response["passes"]) > least
    assert found.violations_count == 0, found.generate_report()


def watched(context: Any) -> tuple[Any, list[str], list[str]]:
    """Open a tab; return it with the addresses that it asks for, and what it complains of."""
    tab = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    return tab, asked, said


@contextmanager
def silent(browser: Browser, address: str, **context: Any) -> Generator[Any]:
    """Open a page, which must ask for nothing but itself, and complain of nothing."""
    its = browser.new_context(**context)
    tab, asked, said = watched(its)
    tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    tab.goto(address)
    yield tab
    assert {url.partition("#")[0] for url in asked} == {address}
    assert said == []
    its.close()
