"""Plain text into documents, a block at a time: by arrays, without a string for each line.

In: the bytes of a file as they come. Out: `Block`s, the same that lines taken one by one make. So
are taken those that are no text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from microgpt.data.reader.block import Block, Found
from microgpt.data.reader.lines import MARK, Piece, add, by_bytes, decoded, whole_lines
from microgpt.data.reader.skipped import Tally
from microgpt.data.texts import Texts

# How white space begins in UTF-8: all of it in ASCII, U+0085 and U+00A0, U+1680, U+2000 and the
# like, U+3000.
_BLANK = np.isin(np.arange(256), [*range(9, 14), *range(28, 33), 0xC2, 0xE1, 0xE2, 0xE3])


def blocks(chunks: Iterator[bytes], name: str, encoding: str, tally: Tally) -> Iterator[Block]:
    """Yield the documents of a file whose lines may be of any length.

    Args:
        chunks: its bytes.
        name: of the file.
        encoding: of the text.
        tally: of what is skipped.

    Raises:
        DataError: in an encoding whose line ends are no bytes of their own, it is no text.
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
    """Return the documents of lines; what is no text is skipped."""
    texts = piece.lines
    for at, (why, remedy) in piece.spoilt.items():
        tally.skip(f"line {piece.number + at}", why, remedy)
    if piece.spoilt:
        texts = [text for at, text in enumerate(texts) if at not in piece.spoilt]
    # Nearly always none is blank, which is seen sooner than each line is looked at.
    if "" not in texts and not any(map(str.isspace, texts)):
        return Block(texts, [None] * len(texts))
    found = Found()
    for text in texts:
        found.add(text, None)
    return found.block(("text",))


def _one_by_one(data: bytes, encoding: str, number: int, tally: Tally) -> tuple[Block, int]:
    piece = Piece(number, [], {})
    add(piece, data, encoding, as_they_stand=False)
    if number == 1:
        piece.lines[0] = piece.lines[0].removeprefix(MARK)
    return one_by_one(piece, tally), len(piece.lines)


def _at_once(text: str) -> tuple[Block, int]:
    """Return the documents of whole lines, and how many lines they are."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    buffer = np.frombuffer(text.encode(), dtype=np.uint8)
    stops = np.flatnonzero(buffer == ord("\n")) + 1
    lines = Texts(buffer, np.concatenate([np.zeros(1, np.int64), stops]))
    # A blank line begins as white space does, or has nothing before its end.
    is_empty = lines.sizes == 0
    doubtful = np.flatnonzero(_BLANK[buffer[lines.starts[:-1]]] & ~is_empty)
    blank = [at for at in map(int, doubtful) if not lines[at].strip()]
    is_empty[blank] = True
    if not is_empty.any():
        return Block(lines, ()), len(lines)
    characters = sum(len(lines[at]) for at in blank)
    others = lines.take(np.flatnonzero(~is_empty))
    return Block(others, (), int(is_empty.sum()), characters), len(lines)
