"""Where help is wrapped: between words, and what goes on in the next line stands below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

HANGING = "      "
"""So that flags can be found at a glance."""


def wrapped(text: str, width: int | None) -> Iterator[str]:
    r"""Yield the lines of a text, each no longer than a width.

    >>> [*wrapped("Flags:\n  --json: Print JSON.", 16)]
    ['Flags:', '  --json: Print', '      JSON.']
    """
    for line in text.splitlines():
        if width is None:
            yield line
            continue
        hanging = HANGING if line.startswith(" ") else ""
        yield from textwrap.wrap(
            line, width, subsequent_indent=hanging, break_on_hyphens=False
        ) or [""]
