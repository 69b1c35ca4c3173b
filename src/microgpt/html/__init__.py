"""Pieces of HTML that a report and a notebook share: cells, tables, bars, charts, and their style.

In: numbers and text. Out: escaped markup, without scripts or external resources.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microgpt.html import charts
from microgpt.wording import (
    MIXED,
    STEP,
    STRONGEST,
    clipped,
    count,
    expected,
    figures,
    glyph,
    level,
    path_word,
    printable,
    readable,
)

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent

ROWS = 24
"""The most rows shown of a table that may have thousands."""

_FILTERS = (printable, clipped, glyph, expected, level, readable, figures, path_word)


@cache
def template(name: str, folder: Path = _HERE) -> Template:
    """Return a template of a folder; it may use the macros in this folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "count_of": count,
        "thinned": thinned,
        **{f.__name__: f for f in _FILTERS},
    }
    environment.filters.update(filters)
    names: dict[str, Any] = {
        "box": charts, "step": STEP, "strongest": STRONGEST, "mixed_name": MIXED, "rows": ROWS,
    }  # fmt: skip
    environment.globals.update(names)
    return environment.get_template(name)


@cache
def style() -> str:
    """Return the style sheet of all pieces; its rules apply inside elements of class "microgpt"."""
    return (_HERE / "style.css").read_text("utf-8")


@cache
def page_style() -> str:
    """Return the style sheet of a whole page: that of all pieces, and what every page has."""
    return style() + (_HERE / "page.css").read_text("utf-8")


def fragment(kind: str, /, **values: Any) -> str:
    """Return the HTML of an object for a notebook, with its style sheet.

    Args:
        kind: the template's name: "score", "evaluation", "ladder" or "run".
        values: the variables of the template.
    """
    return template(f"{kind}.html.jinja").render(style=style(), **values)


def thinned(points: list[tuple[float, float]], most: int = 20) -> list[tuple[float, float]]:
    """Return at most `most` of the points, evenly spaced, with the last one.

    >>> thinned([(1.0, 3.3), (2.0, 3.2), (3.0, 3.1)], most=2)
    [(1.0, 3.3), (3.0, 3.1)]
    """
    every = -(-len(points) // most) or 1
    return points[::-1][::every][::-1]
