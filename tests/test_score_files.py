"""`microgpt score` into files: rows that can be joined back, the most surprising, no halves."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.cli.app import run as cli
from microgpt.runs import rowfile
from microgpt.runs.run import Run
from microgpt.scoring.rows import processes

from .conftest import TINY

Capture = pytest.CaptureFixture[str]

# A spreadsheet shows anna in row 2, the broken row in 6, and zzqq in row 8: row 7 has two lines.
TABLE = (
    'id,name,price\n1,anna,"1,5"\n2,"ba ""x"" b",2\n\n3,  ,3\n4,bad\n5,"le\nna",5\n007,zzqq,=1+1\n'
)
OURS = ["row", "loss", "bits", "percentile", "span", "unknown"]


def told(capsys: Capture, *words: object, code: int = 0) -> tuple[str, list[str]]:
    """What a command prints, and the lines it says beside it."""
    assert cli([*map(str, words)]) == code
    got = capsys.readouterr()
    return got.out, got.err.splitlines()


def of_csv(text: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text, newline=""))]


def read_back(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, by the library that other people would read it with."""
    if path.suffix == ".csv":
        return of_csv(path.read_text("utf-8-sig"))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return parquet.read_table(path).to_pylist()
    sheet = pytest.importorskip("openpyxl").load_workbook(path).active
    heads, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(heads, row)) for row in rows]


@pytest.fixture
def table() -> Path:
    path = Path("in.csv")
    path.write_text(TABLE, newline="")
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_a_file_of_each_kind_has_the_columns_as_they_came_and_ours(
    model: Run, table: Path, capsys: Capture, ending: str
) -> None:
    if ending == "xlsx":
        pytest.importorskip("xlsxwriter")
    words = "score", model.folder, table, "--column", "name"
    expected = of_csv(told(capsys, *words, "--format", "csv")[0])
    out, said = told(capsys, *words, "-o", f"out.{ending}")
    assert out == ""
    assert "4 rows written to" in "".join(said)
    rows = read_back(Path(f"out.{ending}"))
    assert [*rows[0]] == ["id", "name", "price", *OURS]
    assert [int(row["row"]) for row in rows] == [2, 3, 7, 8]
    for row, other in zip(rows, expected):
        for name in ("id", "name", "price", "span"):
            # Text stays text: no number, no formula.
            assert row[name] == other[name]
        for name in ("loss", "bits", "percentile", "unknown"):
            assert float(row[name]) == float(other[name])
    kinds = {ending: (type(rows[0]["loss"]), type(rows[0]["row"]))}
    assert kinds == {ending: (str, str) if ending == "csv" else (float, int)}


def test_every_row_of_the_input_has_one_in_the_output(
    model: Run, table: Path, capsys: Capture
) -> None:
    words = "score", model.folder, table, "--column", "name", "--keep-all"
    out, said = told(capsys, *words, "--format", "csv")
    rows = of_csv(out)
    # The bytes of each row that is one stand there as they came.
    for line in ('\n1,anna,"1,5",2,', '\n2,"ba ""x"" b",2,3,', "\n3,  ,3,5,", '\n5,"le\nna",5,7,'):
        assert line in out
    assert [row["row"] for row in rows] == ["2", "3", "4", "5", "6", "7", "8"]
    assert [bool(row["loss"]) for row in rows] == [True, True, False, False, False, True, True]
    assert [row["skipped"] for row in rows] == [
        "", "", "blank", "blank", "expected 3 columns, as in the heading; got 2.", "", "",
    ]  # fmt: skip
    assert {"2 blank lines skipped.", "1 broken line skipped."} < set(said)
    objects = [
        json.loads(line) for line in told(capsys, *words, "--format", "jsonl")[0].splitlines()
    ]
    for row, one in zip(rows, objects):
        assert {name: value for name, value in row.items() if value and name != "id"} == {
            name: f"{value}" if name in ("row", "unknown") else
            f"{value:.{2 if name == 'percentile' else 4}f}" if isinstance(value, float) else value
            for name, value in one.items() if value is not None and value != "" and name != "id"
        }  # fmt: skip
    lines = told(capsys, *words)[0].splitlines()
    assert [line.split()[0] for line in lines] == ["row", "2", "3", "4", "5", "6", "7", "8"]
    assert lines[3].endswith("skipped: blank")
    # In order of losses those without one come last.
    ordered = of_csv(told(capsys, *words, "--format", "csv", "--sort", "best")[0])
    assert [row["row"] for row in ordered[4:]] == ["4", "5", "6"]
    losses = [float(row["loss"]) for row in ordered[:4]]
    assert losses == sorted(losses)


