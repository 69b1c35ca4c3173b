"""How what is said looks on a terminal, of whose background nothing is known.

Each colour has a contrast of at least 4.5 with black and with white, as WCAG 2 asks of text: few of
a terminal's 256 have. So what matters more is told by weight, which NO_COLOR leaves as it is.
"""

from __future__ import annotations

from rich.theme import Theme

from microgpt.wording import level

LINES = (163, 63, 29, 131, 98, 243)
"""Colours of curves, by their numbers among the 256."""

_MARKED = "bold color(163)"
STYLES = {
    "quiet": "color(243)",  # what may be passed over
    "good": "bold color(29)",  # what is this model's
    "marked": _MARKED,  # what is to be looked at
    "surprise.0": "color(243)",
    "surprise.1": "default",
    "surprise.2": "bold",
    "surprise.3": _MARKED,
    "surprise.4": f"underline {_MARKED}",
    "surprise.5": f"reverse {_MARKED}",
    # The library's own bars, and what it writes beside them.
    "bar.complete": "color(163)",
    "bar.finished": "color(29)",
    "bar.pulse": "color(163)",
    "bar.back": "color(243)",
    "progress.percentage": "default",
    "progress.remaining": "default",
    "progress.elapsed": "default",
}
"""What styles are called, and how they look."""

THEME = Theme(STYLES)


def surprise_style(nats: float) -> str:
    """Return the style of a text that cost a number of nats: what surprises most is strongest.

    >>> surprise_style(0.1), surprise_style(9.0)
    ('surprise.0', 'surprise.5')
    """
    return f"surprise.{level(nats)}"


def bar_style(nats: float) -> str:
    """Return the style of a bar for a number of nats; most of it is said by its length.

    >>> bar_style(0.1), bar_style(9.0)
    ('quiet', 'marked')
    """
    return ("quiet", "quiet", "default", "marked", "marked", "marked")[level(nats)]
