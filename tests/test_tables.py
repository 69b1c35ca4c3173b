"""CSV and similar formats: strict quotes, other delimiters, malformed rows, detected headers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt.data.corpus import Corpus, Source, read
from microgpt.data.reader import stream
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.errors import DataError
from tests.conftest import examples

TRY = "Try --delimiter, or --quoting none."


def table(data: str | bytes, name: str = "t.csv", **how: Any) -> Corpus:
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)
    return read(Source(files=(name,), **how))


def test_a_quoted_cell_keeps_its_line_ends_byte_for_byte() -> None:
    data = 'id,text\r\n1,"ada wrote 12\r\nbob read 31"\r\n2,"a\rb\n\nc"\r\n3,x\r\n'
    assert table(data, column="text").documents == ("ada wrote 12\r\nbob read 31", "a\rb\n\nc", "x")


def test_a_stray_quote_costs_the_row_it_stands_in_and_no_other() -> None:
    rows = [f"{n},pipe {n}" for n in range(1, 5001)]
    rows[99] = '100,"12 inch pipe'
    found = table("\n".join(["id,text", *rows]), column="text")
    assert (len(found.documents), found.broken) == (4999, 1)
    assert found.notes == (
        't.csv: line 101: the quote that opens here is not closed where a cell ends; got "12 inch '
        f"pipe. {TRY} Skipped.",
    )
    # Another quote much later does not hide the first.
    rows[3999] = '4000,"quoted" or not'
    found = table("\r\n".join(["id,text", *rows]), column="text")
    assert (len(found.documents), found.broken) == (4998, 2)
    assert [note.partition(";")[0] for note in found.notes] == [
        "t.csv: line 101: the quote that opens here is not closed where a cell ends",
        "t.csv: line 4001: a quoted cell goes on after its closing quote",
    ]
    # The line is that of the stray quote, though the row begins before it.
    found = table('a,b,c\n1,"x\ny","z\n2,b,c\n3,d,e\n', column="b")
    assert found.documents == ("b", "d")
    assert found.notes[0].startswith("t.csv: line 3: the quote that opens here is not closed")


def test_a_quote_that_closes_before_the_cell_does_is_no_row() -> None:
    found = table('id,text\n1,"A" grade\n2,"B ""grade"""\n3,C "grade\n', column="text")
    assert found.documents == ('B "grade"', 'C "grade')
    assert found.notes == (
        f't.csv: line 2: a quoted cell goes on after its closing quote; got "A" grade. {TRY} '
        "Skipped.",
    )
    found = table('id\ttext\n1\t"A" grade\n2\t"12 inch\n', "t.tsv", column="text", quoting="none")
    assert (found.documents, found.broken) == (('"A" grade', '"12 inch'), 0)


def test_a_row_of_another_length_is_broken_and_told_with_its_line() -> None:
    found = table("part\nbolt, 7mm\nnut\n\nscrew\n")
    assert (found.documents, found.blank, found.broken) == (("nut", "screw"), 1, 1)
    assert found.notes[1] == (
        f"t.csv: line 2: expected 1 column, as in the heading; got 2. {TRY} Skipped."
    )
    found = table('id,part,x\n1,bolt, 7mm,y\n2,nut,z\n3,"a\nb"\n4,c,d\n', column="part")
    assert found.documents == ("nut", "c")
    assert [note.split(": ")[1] for note in found.notes] == ["line 2", "lines 4 to 5"]


def test_bytes_that_are_no_text_break_the_row_they_stand_in() -> None:
    found = table(b'id,text\n1,"a\n\xffb"\n2,c\n3,\xe9\n4,d\n', column="text")
    assert found.documents == ("c", "d")
    assert [note.split(" Try")[0] for note in found.notes] == [
        "t.csv: line 3: not utf-8 (0xff).",
        "t.csv: line 5: not utf-8 (0xe9). Skipped.",
    ]


def test_a_row_without_end_takes_no_more_than_its_line_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "LONGEST", 200)
    monkeypatch.setattr(stream, "BYTES", 64)
    rows = [f"{n},name {n}" for n in range(300)]
    rows[7] = '7,"stray'
    rows[200] = f"200,{'x' * 400}"
    Path("t.csv").write_text("\n".join(["id,text", *rows]))
    said: list[str] = []
    source = Source(files=("t.csv",), column="text")
    found = [t for b in Stream("t.csv", source, Skipped(said.append)) for t in b.texts]
    assert found == [f"name {n}" for n in range(300) if n not in (7, 200)]
    assert [line.partition(";")[0] for line in said] == [
        "t.csv: line 9: the quote that opens here is not closed where a cell ends",
        "t.csv: line 202: longer than 200 bytes. Skipped.",
    ]


