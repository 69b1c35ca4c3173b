"""Files into documents, nothing lost; documents into a split that does not change."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt.data.batch import lay_out
from microgpt.data.corpus import Source, from_documents, from_texts, read
from microgpt.data.split import split
from microgpt.data.tokenizer import Bytes, Characters, encode_all
from microgpt.errors import DataError, UsageError
from tests.conftest import examples

LINES = ["emma", "", "ava mia", "   ", "zoë"]
KEPT = ("emma", "ava mia", "zoë")

# A whole number, and more digits than Python reads.
NINES = "9" * 5000


def source(*files: str, **how: object) -> Source:
    return Source(files=files, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_are_documents(end: str, bom: str, last: bool) -> None:
    text = bom + end.join(LINES) + (end if last else "")
    Path("t.txt").write_bytes(text.encode())
    corpus = read(source("t.txt"))
    assert (corpus.documents, corpus.blank, corpus.blank_characters) == (KEPT, 2, 3)
    Path("t.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert read(source("t.txt.gz")) == corpus
    assert read(source("t.txt", "t.txt.gz")).documents == KEPT * 2


def test_other_encodings_are_read_when_they_are_named() -> None:
    for encoding in ("latin-1", "utf-16", "utf-8"):
        Path("t.txt").write_bytes("zoë\nava\n".encode(encoding))
        assert read(source("t.txt", encoding=encoding)).documents == ("zoë", "ava")


def test_tables_and_json_lines_are_read_by_column_and_field() -> None:
    Path("t.csv").write_text('id,name\n1,emma\n2,"a\nb"\n\n3,"x,y"\n', "utf-8")
    for column in ("name", "2"):
        assert read(source("t.csv", column=column)).documents == ("emma", "a\nb", "x,y")
    Path("t.tsv").write_text("name\nemma\nava\n", "utf-8")
    assert read(source("t.tsv")).documents == ("emma", "ava")
    rows = [{"text": "emma", "n": "x"}, {"text": "a\u2028b", "n": "y"}]
    Path("t.jsonl").write_text("\n\n".join(map(json.dumps, rows)), "utf-8")
    assert read(source("t.jsonl")).documents == ("emma", "a\u2028b")
    assert read(source("t.jsonl", field="n")).documents == ("x", "y")
    Path("t.data").write_text(Path("t.csv").read_text("utf-8"), "utf-8")
    assert read(source("t.data", column="name")).documents == ("emma", "a\nb", "x,y")


def test_fields_of_objects_inside_and_arrays_are_read_too() -> None:
    inside = [{"a": {"b": "emma", "c.d": "x"}}, {"a": {"b": "ava", "c.d": "y"}}, {"a.b": "zoe"}]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, inside)), "utf-8")
    assert read(source("t.jsonl", field="a.b")).documents == ("emma", "ava", "zoe")
    corpus = read(source("t.jsonl", field="a.c.d"))
    assert (corpus.documents, corpus.broken) == (("x", "y"), 1)
    for data in (["emma", {"text": "ava"}], ["emma", "ava"], [{"text": "emma"}, {"text": "ava"}]):
        Path("t.json").write_text("\ufeff" + json.dumps(data, indent=2), "utf-8")
        assert read(source("t.json")).documents == ("emma", "ava")
    Path("t.json").write_text('{"text": "emma"}\n{"text": "ava"}\n', "utf-8")
    assert read(source("t.json")).documents == ("emma", "ava")
    corpus = read(source("t.json", stream=True))
    assert len(corpus.documents) == 1


def test_a_row_without_text_is_skipped_and_counted() -> None:
    Path("t.jsonl").write_text('{"text": "emma"}\nnull\n\n{"text": null}\n{"text": "ava"}\n')
    corpus = read(source("t.jsonl"))
    assert (corpus.documents, corpus.blank, corpus.broken) == (("emma", "ava"), 1, 2)
    assert corpus.notes == (
        "t.jsonl: line 2: expected an object with the field 'text'; got null. Skipped.",
        't.jsonl: line 4: field "text" must be a string; got null. Skipped.',
    )
    Path("t.json").write_text('["emma", null, 5, {"text": 5}, "ava"]')
    corpus = read(source("t.json"))
    assert (corpus.documents, corpus.broken) == (("emma", "ava"), 3)
    assert corpus.notes[0] == (
        "t.json: element 2: expected a string, or an object with the field 'text'; got null. "
        "Skipped."
    )


def test_the_first_broken_rows_are_told_and_all_are_counted() -> None:
    lines = [b"emma \xff" if n % 30 == 7 else b"emma" for n in range(900)]
    Path("t.txt").write_bytes(b"\n".join(lines))
    corpus = read(source("t.txt"))
    assert (len(corpus.documents), corpus.broken, len(corpus.notes)) == (870, 30, 10)
    assert corpus.notes[9] == "t.txt: line 278: not utf-8 (0xff). Skipped."


def test_more_than_a_few_per_cent_broken_is_an_error_that_says_what_to_try() -> None:
    for n, (name, good, bad, remedy) in enumerate((
        ("t.txt", b"emma", b"emm\xe9", "line 3: not utf-8 (0xe9). Try --encoding latin-1, or the "
         "one it was written in."),
        ("t.txt", b"emma", b"\x93emma\x94", "line 3: not utf-8 (0x93). Try --encoding cp1252, or "
         "the one it was written in."),
        ("t.csv", b"1,emma", b"1,emma,x", "line 4: expected 2 columns, as in the heading; got 3. "
         "Try --delimiter, or --quoting none."),
        ("t.csv", b"1,emma", b'1,"emma" b', "line 4: a quoted cell goes on after its closing "
         'quote; got "emma" b. Try --delimiter, or --quoting none.'),
    )):  # fmt: skip
        for rows in (100, 30_000):
            lines = [bad if row % 10 == 2 else good for row in range(rows)]
            Path(name).write_bytes(b"\n".join([b"id,name"] * (n > 1) + lines))
            column = {"column": "name"} if n > 1 else {}
            if rows == 100:  # ten are a handful
                assert read(source(name, **column)).broken == 10
                continue
            with pytest.raises(DataError) as caught:
                read(source(name, **column))
            said = f"{name}: 3,000 of 30,000 rows are broken; the first: {remedy}"
            assert str(caught.value) == said


def test_one_huge_line_is_told_of_a_stream() -> None:
    Path("t.txt").write_text("to be or not to be " * 2000 + "\nthe end\n")
    note = "t.txt: one line of 38,000 characters is most of the text. If it is one long text, "
    assert read(source("t.txt")).notes == (note + "add --stream.",)
    assert read(source("t.txt", stream=True)).notes == ()
    Path("t.txt").write_text("to be or not to be " * 20 + "\nthe end\n")
    assert read(source("t.txt")).notes == ()


def test_settings_of_a_source_come_back_and_older_ones_are_read() -> None:
    told = source("a.csv", column="b", delimiter=";", quoting="none")
    assert Source.from_json(told.to_json()) == told
    assert told.asked == {"column": "b", "delimiter": ";", "quoting": "none"}
    older = {"files": ["a.txt"], "column": None, "field": None, "encoding": "utf-8"}
    assert Source.from_json({**older, "stream": False, "documents": 3}) == source("a.txt")
    assert source("a.txt").asked == {}


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"emma\nava\n")))
    assert read(source("-")).documents == ("emma", "ava")


def test_a_stream_is_one_document() -> None:
    Path("t.txt").write_bytes(b"To be,\r\nor not\r\n")
    assert read(source("t.txt", stream=True)).documents == ("To be,\nor not\n",)


BROKEN = [
    ("t.txt", b"z\xff\n", {}, "t.txt: line 1: not utf-8 (0xff). "
     "Try --encoding latin-1, or the one it was written in."),
    ("t.txt", b"z\x80\nz\xff", {}, "t.txt: line 1: not utf-8 (0x80). "
     "Try --encoding cp1252, or the one it was written in. None of its 2 rows can be read."),
    ("t.txt", b"z\x81\n", {}, "t.txt: line 1: not utf-8 (0x81). "
     "Try --encoding with the one it was written in."),
    ("t.txt", b"z\xff\n", {"encoding": "ascii"}, "t.txt: line 1: not ascii (0xff). "
     "Try --encoding with the one it was written in."),
    ("t.txt", b"a\r\nb\rc\nd\xe9", {"stream": True}, "t.txt: line 4, byte 8: not utf-8 (0xe9). "
     "Try --encoding latin-1, or the one it was written in."),
    ("t.txt", b"", {}, "t.txt: no documents. Expected text, one document a line."),
    ("t.txt", b"\n \n", {}, "t.txt: no documents but blank ones (2). "
     "Expected text, one document a line."),
    ("t.csv", b"a,b\n1,2\n", {}, "t.csv: has columns a, b. Say which with --column NAME."),
    ("t.csv", b"a,b\n1,2\n", {"column": "c"}, 't.csv: no column "c". It has a, b.'),
    ("t.csv", b"a,b\n1,2\n", {"column": NINES}, f't.csv: no column "{NINES}". It has a, b.'),
    ("t.csv", b"a,b\n1\n", {"column": "b"}, "t.csv: line 2: expected 2 columns, as in the "
     "heading; got 1. Try --delimiter, or --quoting none."),
    ("t.csv", b'a,"b" c\n1,2\n', {"column": "a"}, "t.csv: line 1: a quoted cell goes on after its "
     'closing quote; got "b" c. Try --delimiter, or --quoting none.'),
    ("t.jsonl", b'{"t": 1}\n', {},
     't.jsonl: line 1: no field "text" but t. Say which with --field NAME.'),
    ("t.jsonl", b'{"text": 5}\n', {}, 't.jsonl: line 1: field "text" must be a string; got 5.'),
    ("t.jsonl", b"[]\n", {}, "t.jsonl: line 1: expected an object with the field 'text'; got []."),
    ("t.jsonl", b'{"text": "\\ud800"}', {},
     't.jsonl: line 1: field "text" holds half a surrogate pair, which is no text.'),
    ("t.json", b'["a", "b"', {}, "t.json: not a JSON array (it is not closed)."),
    ("t.json", b'["a" "b"]', {}, 't.json: not a JSON array (expected "," before element 2).'),
    ("t.json", b'["a"]\n["b"]', {}, "t.json: not a JSON array (more comes after its end)."),
    ("t.json", b"[]", {}, "t.json: no documents. Expected text, one document a line."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "how", "sentence"), BROKEN)
def test_what_cannot_be_read_is_one_sentence(
    name: str, data: bytes, how: dict[str, str], sentence: str
) -> None:
    Path(name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(source(name, **how))
    assert str(caught.value) == sentence


def test_what_is_not_there_is_one_sentence() -> None:
    Path("names.txt").write_text("emma", "utf-8")
    Path("folder").mkdir()
    Path("t.gz").write_bytes(gzip.compress(b"emma\n" * 99)[:-9])
    packed = bytearray(gzip.compress(b"emma\n" * 99))
    packed[14] ^= 255
    Path("flip.gz").write_bytes(packed)
    Path("t.jsonl").write_text("{", "utf-8")
    for name, start in (
        ("nams.txt", "nams.txt: no such file. Did you mean names.txt?"),
        ("xyz", "xyz: no such file."),
        ("folder", "folder: a folder. Expected a file of text, one document a line."),
        ("t.gz", "t.gz: damaged gzip data ("),
        ("flip.gz", "flip.gz: damaged gzip data ("),
        ("t.jsonl", "t.jsonl: line 1: not JSON ("),
    ):
        with pytest.raises(DataError) as caught:
            read(source(name))
        assert str(caught.value).startswith(start)
    with pytest.raises(UsageError, match='encoding must be one that Python knows; got "klingon"'):
        read(source("names.txt", encoding="klingon"))
    for how, said in (
        ({"column": "a", "field": "b"}, "column or field must be given, not both"),
        ({"delimiter": ";", "field": "b"}, "delimiter or field must be given, not both"),
        (
            {"delimiter": ";;"},
            'delimiter must be one character, and no quote or line end; got ";;"',
        ),
        ({"quoting": "all"}, 'quoting must be one of strict, none; got "all".'),
        ({"column": "a", "stream": True}, "stream must go with plain text; got a column"),
        ({"delimiter": ";", "stream": True}, "stream must go with plain text; got a column"),
        ({"field": "a", "stream": True}, "stream must go with plain text; got a column or a field"),
    ):
        with pytest.raises(UsageError) as mistake:
            read(source("names.txt", **how))
        assert str(mistake.value).startswith(said)


def test_standard_input_that_is_closed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match=r"^standard input: closed\. Expected text"):
        read(source("-"))


def test_what_is_wrong_with_standard_input_is_told_by_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for data, how, said in (
        (b"emma\n\xff\n", {}, "line 2: not utf-8 (0xff). Try --encoding latin-1, or the one it was "
         "written in. Skipped."),
        (b"name\nemma\nava,x\n", {"column": "name"}, "line 3: expected 1 column, as in the "
         "heading; got 2. Try --delimiter, or --quoting none. Skipped."),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        corpus = read(source("-", **how))
        assert corpus.documents == ("emma",)
        assert corpus.notes[-1] == f"standard input: {said}"


odd = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\n\r\0\x0b\x0c\x1c\x85\u2028\u2029\ufeff \t👩\u200d👧é\u0301"),
    )
)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd, st.integers(1, 9), st.sampled_from(["window", "cut"]))
def test_characters_in_are_those_trained_on_and_those_dropped(text, block, long) -> None:  # type: ignore[no-untyped-def]
    text += "x" * 10_000 if text.endswith("é") else "x"
    Path("t.txt").write_bytes(text.encode())
    corpus = read(source("t.txt"))
    ends = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").count("\n")
    whole = len(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    assert whole == corpus.characters + corpus.blank_characters + ends
    tokens = Characters.of(corpus.documents)
    layout = lay_out(encode_all(tokens, corpus.documents), tokens.bos, block, long)
    trained = int((layout.batch.targets_N != tokens.bos).sum())
    assert corpus.characters == trained + layout.dropped
    assert long == "cut" or layout.dropped == 0
    in_bytes = lay_out(encode_all(Bytes(), corpus.documents), 256, block).batch
    assert int((in_bytes.targets_N != 256).sum()) == sum(len(d.encode()) for d in corpus.documents)


def test_the_split_stays_put_and_no_duplicate_straddles_it() -> None:
    documents = [f"name {i % 700}" for i in range(1000)]
    train, held_out = split(from_texts(documents), 0.1)
    assert sorted([*train, *held_out]) == sorted(documents)
    assert not set(train) & set(held_out)
    # 700 draws of 0.1: five standard deviations are 0.057.
    assert abs(len(set(held_out)) / 700 - 0.1) < 0.057
    _, held_more = split(from_texts(["new", *reversed(documents)]), 0.1)
    assert set(held_out) <= set(held_more)
    assert set(held_more) - set(held_out) <= {"new"}
    assert split(from_texts(documents), 0.0) == (documents, [])
    assert set(held_out) < set(split(from_texts(documents), 0.3)[1])


def test_of_a_stream_the_last_part_is_held_out() -> None:
    text = "abcdefghij" * 7
    assert split(from_texts([text], stream=True), 0.1) == ([text[:63]], [text[63:]])


def test_a_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"^holdout=0.999 leaves none of 1 document to train on. "
        r"Try --holdout 0, or, if it is one long text, --stream",
    ):
        split(from_texts(["emma"]), 0.999)


def test_documents_of_a_program_must_be_strings() -> None:
    with pytest.raises(UsageError, match=r"^document 1 must be a string; got 5\.$"):
        from_documents(["a", 5])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"^no documents but blank ones \(1\)"):
        from_documents([" "])
