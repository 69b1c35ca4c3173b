"""The data that the package contains: `names.txt`, 32,000 US surnames (README.md describes it)."""

from __future__ import annotations

from pathlib import Path


def names_path() -> Path:
    """Return the path of `names.txt`, one lower-case surname a line, the most frequent first.

    >>> names_path().read_text("ascii").split()[:3]
    ['smith', 'johnson', 'williams']
    """
    return Path(__file__).with_name("names.txt")
