"""Colours and styles for a terminal whose background may be black or white.

Each colour has a contrast of at least 4.5 with both, as WCAG 2 requires of text: few of a
terminal's 256 colours have. Importance is therefore shown by weight, which NO_COLOR does not
remove.
"""

from __future__ import annotations

from rich.theme import Theme

from microgpt.wording import level

LINES = (163, 63, 29, 131, 98, 243)
"""Colours of curves, as numbers among the 256."""

_MARKED = "bold color(163)"
STYLES = {
    "quiet": "color(243)",  # less important
    "good": "bold color(29)",  # this model's row
    "marked": _MARKED,  # important
    "surprise.0": "color(243)",
    "surprise.1": "default",
    "surprise.2": "bold",
    "surprise.3": _MARKED,
    "surprise.4": f"underline {_MARKED}",
    "surprise.5": f"reverse {_MARKED}",
    # rich's own progress bars, and the text beside them.
    "bar.complete": "color(163)",
    "bar.finished": "color(29)",
    "bar.pulse": "color(163)",
    "bar.back": "color(243)",
    "progress.percentage": "default",
    "progress.remaining": "default",
    "progress.elapsed": "default",
}
"""The styles by name."""

THEME = Theme(STYLES)


def surprise_style(nats: float) -> str:
    """Return the style of a text by its loss in nats: the higher, the stronger.

    >>> surprise_style(0.1), surprise_style(9.0)
    ('surprise.0', 'surprise.5')
    """
    return f"surprise.{level(nats)}"


def bar_style(nats: float) -> str:
    """Return the style of a bar by its loss in nats; its length shows the loss as well.

    >>> bar_style(0.1), bar_style(9.0)
    ('quiet', 'marked')
    """
    return ("quiet", "quiet", "default", "marked", "marked", "marked")[level(nats)]
