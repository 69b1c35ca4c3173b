"""What the first bytes of a file say: its encoding, or that it is not text.

In: the first bytes. Out: the encoding to read the file in, or a `DataError` that says what it is.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from microgpt.errors import DataError, UsageError

_AS_TEXT = "Write its text as .txt, .csv or .jsonl first."
_NAMED = "Name it .{}, by which it is read as one."

# (signature, kind of file, remedy).
_SIGNS = (
    (b"PAR1", "a Parquet file", _NAMED.format("parquet")),
    (b"ARROW1", "an Arrow file", _NAMED.format("arrow")),
    (b"ORC", "an ORC file", _AS_TEXT),
    (b"Obj\x01", "an Avro file", _AS_TEXT),
    (b"SQLite format 3\x00", "an SQLite database", _AS_TEXT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _AS_TEXT),
    (b"\x93NUMPY", "a NumPy array", _AS_TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.xls, .doc)", _AS_TEXT),
    (b"%PDF-", "a PDF", _AS_TEXT),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", _AS_TEXT),
    (b"\xff\xd8\xff", "a JPEG picture", _AS_TEXT),
    (b"GIF8", "a GIF picture", _AS_TEXT),
    (b"\x7fELF", "a program", _AS_TEXT),
    (b"\x1f\x8b", "gzip data twice over", "Unpack it first, with gzip -dc."),
    (b"BZh", "bzip2 data", "Unpack it first, with bzip2 -dc."),
    (b"\xfd7zXZ\x00", "xz data", "Unpack it first, with xz -dc."),
    (b"\x28\xb5\x2f\xfd", "zstd data twice over", "Unpack it first, with zstd -dc."),
    (b"\x04\x22\x4d\x18", "lz4 data", "Unpack it first, with lz4 -dc."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first."),
    (b"Rar!\x1a\x07", "a RAR archive", "Unpack it first."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it first, or, if it is a workbook, save it as CSV."),
)

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# Bytes that cp1252 does not define; in latin-1 they are rare control characters.
_NO_CP1252 = {0x81, 0x8D, 0x8F, 0x90, 0x9D}

# The fewest bytes on which the share of NUL bytes is judged.
_PATTERN = 16


def encoding_of(
    start: bytes, name: str, encoding: str, note: Callable[[str], None] = lambda _: None
) -> str:
    """Return the encoding of a file: that of its byte order mark, or else the one given.

    Args:
        start: the file's first bytes.
        name: the file's name, for messages.
        encoding: the one given.
        note: receives a sentence if a byte order mark overrides the encoding given.

    Raises:
        DataError: the file is not text, or in another encoding.
        UsageError: there is no such encoding.
    """
    try:
        known = codecs.lookup(encoding).name
        single = "\r\n".encode(encoding) == b"\r\n"
        b"a".decode(encoding, "ignore")  # raises for codecs that are no text encodings
    except (LookupError, ValueError):
        raise UsageError(f'encoding must be one that Python knows; got "{encoding}".') from None
    for sign, what, remedy in _SIGNS:
        if start.startswith(sign) and _is_binary(start):
            raise DataError(f"{name}: {what}, not text. {remedy}")
    if known in ("utf-8", "utf-8-sig"):
        for mark, marked in _MARKS:
            if start.startswith(mark):
                note(f"its first bytes are the mark of {marked}, which it is read in.")
                return marked
        encoding = "utf-8"  # also for "utf-8-sig": the reader removes the mark itself
    wide = _wide(start) if single else None
    if wide:
        raise DataError(
            f"{name}: not {encoding}: NUL bytes stand between the others, as in {wide}. "
            f"Try --encoding {wide}."
        )
    return encoding


def remedy_for(data: bytes, encoding: str) -> str:
    r"""Return the remedy to suggest where bytes cannot be decoded: another encoding.

    >>> remedy_for("caf\u00e9".encode("latin-1"), "utf-8")
    'Try --encoding latin-1, or the one it was written in.'
    """
    written = "the one it was written in."
    if encoding != "utf-8":
        return f"Try --encoding with {written}"
    escaped = data.decode("utf-8", "surrogateescape")
    odd = {ord(c) - 0xDC00 for c in escaped if "\udc80" <= c <= "\udcff"}
    if odd & _NO_CP1252:
        return f"Try --encoding with {written}"
    # Bytes 0x80 to 0x9F are quotation marks, dashes and the euro in cp1252, but control characters
    # in latin-1.
    return f"Try --encoding {'cp1252' if min(odd) < 0xA0 else 'latin-1'}, or {written}"


def _is_binary(start: bytes) -> bool:
    """Return whether bytes have control characters or are not UTF-8; the end may be cut off."""
    if any(byte < 9 or 13 < byte < 27 for byte in start):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return True
    return False


def _wide(start: bytes) -> str | None:
    """Return the UTF-16 or UTF-32 encoding that the NUL bytes suggest; None: there is none."""
    size = len(start) // 4 * 4
    if size < _PATTERN:
        return None
    # Text that is mostly ASCII has NUL bytes at fixed places of each four bytes.
    nulls = [start[at:size:4].count(0) / (size / 4) for at in range(4)]
    for encoding, pattern in (
        ("utf-32-le", (0, 1, 1, 1)),
        ("utf-32-be", (1, 1, 1, 0)),
        ("utf-16-le", (0, 1, 0, 1)),
        ("utf-16-be", (1, 0, 1, 0)),
    ):
        if all(share > 0.5 if is_null else share < 0.1 for share, is_null in zip(nulls, pattern)):
            return encoding
    return None
