"""Texts as a library written in Rust takes them: Unicode, and not too long.

In: `Texts`. Out: strings, in which a byte that is no UTF-8 is a character of its own; their parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from microgpt.data.texts import Texts

# Bytes that are no UTF-8, as Python's "surrogateescape" writes them: each is a token of its own.
BROKEN = re.compile("([\udc80-\udcff]+)")

# A text of more characters is encoded in parts, where that is the same, to bound memory.
LONG = 1 << 16
_AT_ONCE = 1 << 20
_PART = re.compile(r"(?<=\w) (?=\w)")


def strings(texts: Texts) -> list[str]:
    """Return texts, with each byte that is no UTF-8 as U+DC00 plus itself."""
    data = texts.data.tobytes()
    try:
        data.decode()
    except UnicodeDecodeError:
        places: list[int] = texts.starts.tolist()
        lines = [data[start : stop - 1] for start, stop in pairwise(places)]
        return [line.decode("utf-8", "surrogateescape") for line in lines]
    return texts.strings()


def parts(text: str) -> Iterator[str]:
    """Yield a text in parts that begin with a space, each of about LONG characters.

    GPT-2's rule never joins a letter with the space behind it.
    """
    first = 0
    while len(text) - first > LONG and (cut := _PART.search(text, first + LONG)):
        yield text[first : cut.start()]
        first = cut.start()
    yield text[first:]


def parts_of(texts: Sequence[str], *, is_plain: bool) -> tuple[list[str], list[int]]:
    """Return the parts of texts that are encoded each for itself, and of each its text's number.

    Bytes that are no UTF-8 are parts of their own.

    Args:
        texts: as `strings` returns them.
        is_plain: whether a long text may be encoded in parts.
    """
    found, owners = list[str](), list[int]()
    for d, text in enumerate(texts):
        if len(text) <= LONG and text.isascii():
            found.append(text)
            owners.append(d)
            continue
        for i, part in enumerate(BROKEN.split(text)):
            some = [part] if i % 2 or not is_plain else [*parts(part)]
            found += some
            owners += [d] * len(some)
    return found, owners


def groups(some: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield parts in groups of about a million characters."""
    first = characters = 0
    for i, part in enumerate(some):
        characters += len(part)
        if characters > _AT_ONCE:
            yield some[first : i + 1]
            first, characters = i + 1, 0
    yield some[first:]
