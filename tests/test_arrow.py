"""Parquet, Arrow, folders of Hugging Face datasets and zstd are read by the one reader."""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.data.corpus import Source, read
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.errors import DataError, MissingExtra, UsageError
from tests.conftest import required

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")

TEXTS = ["emma", None, "zoë\nines", "", " \t", "日本", "emma", "x" * 5000]
KEPT = ("emma", "zoë\nines", "日本", "emma", "x" * 5000)


def parquet(table: Any, path: str) -> None:
    pq.write_table(table, path, row_group_size=3)


def as_file(table: Any, path: str) -> None:
    with pa.OSFile(path, "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


def as_stream(table: Any, path: str) -> None:
    with pa.OSFile(path, "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


def as_datasets(table: Any, path: str) -> None:
    """The layout of `Dataset.save_to_disk`, of two files."""
    Path(path).mkdir()
    names = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    as_stream(table.slice(0, 5), f"{path}/{names[0]}")
    as_stream(table.slice(5), f"{path}/{names[1]}")
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (Path(path) / "state.json").write_text(json.dumps(state))
    (Path(path) / "dataset_info.json").write_text("{}")


WRITERS: list[tuple[str, Callable[[Any, str], None]]] = [
    ("t.parquet", parquet), ("t.arrow", as_file), ("t.feather", as_stream), ("folder", as_datasets),
]  # fmt: skip


def column(kind: str) -> Any:
    if kind == "dictionary":
        return pa.array(TEXTS).dictionary_encode()
    return pa.array(TEXTS, getattr(pa, kind)())


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
@pytest.mark.parametrize(("path", "write"), WRITERS)
def test_a_column_of_text_is_read_and_what_is_null_is_counted_as_blank(
    path: str, write: Callable[[Any, str], None], kind: str
) -> None:
    write(pa.table({"n": range(8), "name": column(kind)}), path)
    for named in (None, "name", "2"):
        found = read(Source(files=(path,), column=named))
        assert found.documents == KEPT
        assert (found.blank, found.blank_characters, found.broken) == (3, 2, 0)


@pytest.mark.parametrize(("path", "write"), WRITERS)
def test_bounded_reading_gives_the_same_documents_with_their_rows(
    path: str, write: Callable[[Any, str], None]
) -> None:
    write(pa.table({"n": [math.nan] * 8, "name": TEXTS, "when": pa.array([0] * 8, "date32")}), path)
    source = Source(files=(path,), column="name")
    blocks = list(Stream(path, source, Skipped(pytest.fail)))
    assert [text for block in blocks for text in block.texts] == [*KEPT]
    assert [number for block in blocks for number in block.numbers] == [1, 3, 6, 7, 8]
    rows = [row for block in blocks for row in block.objects]
    assert rows[0] == {"n": None, "name": "emma", "when": "1970-01-01"}
    assert [gap.number for block in blocks for gap in block.left_out] == [2, 4, 5]


def test_many_rows_are_read_a_few_at_a_time() -> None:
    texts = [f"{'y' * 1000} {i}" for i in range(9000)]
    for path, write in (("t.parquet", pq.write_table), ("t.arrow", as_file)):
        write(pa.table({"text": texts}), path)
        blocks = list(Stream(path, Source(files=(path,)), Skipped(pytest.fail), bounded=False))
        assert [text for block in blocks for text in block.texts] == texts
        assert max(len(block.texts) for block in blocks) < 6000


@pytest.mark.parametrize(
    ("table", "named", "sentence"),
    [
        ({"a": ["x"], "b": ["y"]}, None,
         "t.parquet: has columns of text a, b. Say which with --column NAME."),
        ({"a": [1], "b": [2.0]}, None,
         "t.parquet: has no column of text; it has a (int64), b (double)."),
        ({"a": [1], "b": ["y"]}, "a", 't.parquet: column "a" must be of text; got int64.'),
        ({"a": ["x"]}, "c", 't.parquet: no column "c". It has a.'),
        ({"a": [None, ""]}, None, "t.parquet: no documents but blank ones (2). Expected text, one "
         "document a line."),
    ],
)  # fmt: skip
def test_a_column_that_is_not_there_is_one_sentence(
    table: dict[str, Any], named: str | None, sentence: str
) -> None:
    parquet(pa.table(table), "t.parquet")
    with pytest.raises(DataError) as caught:
        read(Source(files=("t.parquet",), column=named))
    assert str(caught.value) == sentence


def test_the_column_named_text_is_taken_of_several() -> None:
    parquet(pa.table({"a": ["x"], "text": ["emma"]}), "t.parquet")
    assert read(Source(files=("t.parquet",))).documents == ("emma",)


@pytest.mark.parametrize("cut", [0, 3, 30, -9])
@pytest.mark.parametrize(("path", "write"), WRITERS[:3])
def test_a_truncated_file_is_one_sentence(
    path: str, write: Callable[[Any, str], None], cut: int
) -> None:
    write(pa.table({"name": TEXTS}), path)
    Path(path).write_bytes(Path(path).read_bytes()[:cut])
    if (path, cut) == ("t.feather", -9):
        return  # a stream may end without its mark
    with pytest.raises(DataError, match=rf"^{path}: damaged, or of another format \(") as caught:
        read(Source(files=(path,)))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_damage() -> None:
    wrong = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    as_file(pa.table({"name": wrong}), "t.arrow")
    with pytest.raises(DataError, match=r"^t.arrow: damaged, .*UTF8"):
        read(Source(files=("t.arrow",)))


def test_a_folder_of_splits_asks_for_one() -> None:
    Path("wiki").mkdir()
    Path("wiki/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    as_datasets(pa.table({"text": TEXTS}), "wiki/test")
    with pytest.raises(DataError) as caught:
        read(Source(files=("wiki",)))
    assert str(caught.value) == "wiki: has the splits train, test. Name one: wiki/train."
    assert read(Source(files=("wiki/test",))).documents == KEPT


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("{", "wiki: damaged, or no folder of datasets (not JSON"),
        ("{}", "wiki: damaged, or no folder of datasets ('_data_files')."),
        ('{"_data_files": [{"filename": "../x"}]}', "wiki: damaged: its state.json names files"),
        ('{"_data_files": [{"filename": "x.arrow"}]}', "wiki/x.arrow: no such file."),
    ],
)
def test_a_damaged_folder_is_one_sentence(state: str, sentence: str) -> None:
    Path("wiki").mkdir()
    Path("wiki/state.json").write_text(state)
    with pytest.raises(DataError) as caught:
        read(Source(files=("wiki",)))
    assert str(caught.value).startswith(sentence)


def test_what_datasets_itself_has_saved_is_read() -> None:
    try:
        import datasets
    except ImportError:
        required("datasets", "Hugging Face's datasets is not installed")
    made = datasets.Dataset.from_dict({"text": TEXTS, "n": range(8)})
    made.save_to_disk("saved", num_shards=3)
    assert read(Source(files=("saved",))).documents == KEPT
    datasets.DatasetDict({"train": made}).save_to_disk("both")
    with pytest.raises(DataError, match=r"^both: has the splits train\."):
        read(Source(files=("both",)))
    assert read(Source(files=("both/train",))).documents == KEPT


def test_settings_of_text_do_not_go_with_columns() -> None:
    parquet(pa.table({"name": TEXTS}), "t.parquet")
    for setting in ({"field": "name"}, {"delimiter": ";"}, {"quoting": "none"}, {"stream": True}):
        with pytest.raises(UsageError, match=r"must go without t\.parquet, whose columns"):
            read(Source(files=("t.parquet",), **setting))


def test_without_pyarrow_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    parquet(pa.table({"name": TEXTS}), "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as caught:
        read(Source(files=("t.parquet",)))
    assert str(caught.value) == (
        "t.parquet: pyarrow must be installed to read it. Try: pip install 'microgpt-lm[tables]'"
    )


def test_a_file_of_columns_trains_and_its_rows_are_scored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ["emma", "olivia", "ava", "isabella", "sophia", "mia"] * 20
    parquet(pa.table({"id": range(120), "name": names}), "t.parquet")
    words = ["train", "t.parquet", "--preset", "microgpt", "--steps", "3", "--out", "r"]
    assert run(words) == 0
    capsys.readouterr()
    assert run(["score", "r", "t.parquet", "--format", "jsonl"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["id"], first["name"]) == (0, "emma")


def test_zstd_is_unpacked_under_any_name_like_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        from compression import zstd  # pyright: ignore
    except ImportError:
        zstd = pytest.importorskip("backports.zstd")
    data = zstd.compress(b"emma\nava\n") + zstd.compress("zoë\n".encode())
    for name in ("t.txt.zst", "t.txt"):
        Path(name).write_bytes(data)
        assert read(Source(files=(name,))).documents == ("emma", "ava", "zoë")
    Path("t.csv.zst").write_bytes(zstd.compress(b"id,name\n1,emma\n"))
    assert read(Source(files=("t.csv.zst",), column="name")).documents == ("emma",)
    for wrong in (data[:-3], data[:4] + b"\xff" * 9, data[:5]):
        Path("t.zst").write_bytes(wrong)
        with pytest.raises(DataError, match=r"^t.zst: damaged zstd data \(.*\)\.$"):
            read(Source(files=("t.zst",)))
    Path("t.gz").write_bytes(gzip.compress(b"emma\n")[:-4])
    with pytest.raises(DataError, match=r"^t.gz: damaged gzip data"):
        read(Source(files=("t.gz",)))
    for module in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"backports.zstd must be installed .*\[zstd\]"):
        read(Source(files=("t.txt.zst",)))
