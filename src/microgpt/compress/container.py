"""The compressed file: a header, then the code.

::

    4   "mgpt"
    1   the format, 2: windows overlap
    8   a hash of all that follows
    8   a hash of the original file
    8   the run, and
    8   the probe, as in `Identity`
    .   the build: its length, then its text
    .   the form, the file's length, windows, lanes, first tokens, each a number
    .   the code of the arithmetic coder

A number has seven bits a byte, the lowest first; the top bit is set on all its bytes but the last.
The first tokens are those before each lane; there are none if that is BOS for all lanes.

In: a `Header` and a code. Out: bytes; and back, or an error if the file is damaged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from microgpt.compress.identity import DIGEST, Identity
from microgpt.compress.text import FileForm
from microgpt.errors import DataError

MAGIC = b"mgpt"
FORMAT = 2
_SUM_FROM = len(MAGIC) + 1
_SUM_TO = _SUM_FROM + DIGEST

_LONGEST_BUILD = 255  # a message may show it

# The most bytes of a number: 63 bits.
_LONGEST = 9


@dataclass(frozen=True)
class Header:
    """The header of a compressed file.

    Attributes:
        identity: the model, build and processor that compressed it.
        content: a hash of the original file.
        form: the original file's byte order mark and line ends.
        size: the original file's bytes.
        windows: how many windows its documents make.
        lanes: among how many lanes the windows are divided.
        firsts: the token before each lane; empty: BOS before all.
    """

    identity: Identity
    content: bytes
    form: FileForm
    size: int
    windows: int
    lanes: int
    firsts: tuple[int, ...]


def digest(data: bytes) -> bytes:
    """Return a hash."""
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def pack(header: Header, code: bytes) -> bytes:
    """Return the compressed file."""
    build = header.identity.build.encode()
    numbers = (
        header.form.to_number(), header.size, header.windows, header.lanes,
        len(header.firsts), *header.firsts,
    )  # fmt: skip
    parts = (
        header.content, header.identity.run, header.identity.probe,
        _number(len(build)), build, *map(_number, numbers), code,
    )  # fmt: skip
    rest = b"".join(parts)
    return MAGIC + bytes([FORMAT]) + digest(rest) + rest


def unpack(data: bytes, name: str) -> tuple[Header, bytes]:
    """Return header and code of a compressed file.

    Raises:
        DataError: the file was not compressed by microgpt, or is damaged.
    """
    if not data.startswith(MAGIC):
        raise DataError(
            f"{name}: not compressed by microgpt. Expected what microgpt compress has written."
        )
    if data[len(MAGIC) : _SUM_FROM] != bytes([FORMAT]):
        got = data[len(MAGIC)] if len(data) > len(MAGIC) else "none"
        raise DataError(
            f"{name}: the format must be {FORMAT}; got {got}. Try the microgpt that made it."
        )
    rest = data[_SUM_TO:]
    if data[_SUM_FROM:_SUM_TO] != digest(rest):
        raise DataError(
            f"{name}: damaged: its checksum is not that of its bytes. Try another copy."
        )
    try:
        return _read(rest)
    except ValueError:
        raise DataError(f"{name}: foreign: its header is not as microgpt writes it.") from None


def _read(rest: bytes) -> tuple[Header, bytes]:
    reader = _Reader(rest)
    content, run, probe = (reader.take(DIGEST) for _ in range(3))
    length = reader.number()
    if length > _LONGEST_BUILD:
        raise ValueError
    build = reader.take(length).decode()
    form = FileForm.from_number(reader.number())
    size, windows, lanes, several = (reader.number() for _ in range(4))
    # Every window is at least one byte of the file, except the end of the last document.
    if windows > size + 1 or not (1 <= lanes <= windows or lanes == windows == 0):
        raise ValueError
    if several not in (0, lanes):
        raise ValueError
    firsts = tuple(reader.number() for _ in range(several))
    header = Header(Identity(run, build, probe), content, form, size, windows, lanes, firsts)
    return header, reader.rest()


def _number(number: int) -> bytes:
    """Write a number, seven bits a byte.

    >>> _number(300).hex()
    'ac02'
    """
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


class _Reader:
    """Reads one part after the other; raises ValueError if the data ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, length: int) -> bytes:
        part = self._data[self._at : self._at + length]
        if len(part) < length:
            raise ValueError
        self._at += length
        return part

    def number(self) -> int:
        number = 0
        for place in range(_LONGEST):
            byte = self.take(1)[0]
            number |= (byte & 127) << 7 * place
            if byte < 128:
                return number
        raise ValueError

    def rest(self) -> bytes:
        return self._data[self._at :]
