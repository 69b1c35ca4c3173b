"""Plain text to documents, by array operations on whole blocks: no Python string for each line.

In: the bytes of a file in chunks. Out: `Block`s, the same as if each line were read by itself. A
block with bytes that are no text is read that way, so that only the broken lines are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from microgpt.data.reader.block import Block, Found, LeftOut
from microgpt.data.reader.lines import MARK, Piece, add, by_bytes, decoded, whole_lines
from microgpt.data.reader.skipped import Tally
from microgpt.data.texts import Texts

# The first bytes of white space in UTF-8: those of ASCII; 0xC2 of U+0085 and U+00A0; 0xE1 of
# U+1680; 0xE2 of U+2000 and others; 0xE3 of U+3000.
_BLANK = np.isin(np.arange(256), [*range(9, 14), *range(28, 33), 0xC2, 0xE1, 0xE2, 0xE3])


def blocks(
    chunks: Iterator[bytes], name: str, encoding: str, tally: Tally, longest: float
) -> Iterator[Block]:
    """Yield the documents of a file.

    Args:
        chunks: the file's bytes.
        name: the file's name, for messages.
        encoding: of the text.
        tally: counts and reports what is skipped.
        longest: the most bytes of a line; infinity: any number, and rows are not numbered.

    Raises:
        DataError: the bytes cannot be decoded, in an encoding such as UTF-16 in which lines cannot
            be split before decoding.
    """
    chunks, encoding = by_bytes(chunks, name, encoding)
    number = 1
    for data, too_long in whole_lines(chunks, longest):
        found = None if too_long else _at_once(data, encoding, number)
        if found and longest < math.inf:
            found = _numbered(*found, number)
        if not found:
            piece = Piece(number, [], {})
            add(piece, data, encoding, longest if too_long else None, as_they_stand=False)
            found = one_by_one(piece, tally), len(piece.lines)
        yield found[0]
        number += found[1]


def _numbered(block: Block, lines: int, number: int) -> tuple[Block, int] | None:
    """Return a block with the numbers of its rows; None if a line is blank: it is kept, too."""
    if block.blank:
        return None
    numbers = range(number, number + lines)
    return replace(block, rows=[None] * lines, numbers=numbers), lines


def one_by_one(piece: Piece, tally: Tally) -> Block:
    """Return the documents of a piece; skip the lines that cannot be read."""
    found = Found()
    for number, text in enumerate(piece.lines, piece.number):
        if spoilt := piece.spoilt.get(number - piece.number):
            tally.skip(f"line {number}", *spoilt)
            found.left_out.append(LeftOut(number, spoilt.why))
        else:
            found.add(text, None, number, is_line=True)
    return found.block(("text",))


def _at_once(data: bytes, encoding: str, number: int) -> tuple[Block, int] | None:
    """Return the documents of whole lines, and the number of lines; None: some are no text."""
    try:
        text = decoded(data, encoding)
    except UnicodeError:
        return None
    if number == 1:
        text = text.removeprefix(MARK)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    buffer = np.frombuffer(text.encode(), dtype=np.uint8)
    stops = np.flatnonzero(buffer == ord("\n")) + 1
    lines = Texts(buffer, np.concatenate([np.zeros(1, np.int64), stops]))
    return without_blank(lines), len(lines)


def without_blank(texts: Texts, gaps: int = 0) -> Block:
    """Return the texts that are not blank; the others, and what was missing, are counted.

    Args:
        texts: packed.
        gaps: how many are missing beside them.
    """
    # A blank text is empty, or its first byte may begin white space.
    is_empty = texts.sizes == 0
    doubtful = np.flatnonzero(_BLANK[texts.buffer[texts.starts[:-1]]] & ~is_empty)
    blank = [at for at in map(int, doubtful) if not texts[at].strip()]
    is_empty[blank] = True
    if not is_empty.any():
        return Block(texts, (), gaps)
    characters = sum(len(texts[at]) for at in blank)
    others = texts.take(np.flatnonzero(~is_empty))
    return Block(others, (), gaps + int(is_empty.sum()), characters)
