"""Wrapping of help: between words, with a hanging indent."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

HANGING = "      "
"""The indent of continued lines, so that flags stand out."""


def wrapped(text: str, width: int | None) -> Iterator[str]:
    r"""Yield the lines of a text, wrapped to a width; None: not wrapped.

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
