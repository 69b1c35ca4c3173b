"""`microgpt score --format csv`: the user's own columns are copied byte for byte."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.data.reader.block import Block
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.runs.run import Run
from microgpt.scoring.rows.fields import Scored, fields
from microgpt.scoring.rows.forms import Form, head, rows
from tests.conftest import examples

Capture = pytest.CaptureFixture[bytes]
ENDS = ["\n", "\r\n", "\r"]


def of_file(file: str, **how: str) -> list[Block]:
    said: list[str] = []
    return list(Stream(file, Source(files=(file,), **how), Skipped(said.append)))  # type: ignore[arg-type]


def told(block: Block, form: Form, *, whole: bool = False) -> bytes:
    """A block's rows, all of one loss, their span the end or the whole text with it."""
    n = len(block.texts)
    zeros_D = np.zeros(n, np.int64)
    lengths_D = np.array([len(text) for text in block.texts], np.int64)
    starts_D = zeros_D if whole else lengths_D
    facts = Scored(block, np.ones(n), None, starts_D, lengths_D + 1, lengths_D, zeros_D, None)
    return b"".join(rows(form, facts, fields(), "utf-8", apart=False))


cells = st.text(st.sampled_from('ab1 ,;\t|"\r\n\u2028\x0bé日\ufeff'), max_size=5)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, str]]]:
    """A delimiter, a table's name, and its rows as they stand, parted from their line ends."""
    name, delimiter = draw(st.sampled_from([("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t")]))
    width = draw(st.integers(1, 3))
    content = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    found = []
    for row in [["a", "b", "text"][-width:], *content, ["1", "2", "end"][-width:]]:
        buffer = io.StringIO(newline="")
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        # Both ends are named, so that a cell with either is quoted.
        csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerow(
            row
        )
        found.append((buffer.getvalue()[:-2], draw(st.sampled_from(ENDS))))
    # A return before a row that begins with a line feed would be one line end.
    found = [(row, "\r\n" if end == "\r" and not after else end)
             for (row, end), (after, _) in zip(found, [*found[1:], ("x", "")])]  # fmt: skip
    if draw(st.booleans()):
        found[-1] = (found[-1][0], "")
    return delimiter, name, found


