"""Bars and curves made of characters."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar(value: float, top: float, width: int) -> str:
    """Draw a horizontal bar, `width` characters long for the value `top`.

    >>> bar(1.0, 2.0, 4)
    '██'
    """
    return "█" * round(width * min(value / top, 1.0)) if top > 0 else ""


def spark(values: Sequence[float], low: float, high: float) -> str:
    """Draw values as a row of small columns.

    >>> spark([0.0, 1.0, 2.0], 0.0, 2.0)
    '▁▅█'
    """
    span = high - low or 1.0
    levels = [1 + round(7 * min(max((v - low) / span, 0.0), 1.0)) for v in values]
    return "".join(_EIGHTHS[level] for level in levels)
