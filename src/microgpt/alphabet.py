"""Characters as a person can read them: escapes for what cannot be seen, ranges for neighbours."""

from __future__ import annotations

import os
import shlex


def printable(text: str) -> str:
    r"""Return text with what cannot be seen, or would move the cursor, as an escape.

    >>> printable("a\x00\nb")
    'a\\x00\\nb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shell_word(text: str) -> str:
    r"""Write text as one word of a command, on one line, that can be copied.

    >>> print(shell_word("a b"), shell_word("a\nb"), shell_word("plain"))
    'a b' $'a\nb' plain
    """
    if text.isprintable():
        return shlex.quote(text)
    bytes_of = {ord("\n"): "\\n", ord("\t"): "\\t", ord("'"): "\\'", ord("\\"): "\\\\"}
    plain = range(0x20, 0x7F)
    escaped = (bytes_of.get(b, chr(b) if b in plain else f"\\{b:03o}") for b in os.fsencode(text))
    return f"$'{''.join(escaped)}'"


def path_word(path: object) -> str:
    """Write a path as one word of a command, never as one that looks like a flag.

    >>> path_word("-d/best"), path_word("runs/a")
    ('./-d/best', 'runs/a')
    """
    text = str(path)
    return shell_word(f"./{text}" if text.startswith("-") else text)


def readable(text: str) -> str:
    r"""Return text of several lines, each as `printable` shows it.

    >>> readable("a\tb\nc")
    'a\\tb\nc'
    """
    return "\n".join(map(printable, text.split("\n")))


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