@pytest.mark.slow
@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tables(), st.booleans(), st.integers(1, 50))
def test_cutting_our_columns_off_leaves_the_bytes_of_the_input(
    table: tuple[str, str, list[tuple[str, str]]], has_mark: bool, size: int
) -> None:
    delimiter, name, lines = table
    mark = "\ufeff" * has_mark
    Path(name).write_bytes((mark + "".join(map("".join, lines))).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("microgpt.data.reader.stream.BYTES", size)
        blocks = of_file(name, column="text", delimiter=delimiter)
    out = head("csv", blocks[0], fields()).encode() + b"".join(told(b, "csv") for b in blocks)
    ours = delimiter.join(["", "loss", "bits", "percentile", "span", "unknown"])
    numbers = delimiter.join(["", "1.0000", "1.4427", "", "⏎", "0"])
    first, *others = lines
    # What has no text is skipped; the last line gets an end if it has none.
    read = csv.reader([row for row, _ in others if row], delimiter=delimiter)
    kept = iter([row[-1].strip() for row in read])
    others = [(row, end) for row, end in others if row and next(kept)]
    expected = [f"{mark}{first[0]}{ours}{first[1]}"]
    expected += [f"{row}{numbers}{end or first[1]}" for row, end in others]
    assert out == "".join(expected).encode()
    # And what stands there is CSV to a library, ours the last five cells.
    found = list(csv.reader(io.StringIO("".join(expected), newline=""), delimiter=delimiter))
    for block_row, row in zip([t for b in blocks for t in b.texts], found[1:]):
        assert row[-6] == block_row
    spans = b"".join(told(b, "csv", whole=True) for b in blocks).decode()
    for row in csv.reader(io.StringIO(spans, newline=""), delimiter=delimiter):
        assert row[-2] == row[-6] + "⏎"


def test_as_json_lines_the_cells_of_a_table_have_names_of_their_own() -> None:
    Path("t.csv").write_text('a,loss,a,text\n1,2,"3, ""4""",x\n')
    (block,) = [b for b in of_file("t.csv", column="text") if b.texts]
    found = json.loads(told(block, "jsonl"))
    assert list(found.items())[:5] == [
        ("a", "1"), ("loss", "2"), ("a_2", '3, "4"'), ("text", "x"), ("model_loss", 1.0),
    ]  # fmt: skip
    assert head("csv", block, fields("flagged")) == (
        "a,loss,a,text,model_loss,bits,percentile,span,unknown,flagged\n"
    )


def test_without_quoting_none_is_added() -> None:
    Path("t.tsv").write_text('id\ttext\n1\t"A" grade\r\n2\tsay "no, no"\n')
    blocks = of_file("t.tsv", column="text", quoting="none")
    out = b"".join(told(block, "csv", whole=True) for block in blocks).decode()
    assert out == (
        '1\t"A" grade\t1.0000\t1.4427\t\t"A" grade⏎\t0\r\n'
        '2\tsay "no, no"\t1.0000\t1.4427\t\tsay "no, no"⏎\t0\n'
    )


def test_score_prices_the_text_that_train_learns(model: Run, capsysbinary: Capture) -> None:
    data = 'id,text\r\n1,"anna 12\r\nbob 31"\r\n2,"a\rb"\r\n3,lea\r\n'
    Path("in.csv").write_bytes(data.encode())
    words = ["score", str(model.folder), "in.csv", "--column", "text", "--format"]
    assert cli([*words, "csv"]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert cli([*words, "jsonl"]) == 0
    objects = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    texts = ["anna 12\r\nbob 31", "a\rb", "lea"]
    assert [one["text"] for one in objects] == texts
    for one, text in zip(objects, texts):
        assert one["loss"] == pytest.approx(model.score(text).loss, abs=5.1e-5)
    for row in ("id,text", '\r\n1,"anna 12\r\nbob 31"', '\r\n2,"a\rb"', "\r\n3,lea"):
        assert f"{row}," in out
    assert out.endswith("\r\n")
    found = list(csv.reader(io.StringIO(out, newline="")))
    assert [row[1] for row in found] == ["text", *texts]
    assert {len(row) for row in found} == {7}
    assert cli(["evaluate", str(model.folder), "in.csv", "--column", "text", "--json"]) == 0
    record = json.loads(capsysbinary.readouterr().out)
    assert record["loss"] == pytest.approx(model.evaluate(texts).loss)


def test_an_error_before_the_first_row_is_all_that_is_said(
    model: Run, capsysbinary: Capture
) -> None:
    Path("in.csv").write_text("id,text\n1,anna\n")
    assert cli(["score", str(model.folder), "in.csv", "--flag-rate", "0.2"]) == 2
    printed = capsysbinary.readouterr()
    assert printed.out == b""
    said = printed.err.decode().splitlines()
    assert said[1:] == ["microgpt: in.csv: has columns id, text. Say which with --column NAME."]


def test_what_came_before_an_error_is_told(model: Run, capsysbinary: Capture) -> None:
    rng = random.Random(1)
    good = [rng.choice(["anna", "bob", "lea"]) for _ in range(1000)]
    Path("in.csv").write_text("id,text\n" + "".join(f"1,{w}\n" for w in good) + "1,a,b\n" * 100)
    words = ["score", str(model.folder), "in.csv", "--column", "text", "--format", "jsonl"]
    assert cli(words) == 2
    printed = capsysbinary.readouterr()
    assert len(printed.out.splitlines()) == 1000
    assert printed.err.decode().splitlines()[10:] == [
        "microgpt: in.csv: 100 of 1,100 rows are broken; the first: line 1002: expected 2 columns, "
        "as in the heading; got 3. Try --delimiter, or --quoting none."
    ]