@pytest.mark.parametrize(
    ("name", "data", "numbers", "left_out"),
    [
        ("in.txt", b"\xef\xbb\xbfanna\n\nb\xffb\r\nlea\r \nbob",
         [1, 4, 6], {2: "", 3: None, 5: " "}),
        ("in.jsonl", b'{"text": "anna"}\n\n{"text": 1}\n[\n{"text": "bob", "n": [1]}\n',
         [1, 5], {2: None, 3: None, 4: None}),
        ("in.json", b'["anna", {"text": " "}, 7, {"text": "bob"}]', [1, 4], {2: " ", 3: None}),
    ],
)  # fmt: skip
def test_rows_of_other_files_are_numbered_as_a_person_finds_them(
    model: Run,
    capsys: Capture,
    name: str,
    data: bytes,
    numbers: list[int],
    left_out: dict[int, str | None],
) -> None:
    Path(name).write_bytes(data)
    words = "score", model.folder, name, "--keep-all", "--format", "jsonl"
    rows = [json.loads(line) for line in told(capsys, *words)[0].splitlines()]
    assert [row["row"] for row in rows] == sorted([*numbers, *left_out])
    assert [row["row"] for row in rows if row["loss"] is not None] == numbers
    for row in rows:
        assert bool(row["skipped"]) == (row["row"] in left_out)
        if row["row"] in left_out:
            assert row.get("text") == left_out[row["row"]]
    cells = of_csv(told(capsys, *words[:-1], "csv")[0])
    assert [int(row["row"]) for row in cells] == [row["row"] for row in rows]
    assert not any(None in row for row in cells)


@pytest.mark.slow
def test_numbers_are_those_of_the_whole_file_whoever_writes_the_rows(
    model: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Several blocks, and several processes from the first one on.
    lines = [f"{TINY[i % 20]}{'ab'[i % 2] * (i % 7)}" if i % 50 else "" for i in range(9000)]
    Path("in.txt").write_text("\n".join(lines))
    found = {}
    for alone in (1e9, -1.0):
        monkeypatch.setattr(processes, "_ALONE_SECONDS", alone)
        words = "score", model.folder, "in.txt", "--threads", "2", "--keep-all", "--format", "csv"
        found[alone] = told(capsys, *words)[0]
    assert found[1e9] == found[-1.0]
    rows = of_csv(found[-1.0])
    assert [(int(row["row"]), row["text"]) for row in rows] == [*enumerate(lines, 1)]
    assert [row["row"] for row in rows if row["skipped"]] == [
        str(n) for n, line in enumerate(lines, 1) if not line
    ]


@pytest.mark.parametrize("sort", [None, "best"])
def test_the_first_ones_are_those_of_all_that_are_sorted(
    model: Run, capsys: Capture, sort: str | None
) -> None:
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice([*"abelno"], 1 + i % 9)) for i in range(3000)]
    Path("in.txt").write_text("\n".join(lines))
    words = "score", model.folder, "in.txt", "--format", "csv", "--flag-rate", "0.1"
    every, said = told(capsys, *words, "--sort", sort or "worst")
    order = ("--sort", sort) if sort else ()
    some, also = told(capsys, *words, "--top", "7", *order)
    assert said == also
    rows = of_csv(some)
    where = {line: n for n, line in reversed([*enumerate(lines, 1)])}
    assert len(rows) == 7
    for row, other in zip(rows, of_csv(every)):
        assert row["loss"] == other["loss"]
        assert lines[int(row["row"]) - 1] == row["text"]
        assert {**other, "row": row["row"]} == row or where[row["text"]]
    texts = told(capsys, "score", model.folder, *TINY[:9], "--json", "--top", "2")[0]
    ones = [json.loads(line) for line in texts.splitlines()]
    losses = sorted((one.loss for one in model.scores(TINY[:9])), reverse=True)
    assert [one["loss"] for one in ones] == pytest.approx(losses[:2])
    assert [TINY[one["row"] - 1] for one in ones] == [one["text"] for one in ones]


def test_rows_of_several_files_say_of_which(model: Run, capsys: Capture) -> None:
    Path("a.txt").write_text("anna\nzzzz\n")
    Path("b.txt").write_text("\nqqqq\n")
    words = "score", model.folder, "a.txt", "b.txt", "--top", "2"
    rows = of_csv(told(capsys, *words, "--format", "csv")[0])
    assert {(row["text"], row["file"], row["row"]) for row in rows} == {
        ("zzzz", "a.txt", "2"), ("qqqq", "b.txt", "2"),
    }  # fmt: skip


def test_what_was_meant_stands_beside_what_is_flagged_or_first(model: Run, capsys: Capture) -> None:
    from microgpt.scoring.suggest import Suggester

    Path("in.txt").write_text("anna\nannx\nbob\n")
    words = "score", model.folder, "in.txt", "--format", "csv", "--suggest"
    rows = of_csv(told(capsys, *words, "--top", "2")[0])
    suggester = Suggester(model.pricer)
    for row in rows:
        priced = model.pricer.price([row["text"]])
        usual = model.usual
        assert usual is not None
        starts, stops = priced.spans(usual.nats)
        (found,) = suggester.suggest([row["text"]], starts.tolist(), stops.tolist())
        assert row["suggestion"] == (found.text if found else "")
        assert row["suggestion_loss"] == (f"{found.loss:.4f}" if found else "")
    assert any(row["suggestion"] for row in rows)
    flagged = of_csv(told(capsys, *words, "--flag-rate", "0.1")[0])
    assert not any(row["suggestion"] for row in flagged if row["flagged"] == "false")


