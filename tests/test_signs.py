"""Detecting from a file's first bytes that it is in another encoding, or no text at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pytest

from microgpt.data.corpus import Source, read
from microgpt.errors import DataError


def written(name: str, data: bytes) -> str:
    Path(name).write_bytes(data)
    return name


def said(data: bytes, name: str = "t.txt", encoding: str = "utf-8") -> str:
    with pytest.raises(DataError) as caught:
        read(Source(files=(written(name, data),), encoding=encoding))
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["", "-le", "-be"])
def test_text_with_the_mark_of_its_encoding_is_read_in_it(encoding: str, order: str) -> None:
    for name, text in (("t.txt", "zoë\r\n日本\n"), ("t.csv", "id,name\n1,zoë\n2,日本\n")):
        file = written(name, ("\ufeff" * bool(order) + text).encode(encoding + order))
        column = "name" if name == "t.csv" else None
        found = read(Source(files=(file,), column=column))
        assert found.documents == ("zoë", "日本")
        assert found.notes == (
            f"{name}: its first bytes are the mark of {encoding}, which it is read in.",
        )
        named = read(Source(files=(file,), column=column, encoding=encoding))
        assert (named.documents, named.notes) == (found.documents, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_text_without_that_mark_is_not_learnt_with_its_nuls(encoding: str) -> None:
    data = "zoe\r\nava mia\r\nemma\n".encode(encoding)
    assert said(data) == (
        f"t.txt: not utf-8: NUL bytes stand between the others, as in {encoding}. "
        f"Try --encoding {encoding}."
    )
    named = read(Source(files=("t.txt",), encoding=encoding))
    assert named.documents == ("zoe", "ava mia", "emma")
    # A NUL here and there is a character of the text.
    file = written("t.txt", b"zoe\0ava\0mia\nemma\0lea\n")
    assert read(Source(files=(file,))).documents == ("zoe\0ava\0mia", "emma\0lea")


def packed(what: str) -> bytes:
    text, buffer = b"emma\nava\n" * 50, io.BytesIO()
    if what == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("names.txt", text)
        return buffer.getvalue()
    if what == "sqlite":
        with sqlite3.connect("t.db") as database:
            database.execute("create table if not exists names (name)")
        database.close()
        return Path("t.db").read_bytes()
    if what == "numpy":
        np.save(buffer, np.arange(9))
        return buffer.getvalue()
    return {
        "gzip": gzip.compress(gzip.compress(text)),
        "xz": lzma.compress(text),
        "bzip2": bz2.compress(text),
        "zstd": gzip.compress(b"\x28\xb5\x2f\xfd\x24\x09\x49\x00\x00emma\nava\n"),
        "parquet": b"PAR1\x15\x04\x15\x14\x15\x18L\x15\x02\x15\x00\x12\x00\x00",
        "pdf": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    }[what]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("gzip", "gzip data twice over, not text. Unpack it first, with gzip -dc."),
        ("xz", "xz data, not text. Unpack it first, with xz -dc."),
        ("bzip2", "bzip2 data, not text. Unpack it first, with bzip2 -dc."),
        ("zstd", "zstd data twice over, not text. Unpack it first, with zstd -dc."),
        ("zip", "a ZIP archive, not text. Unpack it first, or, if it is a workbook, save it as "
         "CSV."),
        ("parquet", "a Parquet file, not text. Name it .parquet, by which it is read as one."),
        ("sqlite", "an SQLite database, not text. Write its text as .txt, .csv or .jsonl "
         "first."),
        ("numpy", "a NumPy array, not text. Write its text as .txt, .csv or .jsonl first."),
        ("pdf", "a PDF, not text. Write its text as .txt, .csv or .jsonl first."),
    ],
)  # fmt: skip
def test_what_is_no_text_is_called_by_its_name(what: str, sentence: str) -> None:
    for name in ("t.txt", "t.csv", "t.jsonl"):
        assert said(packed(what), name) == f"{name}: {sentence}"
        assert said(packed(what), name, "latin-1") == f"{name}: {sentence}"


def test_text_that_begins_like_something_else_is_text() -> None:
    for start in ("PK\x03", "PAR1", "BZh", "ORC", "%PDF-1.4", "GIF8", "Obj", "Rar!", "ARROW1"):
        start = start.rstrip("\x03")
        file = written("t.txt", f"{start} emma\nava\n".encode())
        assert read(Source(files=(file,))).documents == (f"{start} emma", "ava")


def test_gzip_under_any_name_is_unpacked() -> None:
    file = written("t.txt", gzip.compress(b"emma\nava\n"))
    assert read(Source(files=(file,))).documents == ("emma", "ava")
    file = written("t.csv", gzip.compress("id,name\n1,zoë\n".encode("utf-16")))
    assert read(Source(files=(file,), column="name")).documents == ("zoë",)


@pytest.mark.parametrize(
    "encoding", ["undefined", "rot13", "base64", "klingon", "utf-7", "idna", "punycode", "mbcs",
                 "raw_unicode_escape", "unicode_escape", "hz", "iso2022_jp", "cp037", "\0"],
)  # fmt: skip
def test_any_encoding_reads_or_is_refused_in_one_sentence(encoding: str) -> None:
    file = written("t.txt", b"emma\n\\ud800 +2AA- \xff ~{\x1b$B\nava\n" * 3)
    for stream in (False, True):
        try:
            found = read(Source(files=(file,), encoding=encoding, stream=stream))
            assert len(found.fingerprint) == 32
        except (DataError, ValueError) as error:
            assert type(error).__name__ in ("DataError", "UsageError")
            assert "\n" not in str(error)
