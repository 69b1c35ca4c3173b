"""Plain text to documents, by array operations on whole blocks: no Python string for each line.

In: the bytes of a file in chunks. Out: `Block`s, the same as if each line were read by itself. A
block with bytes that are no text is read that way, so that only the broken lines are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from microgpt.data.reader.block import Block, Found, LeftOut
from microgpt.data.reader.lines import MARK, Piece, add, by_bytes, decoded, whole_lines
from microgpt.data.reader.skipped import Tally
from microgpt.data.texts import Texts

# The first bytes of white space in UTF-8: those of ASCII; 0xC2 of U+0085 and U+00A0; 0xE1 of
# U+1680; 0xE2 of U+2000 and others; 0xE3 of U+3000.
_BLANK = np.isin(np.arange(256), [*range(9, 14), *range(28, 33), 0xC2, 0xE1, 0xE2, 0xE3])


def blocks(chunks: Iterator[bytes], name: str, encoding: str, tally: Tally) -> Iterator[Block]:
    """Yield the documents of a file whose lines may be of any length.

    Args:
        chunks: the file's bytes.
        name: the file's name, for messages.
        encoding: of the text.
        tally: counts and reports what is skipped.

    Raises:
        DataError: the bytes cannot be decoded, in an encoding such as UTF-16 in which lines cannot
            be split before decoding.
    """
    chunks, encoding = by_bytes(chunks, name, encoding)
    number = 1
    for data, _ in whole_lines(chunks, math.inf):
        try:
            text = decoded(data, encoding)
        except UnicodeError:
            block, lines = _one_by_one(data, encoding, number, tally)
        else:
            if number == 1:
                text = text.removeprefix(MARK)
            block, lines = _at_once(text)
        yield block
        number += lines


def one_by_one(piece: Piece, tally: Tally) -> Block:
    """Return the documents of a piece; skip the lines that could not be decoded."""
    texts, first = piece.lines, piece.number
    # The usual case, no blank line, is checked without a loop in Python.
    if not piece.spoilt and "" not in texts and not any(map(str.isspace, texts)):
        return Block(texts, [None] * len(texts), numbers=range(first, first + len(texts)))
    found = Found()
    for number, text in enumerate(texts, first):
        if spoilt := piece.spoilt.get(number - first):
            tally.skip(f"line {number}", *spoilt)
            found.left_out.append(LeftOut(number, spoilt.why))
        else:
            found.add(text, None, number, is_line=True)
    return found.block(("text",))


def _one_by_one(data: bytes, encoding: str, number: int, tally: Tally) -> tuple[Block, int]:
    piece = Piece(number, [], {})
    add(piece, data, encoding, as_they_stand=False)
    if number == 1:
        piece.lines[0] = piece.lines[0].removeprefix(MARK)
    return one_by_one(piece, tally), len(piece.lines)


def _at_once(text: str) -> tuple[Block, int]:
    """Return the documents of whole lines, and the number of lines."""
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
