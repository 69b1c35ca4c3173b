"""Printing of samples: side by side, or as texts of several lines."""

from __future__ import annotations

from collections.abc import Sequence

from microgpt.cli.terminal.say import say
from microgpt.wording import printable, readable


def sample_words(texts: Sequence[str], seen: Sequence[bool]) -> str:
    """Write samples on one line, with an asterisk at those that are training documents.

    >>> sample_words(["ada", ""], [True, False])
    'ada*  (empty)'
    """
    return "  ".join(
        (printable(text) or "(empty)") + ("*" if known else "") for text, known in zip(texts, seen)
    )


def say_samples(texts: Sequence[str]) -> None:
    """Print samples of a stream, which may have several lines each."""
    for text in texts:
        for line in readable(text).split("\n"):
            say(f"    {line}".rstrip())
        say()
