"""A tab of the studio's page, and all that the page asked for and complained of."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from microgpt.studio.server import Server

from .browser import Browser

SIZES = {"wide": (1280, 800), "narrow": (320, 640), "huge": (3840, 2160)}


class Tab:
    """A tab with a view.

    Args:
        browser: opened.
        server: of the studio.
        ready: a selector that the view has when it is shown.
        view: its name; "": the first.
        values: what the address says beside.
        kind: options of Playwright's context.
    """

    def __init__(
        self,
        browser: Browser,
        server: Server,
        ready: str = "main > *",
        view: str = "",
        values: dict[str, Any] | None = None,
        **kind: Any,
    ) -> None:
        self.home = f"http://127.0.0.1:{server.port}/"
        self.context = browser.new_context(**kind)
        # The address's token is valid once; a second tab of a test has the cookie.
        self.context.add_cookies(
            [{"name": server.keys.name, "value": server.keys.cookie, "url": self.home}]
        )
        self.context.add_init_script("window.boom = () => { window.ran = true }")
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        said = {**({"view": view} if view else {}), **(values or {})}
        self.page.goto(self.home + (f"#{urlencode(said)}" if said else ""))
        self.page.wait_for_selector(ready)

    def text(self, name: str) -> str:
        """Return the text of the element with an id."""
        return self.page.inner_text(f"#{name}")

    def address(self, name: str) -> str | None:
        """Return what the address says."""
        found = re.search(rf"[#&]{name}=([^&]*)", self.page.url)
        return found and found[1]

    def fits(self) -> bool:
        """Return whether the page needs no scrolling sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def close(self) -> None:
        """Close the tab: no text may have run, nothing been asked elsewhere, nothing complained."""
        assert self.page.evaluate("window.ran") is None
        own = (self.home, "data:", f"blob:{self.home}")
        assert [url for url in self.asked if not url.startswith(own)] == []
        # The browser logs each refusal of a question; its sentence is on the page.
        refused = "Failed to load resource: the server responded with a status of 400"
        assert [words for words in self.said if not words.startswith(refused)] == []
        self.context.close()
