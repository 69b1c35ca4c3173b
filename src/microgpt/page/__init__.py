"""The files of the live page: HTML, style sheets and plain ES modules, without a build step.

In: a file's name. Out: its text.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

from microgpt import html

_HERE = Path(__file__).parent

TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
"""The media type of each kind of file."""

SHARED = "style/pieces.css"
"""The name under which the page has the style sheet that all pages share."""


_IMPORTED = re.compile(r"""^import\b[^"'`]*["']([^"']+)["'];?$""", re.MULTILINE)


@cache
def names() -> tuple[str, ...]:
    """Return the names of all files, such as "views/loss.js", in order.

    >>> "main.js" in names(), "style/pieces.css" in names()
    (True, True)
    """
    found = (p for p in _HERE.rglob("*") if p.suffix in TYPES)
    return tuple(sorted([SHARED, *(p.relative_to(_HERE).as_posix() for p in found)]))


def text(name: str) -> str:
    """Return the text of a file.

    Args:
        name: one of `names`.

    Raises:
        KeyError: there is no such file.
    """
    if name == SHARED:
        return html.page_style()
    if name not in names():
        raise KeyError(name)
    return (_HERE / name).read_text("utf-8")


@cache
def index() -> str:
    """Return `index.html`: it asks for all modules at once, not for one after the other."""
    links = "".join(f'<link rel="modulepreload" href="/page/{name}">\n' for name in modules())
    return text("index.html").replace("<script ", f"{links}<script ", 1)


def modules(first: str = "main.js") -> list[str]:
    """Return the names of a module and of all that it imports, those imported first.

    >>> modules("dom.js"), "views/loss.js" in modules()
    (['dom.js'], True)
    """
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for path in _IMPORTED.findall(text(name)):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if other not in found:
                add(other)
        found[name] = None

    add(first)
    return [*found]
