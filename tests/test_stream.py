"""Documents read in pieces: the same as from the whole file, whatever the pieces; broken files."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgpt.data.corpus import Source, read
from microgpt.data.reader import plain, stream
from microgpt.data.reader.block import Block
from microgpt.data.reader.lines import pieces
from microgpt.data.reader.skipped import Skipped, Tally
from microgpt.data.reader.stream import Stream
from microgpt.errors import DataError, UsageError
from tests.conftest import examples

Write = Callable[[str, bytes], str]
ENDS = ["\n", "\r\n", "\r"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return file


def blocks(file: str, **how: Any) -> tuple[list[Block], list[str]]:
    """Return the blocks of a file, and the warnings."""
    said: list[str] = []
    return list(Stream(file, Source(files=(file,), **how), Skipped(said.append))), said


def texts(file: str, **how: Any) -> list[str]:
    found, said = blocks(file, **how)
    assert said == []
    return [text for block in found for text in block.texts]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "cp037"])
def test_pieces_of_any_size_give_the_lines_of_the_whole_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, encoding: str
) -> None:
    monkeypatch.setattr(stream, "BYTES", size)
    monkeypatch.setattr(stream, "_AT_ONCE", size)
    rng = random.Random(size)
    words = ["", " ", "anna", "\xe9t\xe9", "a\x0cb", "x" * 20, "\x1c"]
    if encoding.startswith("utf"):
        words += ["\u2028", "\U0001f600", "\x85"]
    text = "".join(rng.choice(words) + rng.choice(ENDS) for _ in range(60)) + rng.choice(words)
    file = write("a.txt", text.encode(encoding))
    # Python's own reading of line ends.
    kept = [line for line in io.StringIO(text, newline=None).read().split("\n") if line.strip()]
    assert texts(file, encoding=encoding) == kept
    assert list(read(Source(files=(file,), encoding=encoding)).documents) == kept


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_tables_and_objects_are_read_as_they_are_at_once_and_keep_their_columns(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(stream, "BYTES", size)
    rows = [["1", "anna"], ["2", 'o, "b"\nc'], ["3", " "], ["4", "\xe9"], ["5", "x\r\ny\rz"]]
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("id", "name"), *rows])
    whole = list(csv.DictReader(io.StringIO(table.getvalue(), newline="")))
    file = write("a.csv", table.getvalue().encode())
    found, said = blocks(file, column="name")
    assert said == []
    kept = [row for block in found for row in block.objects]
    assert kept == [row for row in whole if row["name"].strip()]
    assert [text for block in found for text in block.texts] == [row["name"] for row in kept if row]
    assert {tuple(block.columns) for block in found} == {("id", "name")}
    assert sum(block.blank for block in found) == 1
    as_it_stands = "".join(str(row) for block in found for row in block.rows)
    assert as_it_stands == table.getvalue().replace("id,name\r\n", "").replace("3, \r\n", "")

    lines = [json.dumps({"n": n, "text": text}) for n, text in rows]
    array = "[" + ",\n ".join(lines) + "]\n"
    for name, data in (("a.jsonl", "\n".join(lines)), ("a.json", array)):
        found, said = blocks(write(name, data.encode()))
        assert said == []
        assert [text for block in found for text in block.texts] == [row["name"] for row in kept]
        assert [row and row["n"] for block in found for row in block.objects] == list("1245")


def test_a_gzipped_file_is_unpacked_and_a_damaged_one_told_of(write: Write) -> None:
    packed = gzip.compress(b"anna\nbob\n" * 100)
    assert texts(write("a.txt.gz", packed)) == ["anna", "bob"] * 100
    assert texts(write("strange", packed)) == ["anna", "bob"] * 100
    with pytest.raises(DataError, match=r"cut.gz: damaged gzip data \("):
        blocks(write("cut.gz", packed[:-9]))


def test_what_is_broken_is_told_with_its_line_and_skipped(write: Write) -> None:
    found, said = blocks(write("a.txt", b"anna\n\xffx\n\nbob\nal\xc3\n\xc3\xa9\n"))
    assert [b.texts for b in found] == [["anna", "bob", "\xe9"]]
    assert found[0].blank == 1
    assert [line.split(": ", 1)[1] for line in said] == [
        "line 2: not utf-8 (0xff). Try --encoding latin-1, or the one it was written in. Skipped.",
        "line 5: not utf-8 (0xc3). Skipped.",
    ]
    found, said = blocks(write("a.jsonl", b'{"text": "anna"}\n[1]\n{\n{"text": 3}\n{"text": "b"}'))
    assert [t for b in found for t in b.texts] == ["anna", "b"]
    assert [line.split(": ")[1] for line in said] == ["line 2", "line 3", "line 4"]


def test_a_line_without_end_is_broken_and_the_next_one_is_not(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BYTES", 8)
    monkeypatch.setattr(stream, "LONGEST", 50)
    for end in ENDS:
        data = f"anna{end}{'x' * 333}{end}bob{end}\xe9{end}".encode() + b"\xff"
        found, said = blocks(write("a.txt", data))
        assert [t for b in found for t in b.texts] == ["anna", "bob", "\xe9"]
        assert [line.split(": ", 1)[1] for line in said] == [
            "line 2: longer than 50 bytes. Skipped.",
            "line 5: not utf-8 (0xff). Try --encoding latin-1, or the one it was written in. "
            "Skipped.",
        ]


@pytest.mark.parametrize(
    ("how", "head", "row"),
    [
        ({}, "", "{}"),
        ({"column": "b"}, "a,b\n", "1,{}"),
        ({"field": "text"}, "", '{{"text":"{}"}}'),
    ],
)
def test_of_a_pipe_comes_what_has_come(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], head: str, row: str
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as sink:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(source))
        sink.write(f"{head}{row.format('anna')}\n{row.format('bob')[:-1]}".encode())
        # If nothing came before the end, the test would wait for ever.
        late = threading.Timer(20, sink.close)
        late.start()
        found = iter(Stream("-", Source(files=("-",), **how), Skipped(pytest.fail)))
        assert next(found).texts == ["anna"]
        late.cancel()
        sink.write(f"{row.format('bob')[-1]}\n".encode())
        assert next(found).texts == ["bob"]
        sink.close()
        assert [block.texts for block in found if block.texts] == []


def test_bad_files_are_one_sentence(write: Write) -> None:
    for file, kept, said in (
        ("nowhere", {}, "nowhere: no such file."),
        (write("a.csv", b"a,b\n1,2\n"), {}, "has columns a, b. Say which with --column NAME."),
        (write("a.csv", b"a,b\n1,2\n"), {"column": "c"}, 'no column "c". It has a, b.'),
        (write("a.txt", b"a\n"), {"encoding": "utf-99"}, "encoding must be one that Python knows"),
        (write("odd.txt", b"\xff\xfea"), {"encoding": "utf-16"}, "not utf-16"),
    ):
        with pytest.raises((DataError, UsageError)) as error:
            blocks(file, **kept)
        assert said in str(error.value)
        assert "\n" not in str(error.value)


odd_lines = st.lists(
    st.text(
        st.sampled_from("ab \t\n\r\x0b\x1c\x85\xa0\u1680\u2003\u2028\u3000é😀\ufeff"), max_size=6
    )
    | st.sampled_from(["", "\udcff", "a\udce9", "\r", "x" * 40])
)


@settings(max_examples=examples(300))
@given(
    odd_lines,
    st.integers(1, 9),
    st.sampled_from(["utf-8", "latin-1", "utf-16"]),
    st.sampled_from([math.inf, 25]),
)
def test_plain_text_by_arrays_is_plain_text_line_by_line(lines, size, encoding, longest) -> None:  # type: ignore[no-untyped-def]
    # Half a surrogate pair is a byte that is no UTF-8, which any byte is that is read as latin-1.
    written, errors = ("utf-16", "surrogatepass"), ("utf-8", "surrogateescape")
    data = "\n".join(lines).encode(*(written if encoding == "utf-16" else errors))
    told: list[list[str]] = []
    found: list[object] = []
    for by_arrays in (True, False):
        said: list[str] = []
        tally = Tally("t", Skipped(said.append))
        chunks = (data[i : i + size] for i in range(0, len(data), size))
        try:
            if by_arrays:
                its = list(plain.blocks(chunks, "t", encoding, tally, longest))
            else:
                some = pieces(chunks, "t", encoding, longest=longest)
                its = [plain.one_by_one(piece, tally) for piece in some]
            texts = [text for block in its for text in block.texts]
            blank = [(block.blank, block.blank_characters) for block in its]
            rows = [(*block.rows, *block.numbers, *block.left_out) for block in its]
            found.append((texts, [*map(sum, zip(*blank))], rows if longest < math.inf else []))
        except DataError as error:
            found.append(str(error))
        told.append(said)
    assert found[0] == found[1]
    assert told[0] == told[1]