def test_a_mark_is_written_once(model: Run, table: Path, capsys: Capture) -> None:
    words = "score", model.folder, table, "--column", "name", "-o", "out.csv"
    told(capsys, *words)
    plain = Path("out.csv").read_bytes()
    assert plain.startswith(b"id,name")
    told(capsys, *words, "--bom")
    assert Path("out.csv").read_bytes() == b"\xef\xbb\xbf" + plain
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    told(capsys, *words, "--bom")
    assert Path("out.csv").read_bytes() == b"\xef\xbb\xbf" + plain


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-o out.txt", "out must end in .csv, .jsonl, .parquet or .xlsx; got out.txt."),
        ("-o in.csv", "out must not be the file that is read; got in.csv."),
        ("-o link.csv", "out must not be the file that is read; got link.csv."),
        ("-o nowhere/out.csv", "out must be in a folder that exists; got nowhere/out.csv."),
        ("-o out.csv --json", "json or out must be given, not both: the ending of the file says "
                              "what it is."),
        ("-o out.jsonl --bom", "bom must go with a file of CSV; got out.jsonl."),
        ("--bom", "bom must go with --out FILE.csv."),
        ("--top 0", "top must be a whole number from 1; got 0."),
        ("--top 3 --keep-all", "keep-all or top must be given, not both."),
        ("--suggest", "suggest must go with --flag-rate or --top, which say for which lines."),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_said_before_anything_is_done(
    model: Run, table: Path, capsys: Capture, words: str, expected: str
) -> None:
    Path("link.csv").symlink_to(table)
    before = table.read_bytes()
    out, said = told(
        capsys, "score", model.folder, table, "--column", "name", *words.split(), code=2
    )
    assert (out, said) == ("", [f"microgpt: {expected}"])
    assert table.read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"in.csv", "link.csv"}


@pytest.mark.parametrize("library", ["pyarrow", "xlsxwriter"])
def test_a_missing_library_is_named(
    model: Run, table: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    ending = {"pyarrow": "parquet", "xlsxwriter": "xlsx"}[library]
    words = "score", model.folder, table, "--column", "name", "-o", f"out.{ending}"
    _, (said,) = told(capsys, *words, code=2)
    assert said == (
        f"microgpt: out needs {library} for such a file, which is not installed. "
        "Try: pip install 'microgpt-lm[tables]'"
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "full"), ValueError()])
def test_a_file_is_whole_or_as_it_was(ending: str, error: BaseException) -> None:
    if ending == "xlsx":
        pytest.importorskip("xlsxwriter")
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = Path(f"out.{ending}")
    path.write_text("before")

    def rows() -> Iterator[bytes]:
        yield b'{"a": 1}\n'
        raise error

    with pytest.raises(type(error)), rowfile.RowFile(path).opened() as write:
        write(rows())
    assert path.read_text() == "before"
    assert [*Path().iterdir()] == [path]


def test_a_file_that_is_no_csv_after_all_leaves_nothing(model: Run, capsys: Capture) -> None:
    Path("in.csv").write_text("a,b\n" + "x\n" * 50)
    _, said = told(capsys, "score", model.folder, "in.csv", "--column", "a", "-o", "o.csv", code=2)
    assert "None of its 50 rows can be read" in said[-1]
    assert [path.name for path in Path().iterdir()] == ["in.csv"]


def test_a_workbook_says_what_it_cannot_hold() -> None:
    pytest.importorskip("xlsxwriter")
    out = rowfile.RowFile(Path("out.xlsx"))
    with pytest.raises(ValueError, match=r"at most 32,767 characters; got 40,000 in row 2"):  # noqa: SIM117
        with out.opened() as write:
            write([json.dumps({"a": "x" * 40_000}).encode()])
    assert not [*Path().iterdir()]


def test_values_of_json_keep_their_types_where_a_column_has_one() -> None:
    pytest.importorskip("pyarrow")
    rows = [
        {"i": 1, "f": 1, "b": True, "t": "x", "l": [1, "ü"], "n": None, "m": 1, "g": 2**70},
        {"i": 2**60, "f": 0.5, "b": None, "t": "=1", "l": {}, "m": "1", "later": 7},
    ]
    lines = [f"{json.dumps(row)}\n".encode() for row in rows]
    for ending in ("parquet", "xlsx"):
        with rowfile.RowFile(Path(f"out.{ending}")).opened() as write:
            write(lines)
    first, second = read_back(Path("out.parquet"))
    assert first == {
        "i": 1, "f": 1.0, "b": True, "t": "x", "l": '[1, "ü"]', "n": None, "m": "1",
        "g": str(2**70), "later": None,
    }  # fmt: skip
    assert second == {
        "i": 2**60, "f": 0.5, "b": None, "t": "=1", "l": "{}", "n": None, "m": "1", "g": None,
        "later": 7,
    }  # fmt: skip
    sheet = read_back(Path("out.xlsx"))
    # A whole number that is no float exactly is text there.
    assert sheet == [first, {**second, "i": str(2**60)}]
