"""Bytes into lines, some at a time: what is no text, or too long, is marked and ends nothing.

In: the bytes of a file as they come, in an encoding. Out: `Piece`s of numbered lines. Lines end at
LF, CRLF or CR, and nowhere else: U+2028, form feeds and the like are characters of the text, where
str.splitlines would end a line.
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
"""Of the order of bytes; at the beginning of a file it is none of its characters."""


class Spoilt(NamedTuple):
    """Why a line cannot be read, and what may help."""

    why: str
    remedy: str = ""


@dataclass(frozen=True)
class Piece:
    """Some lines in the order of the file.

    Attributes:
        number: of the first one.
        lines: without their ends, or as they stand.
        spoilt: those of them that are no text, by their place.
    """

    number: int
    lines: list[str]
    spoilt: dict[int, Spoilt]


def lines(text: str) -> list[str]:
    r"""Split at LF, CRLF and CR only; a line end at the very end starts no further line.

    >>> lines("a\u2028b\r\nc\rd\n")
    ['a\u2028b', 'c', 'd']
    """
    parts = _LINE_END.split(text) if "\r" in text else text.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def with_ends(text: str) -> list[str]:
    r"""Split as `lines` does, and leave the ends where they are.

    >>> with_ends("a\u2028b\r\nc\rd\n")
    ['a\u2028b\r\n', 'c\r', 'd\n']
    """
    return list(io.StringIO(text, newline=""))


def joined(text: str) -> str:
    r"""Write every line end as LF.

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
        chunks: its bytes.
        name: of the file.
        encoding: of the text.
        longest: a line of more bytes is spoilt.
        as_they_stand: with their ends, and the first one with its byte order mark.

    Raises:
        DataError: in an encoding whose line ends are no bytes of their own, it is no text.
    """
    chunks, encoding = by_bytes(chunks, name, encoding)
    number = 1
    for data, too_long in whole_lines(chunks, longest):
        some, rest = Piece(number, [], {}), data
        if too_long:
            some.lines.append("\n" if as_they_stand else "")
            some.spoilt[0] = Spoilt(f"longer than {longest:,} bytes.")
            end = _BYTES_END.search(data)
            rest = data[end.end() if end else len(data) :]
        add(some, rest, encoding, as_they_stand=as_they_stand)
        if number == 1 and not as_they_stand:
            some.lines[0] = some.lines[0].removeprefix(MARK)
        yield some
        number += len(some.lines)


def by_bytes(chunks: Iterator[bytes], name: str, encoding: str) -> tuple[Iterator[bytes], str]:
    """Return chunks, and their encoding, whose line ends are bytes of their own.

    Raises:
        DataError: what comes is no text in an encoding where they are not.
    """
    if "\r\n".encode(encoding) == b"\r\n":
        return chunks, encoding
    # Nothing can be cut before it is decoded.
    texts = decoded_texts(chunks, name, encoding)
    return (text.encode("utf-8", "surrogatepass") for text in texts), "utf-8"


def whole_lines(chunks: Iterator[bytes], longest: float) -> Iterator[tuple[bytes, bool]]:
    """Yield whole lines, some at a time, and whether of the first only the end has been kept.

    Args:
        chunks: the bytes of a file.
        longest: of a line of more bytes only the end is kept.
    """
    held, size, too_long = list[bytes](), 0, False
    for data in chain(chunks, [b""]):  # which is the end
        # A return at the very end may be half of a line's end.
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


def add(piece: Piece, data: bytes, encoding: str, *, as_they_stand: bool) -> None:
    """Add lines to a piece."""
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


def decoded(data: bytes, encoding: str) -> str:
    """Decode bytes; a UnicodeError if they are no text."""
    text = data.decode(encoding)
    if encoding != "utf-8":
        text.encode()  # some encodings can write halves of a surrogate pair
    return text


def _which(error: UnicodeError) -> str:
    is_byte = isinstance(error, UnicodeDecodeError)
    return f" (0x{error.object[error.start]:02x})" if is_byte else ""


def whole(data: bytes, name: str, encoding: str) -> str:
    """Return all of a file as text, without its byte order mark.

    Raises:
        DataError: it is not in the encoding; the line and the byte are named.
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
    """Yield text as it comes, without regard to lines.

    Raises:
        DataError: it is not in the encoding.
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
