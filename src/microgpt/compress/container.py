"""The compressed file: a header that says what it is, then the code.

::

    4   "mgpt"
    1   the format, 1
    8   a hash of all that follows
    8   a hash of what was compressed
    8   the run, and
    8   the probe, as in `Identity`
    .   the build: its length, then words
    .   the form, the file's length, windows, lanes, first tokens, each a number
    .   the code of the arithmetic coder

A number is seven bits a byte, the lowest first, the top bit set on all its bytes but the last. The
first tokens are those that the lanes begin after, or none if that is BOS for all.

In: a `Header` and a code. Out: bytes; and back, where whatever is damaged is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from microgpt.compress.identity import DIGEST, Identity
from microgpt.compress.text import FileForm
from microgpt.errors import DataError

MAGIC = b"mgpt"
FORMAT = 1
_SUM_FROM = len(MAGIC) + 1
_SUM_TO = _SUM_FROM + DIGEST

_LONGEST_BUILD = 255  # it may have to be shown

# Seven bits a byte: no number has more than 63 bits.
_LONGEST = 9


@dataclass(frozen=True)
class Header:
    """All that the code does not say.

    Attributes:
        identity: who computed it.
        content: a hash of the file that was compressed.
        form: what that is beside its documents.
        size: its bytes.
        windows: of the block's length at most, how many its documents make.
        lanes: in how many rows these stand.
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
        DataError: it is none, or is damaged.
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
    # A window is a byte of the file at least; but one that no byte is: the last end.
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
    """Reads parts one after the other; a ValueError where they end too early."""

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