def test_many_rows_between_two_quotes_are_told_of() -> None:
    rows = [f"{n},part {n}" for n in range(30)]
    rows[5], rows[20] = '5,"12 inch', '20,9 inch"'
    found = table("\n".join(["id,part", *rows]), column="part")
    assert found.notes == (
        "t.csv: lines 7 to 22 are one row, by their quotes, but look like rows of their own. "
        "If quotes are only characters, add --quoting none.",
    )
    letter = "\n".join(f"line {n}, and more, and more" for n in range(30))
    assert table(f'id,text\n1,"{letter}"\n', column="text").notes == ()


@pytest.mark.parametrize(("delimiter", "named"), [(";", '";"'), ("\t", "tab"), ("|", '"|"')])
def test_another_delimiter_that_the_first_lines_agree_on_is_said_and_used(
    delimiter: str, named: str
) -> None:
    rows = [["id", "text"], ["1", "a,b"], ["2", "c"], ["3", "7,5"]]
    data = "\n".join(map(delimiter.join, rows))
    found = table(data, column="text")
    assert found.documents == ("a,b", "c", "7,5")
    assert found.notes == (
        f"t.csv: its cells are taken to end at {named}, as its first lines have it. "
        'If that is wrong, add --delimiter ",".',
    )
    told = table(data, column="text", delimiter=delimiter)
    assert (told.documents, told.notes) == (found.documents, ())
    assert table(data, "t.txt", column="2", delimiter=delimiter).documents == found.documents
    assert table(data, "t.txt", delimiter=delimiter, column="text").documents == found.documents


@pytest.mark.parametrize(
    "data",
    [
        "id,text\n1,a;b\n2,c;d\n",  # the heading has none
        "text\na;b\nc;d\n",
        "text;mine\na\nb;c;d\ne\n",  # the rows do not agree
        "id,text;x\n1,a;b\n2,c;d\n",  # commas do as well
        "id,text\n",
    ],
)
def test_a_comma_stays_one_where_nothing_else_splits_better(data: str) -> None:
    heading, *rows = csv.reader(io.StringIO(data))
    Path("t.csv").write_text(data)
    said: list[str] = []
    source = Source(files=("t.csv",), column=heading[-1])
    found = [t for b in Stream("t.csv", source, Skipped(said.append)) for t in b.texts]
    assert found == [row[-1] for row in rows]
    assert said == []


def test_what_is_odd_about_headings_is_said() -> None:
    like = "looks like the rows below it, and is taken for headings."
    for data, column, notes in (
        ("emma\nava\n", None, ["its first line (emma) is taken for the heading of its one "
         "column."]),
        ("text\nava\n", "text", []),
        ("1,emma,F\n2,ava,M\n", "2", [f"its first line (1, emma, F) {like}"]),
        ("x,emma,F\ny,ava,F\n", "2", [f"its first line (x, emma, F) {like}"]),
        ("id,name,sex\n1,ava,F\n", "2", []),
        ("name,2019,2020\nava,3,5\n", "name", []),
        ("a,b,a\n1,2,3\n", "b", ['the heading "a" stands over columns 1, 3; by this name the first '
         "is meant. The others can be had by --column NUMBER."]),
    ):  # fmt: skip
        assert table(data, column=column).notes == tuple(f"t.csv: {note}" for note in notes)


def test_a_heading_that_is_no_row_ends_the_reading() -> None:
    with pytest.raises(DataError, match=r"^t\.csv: line 1: the quote that opens here is not cl"):
        table('id,"text\n1,a\n2,b\n', column="1")


cell = st.text(st.sampled_from('ab,;"\r\n \u2028é'), max_size=6)


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(cell, min_size=2, max_size=2), max_size=8), st.integers(1, 9))
def test_what_a_library_has_written_is_read_as_it_was(rows: list[list[str]], size: int) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows([["a", "text"], *rows, ["1", "end"]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_AT_ONCE", size)
        found = table(written.getvalue(), column="text")
    assert found.broken == 0
    assert list(found.documents) == [text for _, text in [*rows, ["1", "end"]] if text.strip()]


lines = st.lists(
    st.sampled_from(["1,a", '2,"b"', '3,"c', '4,d"', '5,"e" f', "6", "7,g,h", ""]), max_size=10
)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 40))
def test_every_line_is_in_a_document_blank_or_broken(rows: list[str], end: str, size: int) -> None:
    data = end.join(["id,text", *rows, "8,end", ""])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_AT_ONCE", size)
        found = table(data, column="text")
    inside = sum(text.count(end) for text in found.documents)
    assert len(found.documents) + inside + found.blank + found.broken == len(rows) + 1
    assert found.documents[-1] == "end"
