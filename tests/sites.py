"""The site of the docs, built once for all tests; and what is true of any built site's files."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from microgpt.engines import why_not_native

from .conftest import required

ROOT = Path(__file__).resolve().parents[1]
if not (find_spec("sphinx") and find_spec("furo") and find_spec("myst_parser")):
    required("sphinx", "the tools that build the site are not installed: pip install '.[docs]'")
if why := why_not_native():
    required("sphinx", f"the model in the figures needs the native engine: {why}")


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder of the docs."""
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT / "docs", capture_output=True, text=True, check=False
    )


def built(out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site by its own command."""
    return python("make_site.py", "--out", str(out))


@dataclass
class Page:
    """What a file of HTML links to, and what it loads.

    Attributes:
        links: addresses of other pages, or of places in them.
        loaded: what a browser asks for without a click.
        ids: places that can be linked to.
        styles: CSS in it.
    """

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    styles: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads a page. It knows nothing of the tool that wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._is_style = tag == "style"
        self.page.ids |= {values[name] for name in ("id", "name") if name in values}
        if "style" in values:
            self.page.styles.append(values["style"])
        if "href" in values:
            is_link = tag == "a" or values.get("rel") in ("index", "search", "next", "prev")
            (self.page.links if is_link else self.page.loaded).append(values["href"])
        self.page.loaded += [values[name] for name in ("src", "data", "poster") if name in values]
        self.page.loaded += [one.split()[0] for one in values.get("srcset", "").split(",") if one]

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self.page.styles.append(data)


def read(path: Path) -> Page:
    """Read a file of HTML."""
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    return reader.page


def faults(site: Path) -> list[str]:
    """Return a sentence for each link that leads nowhere, and for what is loaded from elsewhere."""
    pages = {path.resolve(): read(path) for path in site.rglob("*.html")}
    found: list[str] = []

    def check(address: str, at: Path, is_loaded: bool) -> None:
        parts = urlsplit(address)
        name = at.relative_to(site.resolve())
        if parts.scheme == "data":
            return
        if parts.scheme or parts.netloc:
            if is_loaded or parts.scheme not in ("http", "https", "mailto"):
                found.append(f"{name} loads {address}")
            return
        file = (at.parent / unquote(parts.path)).resolve() if parts.path else at
        if parts.path.startswith("/") or not file.is_relative_to(site.resolve()):
            found.append(f"{name}: {address} leads out of the site")
        elif not file.is_file():
            found.append(f"{name}: there is no {address}")
        elif unquote(parts.fragment) not in {"", *pages.get(file, Page()).ids}:
            found.append(f"{name}: {address} has no such place")

    for path, page in pages.items():
        for address in page.links:
            check(address, path, False)
        for address in page.loaded:
            check(address, path, True)
        for style in page.styles:
            for address in _addresses(style):
                check(address, path, True)
    for path in site.resolve().rglob("*.css"):
        for address in _addresses(path.read_text("utf-8")):
            check(address, path, True)
    return found


def _addresses(style: str) -> list[str]:
    """Return what CSS loads."""
    loaded = re.findall(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"']*))\s*\)""", style)
    loaded += re.findall(r"""@import\s+(?:"([^"]*)"|'([^']*)')()""", style)
    return [next(filter(None, one)) for one in loaded if any(one)]
