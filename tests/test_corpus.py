"""Files into documents, nothing lost, and documents into a split that stays put."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt.batch import lay_out
from microgpt.corpus import Source, from_documents, from_texts, read, split
from microgpt.errors import DataError, UsageError
from microgpt.tokenizer import Bytes, Characters

LINES = ["emma", "", "ava mia", "   ", "zoë"]
KEPT = ("emma", "ava mia", "zoë")


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


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"emma\nava\n")))
    assert read(source("-")).documents == ("emma", "ava")


def test_a_stream_is_one_document() -> None:
    Path("t.txt").write_bytes(b"To be,\r\nor not\r\n")
    assert read(source("t.txt", stream=True)).documents == ("To be,\nor not\n",)


BROKEN = [
    ("t.txt", b"emma\nz\xff\n", {}, "t.txt: line 2, byte 6: not utf-8 (0xff). "
     "Try --encoding latin-1, or the one it was written in."),
    ("t.txt", b"a\r\nb\rc\nd\xe9", {}, "t.txt: line 4, byte 8: not utf-8 (0xe9). "
     "Try --encoding latin-1, or the one it was written in."),
    ("t.txt", b"", {}, "t.txt: no documents. Expected text, one document a line."),
    ("t.txt", b"\n \n", {}, "t.txt: no documents but blank ones (2). "
     "Expected text, one document a line."),
    ("t.csv", b"a,b\n1,2\n", {}, "t.csv: has columns a, b. Say which with --column NAME."),
    ("t.csv", b"a,b\n1,2\n", {"column": "c"}, 't.csv: no column "c". It has a, b.'),
    ("t.csv", b"a,b\n1\n", {"column": "b"},
     "t.csv: line 2: expected 2 columns, as in the heading; got 1."),
    ("t.jsonl", b'{"text": "a"}\n{"t": 1}\n', {},
     't.jsonl: line 2: no field "text" but t. Say which with --field NAME.'),
    ("t.jsonl", b'{"text": 5}\n', {}, 't.jsonl: line 1: field "text" must be a string; got 5.'),
    ("t.jsonl", b"[]\n", {}, "t.jsonl: line 1: expected an object with the field 'text'; got []"),
    ("t.jsonl", b'{"text": "\\ud800"}', {},
     't.jsonl: line 1: field "text" holds half a surrogate pair, which is no text.'),
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
    Path("t.jsonl").write_text("{", "utf-8")
    for name, start in (
        ("nams.txt", "nams.txt: no such file. Did you mean names.txt?"),
        ("xyz", "xyz: no such file."),
        ("folder", "folder: a folder. Expected a file of text, one document a line."),
        ("t.gz", "t.gz: damaged gzip data ("),
        ("t.jsonl", "t.jsonl: line 1: not JSON ("),
    ):
        with pytest.raises(DataError) as caught:
            read(source(name))
        assert str(caught.value).startswith(start)
    with pytest.raises(UsageError, match='encoding must be one that Python knows; got "klingon"'):
        read(source("names.txt", encoding="klingon"))
    with pytest.raises(UsageError, match=r"^column or field must be given, not both"):
        read(source("names.txt", column="a", field="b"))


odd = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\n\r\0\x0b\x0c\x1c\x85\u2028\u2029\ufeff \t👩\u200d👧é\u0301"),
    )
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd, st.integers(1, 9), st.sampled_from(["window", "cut"]))
def test_characters_in_are_those_trained_on_and_those_dropped(text, block, long) -> None:  # type: ignore[no-untyped-def]
    text += "x" * 10_000 if text.endswith("é") else "x"
    Path("t.txt").write_bytes(text.encode())
    corpus = read(source("t.txt"))
    ends = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").count("\n")
    whole = len(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    assert whole == corpus.characters + corpus.blank_characters + ends
    tokens = Characters.of(corpus.documents)
    layout = lay_out(map(tokens.encode, corpus.documents), tokens.bos, block, long)
    trained = int((layout.batch.targets_N != tokens.bos).sum())
    assert corpus.characters == trained + layout.dropped
    assert long == "cut" or layout.dropped == 0
    in_bytes = lay_out(map(Bytes().encode, corpus.documents), 256, block).batch
    assert int((in_bytes.targets_N != 256).sum()) == sum(len(d.encode()) for d in corpus.documents)


def test_the_split_stays_put_and_no_duplicate_straddles_it() -> None:
    documents = [f"name {i % 700}" for i in range(1000)]
    train, held_out = split(from_texts(documents), 0.1)
    assert sorted(train + held_out) == sorted(documents)
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
    with pytest.raises(DataError, match=r"^holdout=0.999 leaves none of 1 documents to train on"):
        split(from_texts(["emma"]), 0.999)


def test_documents_of_a_program_must_be_strings() -> None:
    with pytest.raises(UsageError, match=r"^document 1 must be a string; got 5\.$"):
        from_documents(["a", 5])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"^no documents but blank ones \(1\)"):
        from_documents([" "])
