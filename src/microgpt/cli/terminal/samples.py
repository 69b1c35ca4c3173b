"""How samples are shown: words side by side, or texts of several lines."""

from __future__ import annotations

from collections.abc import Sequence

from microgpt.cli.terminal.say import say
from microgpt.wording import printable, readable


def sample_words(texts: Sequence[str], seen: Sequence[bool]) -> str:
    """Write samples on one line, those that stand in the training data with an asterisk.

    >>> sample_words(["ada", ""], [True, False])
    'ada*  (empty)'
    """
    return "  ".join(
        (printable(text) or "(empty)") + ("*" if known else "") for text, known in zip(texts, seen)
    )


def say_samples(texts: Sequence[str]) -> None:
    """Print samples of a text that has no documents, some lines each, as text."""
    for text in texts:
        for line in readable(text).split("\n"):
            say(f"    {line}".rstrip())
        say()
