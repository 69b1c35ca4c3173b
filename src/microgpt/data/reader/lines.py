"""Bytes to lines: decoded and split in pieces, so that a file need not fit in memory.

In: the bytes of a file in chunks, and its encoding. Out: `Piece`s of numbered lines. A line that
cannot be decoded or is too long is marked as broken, and reading goes on behind it. Lines end at
LF, CRLF or CR only: str.splitlines would also split at U+2028, form feeds and the like, which are
characters of a document.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from microgpt.data.reader.signs import remedy_for
from microgpt.errors import DataError

_LINE_END = re.compile(r"\r\n|\n|\r")
_BYTES_END = re.compile(rb"\r\n|\n|\r")
_BYTES_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
MARK = "\ufeff"
"""The byte order mark: at the beginning of a file it is not part of the text."""


class Spoilt(NamedTuple):
    """Why a line cannot be read, and the remedy to suggest."""

    why: str
    remedy: str = ""


@dataclass(frozen=True)
class Piece:
    """Consecutive lines of a file.

    Attributes:
        number: the first line's number in the file, from 1.
        lines: with or without line ends, as `pieces` was asked for.
        spoilt: why a line cannot be read, by its index in `lines`.
    """

    number: int
    lines: list[str]
    spoilt: dict[int, Spoilt]


def lines(text: str) -> list[str]:
    r"""Split text at LF, CRLF and CR only; a line end at the end of the text starts no new line.

    >>> lines("a\u2028b\r\nc\rd\n")
    ['a\u2028b', 'c', 'd']
    """
    parts = _LINE_END.split(text) if "\r" in text else text.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def with_ends(text: str) -> list[str]:
    r"""Split text as `lines` does, and keep the line ends.

    >>> with_ends("a\u2028b\r\nc\rd\n")
    ['a\u2028b\r\n', 'c\r', 'd\n']
    """
    return list(io.StringIO(text, newline=""))


def joined(text: str) -> str:
    r"""Replace every CRLF and CR by LF.

    >>> joined("a\r\nb\rc")
    'a\nb\nc'
    """
    return _LINE_END.sub("\n", text) if "\r" in text else text


def pieces(
    chunks: Iterator[bytes],
    name: str,
    encoding: str,
    *,
    longest: float,
    as_they_stand: bool = False,
) -> Iterator[Piece]:
    """Yield the lines of a file.

    Args:
        chunks: the file's bytes.
        name: the file's name, for messages.
        encoding: of the text.
        longest: the most bytes of a line; a longer one is marked as broken.
        as_they_stand: keep the line ends, and the byte order mark of the first line.

    Raises:
        DataError: the bytes cannot be decoded, in an encoding such as UTF-16 in which lines cannot
            be split before decoding: no line can be skipped there.
    """
    chunks, encoding = by_bytes(chunks, name, encoding)
    number = 1
    for data, too_long in whole_lines(chunks, longest):
        some = Piece(number, [], {})
        add(some, data, encoding, longest if too_long else None, as_they_stand=as_they_stand)
        yield some
        number += len(some.lines)


def by_bytes(chunks: Iterator[bytes], name: str, encoding: str) -> tuple[Iterator[bytes], str]:
    """Return chunks that can be split at the bytes CR and LF, and their encoding.

    Text in an encoding such as UTF-16, where these bytes occur in other characters, is recoded to
    UTF-8.

    Raises:
        DataError: such text cannot be decoded.
    """
    if "\r\n".encode(encoding) == b"\r\n":
        return chunks, encoding
    texts = decoded_texts(chunks, name, encoding)
    return (text.encode("utf-8", "surrogatepass") for text in texts), "utf-8"


def whole_lines(chunks: Iterator[bytes], longest: float) -> Iterator[tuple[bytes, bool]]:
    """Yield blocks of whole lines, and whether the first of each was too long.

    Args:
        chunks: the bytes of a file.
        longest: the most bytes of a line; of a longer one only the end is yielded.
    """
    held, size, too_long = list[bytes](), 0, False
    for data in chain(chunks, [b""]):  # b"": the end of the file
        # A CR at the end of a chunk may be the first half of a CRLF.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        if data and not cut:
            held.append(data)
            size += len(data)
            if size > longest:
                held, size, too_long = [data[-1:]], 0, True
            continue
        whole = b"".join([*held, data[:cut]])
        held, size = [data[cut:]], len(data) - cut
        if whole:
            yield whole, too_long
            too_long = False


def add(
    piece: Piece, data: bytes, encoding: str, longest: float | None = None, *, as_they_stand: bool
) -> None:
    """Decode whole lines and add them to a piece; mark those that cannot be read.

    Args:
        piece: of the file, still empty.
        data: the lines.
        encoding: of the text.
        longest: the most bytes of a line, if the first has more; else None.
        as_they_stand: keep the line ends, and the byte order mark of the first line.
    """
    if longest is not None:
        piece.lines.append("\n" if as_they_stand else "")
        piece.spoilt[0] = Spoilt(f"longer than {longest:,} bytes.")
        end = _BYTES_END.search(data)
        data = data[end.end() if end else len(data) :]
    try:
        text = decoded(data, encoding)
        piece.lines.extend(with_ends(text) if as_they_stand else lines(text))
    except UnicodeError:
        remedy = remedy_for(data, encoding)
        for found in _BYTES_LINE.findall(data):
            line = found if as_they_stand else found.rstrip(b"\r\n")
            try:
                piece.lines.append(decoded(line, encoding))
            except UnicodeError as error:
                which = _which(error)
                piece.spoilt[len(piece.lines)] = Spoilt(f"not {encoding}{which}.", remedy)
                piece.lines.append(line.decode("latin-1"))
    if piece.number == 1 and not as_they_stand:
        piece.lines[0] = piece.lines[0].removeprefix(MARK)


def decoded(data: bytes, encoding: str) -> str:
    """Decode bytes; raise UnicodeError if they are not text in the encoding.

    >>> decoded("café".encode("latin-1"), "latin-1")
    'café'
    """
    text = data.decode(encoding)
    if encoding != "utf-8":
        text.encode()  # raises for a lone surrogate, which some encodings such as UTF-7 can hold
    return text


def _which(error: UnicodeError) -> str:
    is_byte = isinstance(error, UnicodeDecodeError)
    return f" (0x{error.object[error.start]:02x})" if is_byte else ""


def whole(data: bytes, name: str, encoding: str) -> str:
    """Decode all bytes of a file and remove the byte order mark.

    Raises:
        DataError: they cannot be decoded; the message has the line and the byte.
    """
    try:
        return decoded(data, encoding).removeprefix(MARK)
    except UnicodeError as error:
        if not isinstance(error, UnicodeDecodeError):
            raise DataError(f"{name}: not {encoding} ({error}).") from None
        before = data[: error.start].decode(encoding, "replace")
        raise DataError(
            f"{name}: line {len(_LINE_END.split(before))}, byte {error.start}: "
            f"not {encoding}{_which(error)}. {remedy_for(data, encoding)}"
        ) from None


def decoded_texts(chunks: Iterator[bytes], name: str, encoding: str) -> Iterator[str]:
    """Decode the chunks of a file, without regard to lines.

    Raises:
        DataError: they cannot be decoded.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        for data in chain(chunks, [b""]):
            if text := decoder.decode(data, final=not data):
                yield text
    except LookupError:
        raise DataError(f"{name}: {encoding} cannot be read a part at a time.") from None
    except UnicodeError as error:
        raise DataError(f"{name}: not {encoding} ({error}).") from None
