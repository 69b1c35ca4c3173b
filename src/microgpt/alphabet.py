"""Characters as a person can read them: escapes for what cannot be seen, ranges for neighbours."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text with what cannot be seen, or would move the cursor, as an escape.

    >>> printable("a\x00\nb")
    'a\\x00\\nb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def ranges(characters: str) -> str:
    """Name sorted characters, neighbours as a range.

    >>> ranges(" abcdz")
    "' ', a-d, z"
    """
    runs: list[list[str]] = []
    for c in characters:
        if runs and ord(c) == ord(runs[-1][-1]) + 1:
            runs[-1].append(c)
        else:
            runs.append([c])
    names: list[str] = []
    for run in runs:
        shown = [f"'{c}'" if c.isspace() and c.isprintable() else printable(c) for c in run]
        names += [f"{shown[0]}-{shown[-1]}"] if len(run) > 2 else shown
    return ", ".join(names)
