"""Scores beside the rows of Arrow tables: the columns of score, in any pieces, on any worker."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.engines import about
from microgpt.errors import MissingExtra, RunError, UsageError
from microgpt.runs import batches, workers
from microgpt.runs.run import Run

from .conftest import BESIDE, TINY

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEXTS = ["ada", "annna", None, "xqz", "leena", "", "noaa", "bob\u00e9", " \t", *TINY]
SCORES = ["loss", "bits", "percentile", "span", "unknown"]


def table(texts: list[str | None] = TEXTS, **more: Any) -> Any:
    return pa.table({"id": range(len(texts)), "name": pa.array(texts, "string"), **more})


@pytest.fixture
def copy(model: Run, tmp_path: Path) -> Path:
    """The run in a folder of this test's own."""
    folder = tmp_path / "copies" / "mine"
    shutil.copytree(model.folder, folder)
    return folder


def test_columns_types_and_values_are_those_of_score(
    model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [text for text in TEXTS if text and text.strip()]
    Path("in.csv").write_text("id,name\n" + "".join(f"{i},{t}\n" for i, t in enumerate(texts)))
    words = f"score {model.folder} in.csv --column name --flag-rate 0.2 --suggest -o out.parquet"
    assert cli(words.split()) == 0
    capsys.readouterr()
    told = pq.read_table("out.parquet").drop_columns("row")
    score = microgpt.score_batches(model, column="name", flag_rate=0.2, suggest=True)
    given = table(texts)
    found = score(given.set_column(0, "id", given["id"].cast("string")))
    assert found.schema.equals(told.schema)
    assert told["suggestion_loss"].null_count < len(texts)
    places = {"loss": 4, "bits": 4, "percentile": 2, "suggestion_loss": 4}
    for name in told.column_names:
        for one, other in zip(found[name].to_pylist(), told[name].to_pylist()):
            if name in places and one is not None:
                assert other == pytest.approx(one, abs=0.51 * 10 ** -places[name])
            else:
                assert one == other


def test_rows_are_those_of_a_run_s_table_to_the_last_bit(model: Run) -> None:
    texts = [text for text in TEXTS if text is None or text.strip()]
    found = microgpt.score_batches(model, column="name", flag_rate=0.2, suggest=True)(table(texts))
    told = model.table(table(texts), column="name", flag_rate=0.2)
    for name in (*SCORES, "flagged", "suggestion"):
        assert found[name].to_pylist() == told[name].to_pylist()
    assert any(found["flagged"].to_pylist())


def test_what_is_missing_or_blank_has_no_score_and_its_row_stays(model: Run) -> None:
    found = microgpt.score_batches(model, column="name")(table()).to_pylist()
    assert [(row["id"], row["name"]) for row in found] == [*enumerate(TEXTS)]
    for row in found:
        is_text = bool(row["name"] and row["name"].strip())
        assert [row[name] is not None for name in SCORES] == [is_text] * len(SCORES)
    score = microgpt.score_batches(model, column="name", flag_rate=0.2)
    nothing = table([None, None])
    assert [*score(nothing)["flagged"].to_pylist()] == [None, None]
    assert score(nothing.slice(0, 0)).schema.equals(score(table()).schema)


def test_rows_do_not_depend_on_what_stands_beside_them(
    model: Run, engine_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = microgpt.score_batches(
        model.folder, column="name", flag_rate=0.2, suggest=True, engine=engine_name
    )
    given = table().slice(0, 14)
    whole = score(given)
    alone = pa.concat_tables([score(given.slice(i, 1)) for i in reversed(range(14))])
    alone = alone.sort_by("id")
    if about(engine_name).is_exact:
        assert alone.equals(whole)
    else:
        told = [[one or 0.0 for one in its["loss"].to_pylist()] for its in (alone, whole)]
        assert told[0] == pytest.approx(told[1], rel=BESIDE[engine_name])
    at_once: list[int] = []
    values = batches.values

    def counted(pricer: Any, judge: Any, texts: list[str], **named: Any) -> Any:
        at_once.append(len(texts))
        return values(pricer, judge, texts, **named)

    monkeypatch.setattr(batches, "_ROWS", 4)
    monkeypatch.setattr(batches, "values", counted)
    in_pieces = score(given)
    assert in_pieces.equals(whole) or not about(engine_name).is_exact
    assert max(at_once) <= 4  # of a large batch few texts are Python strings at once


def test_a_table_a_record_batch_and_an_iterator_come_back_as_they_came(model: Run) -> None:
    score = microgpt.score_batches(model, column="name")
    whole = score(table())
    (batch,) = table().to_batches()
    assert type(score(batch)) is pa.RecordBatch
    assert pa.Table.from_batches([score(batch)]).equals(whole)
    taken: list[int] = []

    def some() -> Iterator[Any]:
        for i in range(3):
            taken.append(i)
            yield batch.slice(10 * i, 10)

    rest = score(some())
    assert taken == []
    first = next(rest)
    assert taken == [0]
    assert type(first) is pa.RecordBatch
    assert pa.Table.from_batches([first, *rest]).equals(whole)
    assert whole.schema.equals(score.schema(table().schema))


@pytest.mark.parametrize("of", ["large_string", "string_view", "dictionary", "null"])
def test_text_of_any_type_is_text(model: Run, of: str) -> None:
    score = microgpt.score_batches(model, column="name")
    texts = pa.array([None] * len(TEXTS)) if of == "null" else table()["name"]
    if of == "dictionary":
        texts = texts.dictionary_encode()
    elif of != "null":
        texts = texts.cast(getattr(pa, of)())
    found = score(table().set_column(1, "name", texts))
    assert str(found.schema.field("name").type).startswith(of)
    assert found["loss"].to_pylist() == (
        [None] * len(TEXTS) if of == "null" else score(table())["loss"].to_pylist()
    )


def test_a_frame_of_pandas_keeps_its_index_and_types_do_not_depend_on_its_rows(model: Run) -> None:
    pd = pytest.importorskip("pandas")
    score = microgpt.score_batches(model, column="name", flag_rate=0.2)
    labels = [f"row {i % 5}" for i in range(len(TEXTS))]
    frame = pd.DataFrame({"id": range(len(TEXTS)), "name": TEXTS}, index=labels)
    found = score(frame)
    assert found.index.tolist() == labels
    assert frame.columns.tolist() == ["id", "name"]
    told = score(table())
    for name in (*SCORES, "flagged"):
        column = found[name].astype(object)
        assert column.where(column.notna(), None).tolist() == told[name].to_pylist()
    for part in (frame.iloc[:0], frame.iloc[:1], frame.iloc[2:3]):
        assert score(part).dtypes.tolist()[2:] == found.dtypes.tolist()[2:]


def test_names_that_are_there_stay_and_the_model_s_say_so(model: Run) -> None:
    score = microgpt.score_batches(model, column="name")
    again = score(score(table()))
    assert again.column_names == ["id", "name", *SCORES, *(f"model_{name}" for name in SCORES)]
    assert again["model_loss"].equals(again["loss"])
    with pytest.raises(UsageError, match='"loss" and "model_loss" must not both be there already'):
        score(again)


@pytest.mark.slow
def test_little_travels_and_another_process_gives_the_same_rows(model: Run, tmp_path: Path) -> None:
    score = microgpt.score_batches(model, column="name", flag_rate=0.2, suggest=True)
    packed = pickle.dumps(score)
    assert len(packed) < 1000
    assert pickle.loads(packed) == score
    (tmp_path / "score").write_bytes(packed)
    pq.write_table(table(), "in.parquet")
    (tmp_path / "elsewhere").mkdir()
    program = (
        "import pickle, pyarrow.parquet as pq\n"
        "with open('../score', 'rb') as file:\n"
        "    score = pickle.load(file)\n"
        "pq.write_table(score(pq.read_table('../in.parquet')), '../out.parquet')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path / "elsewhere")
    assert pq.read_table("out.parquet").equals(score(table()))


def test_a_process_opens_a_run_once_however_many_threads_ask(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class Counted(Run):
        def __init__(self, folder: Path, *how: Any) -> None:
            opened.append(folder)
            super().__init__(folder, *how)

    score = microgpt.score_batches(copy, column="name")
    monkeypatch.setattr(workers, "Run", Counted)
    workers._opened.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: pickle.loads(pickle.dumps(score))(table()), range(16))]
    assert opened == [copy]
    assert all(one.equals(found[0]) for one in found)


def test_a_worker_goes_by_the_run_s_folder_alone(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "reference.safetensors").unlink()
    score = microgpt.score_batches(copy, column="name", flag_rate=0.2)
    assert (copy / "reference.safetensors").exists()

    def read(run: Run) -> Any:
        raise AssertionError("a worker reads no documents")

    monkeypatch.setattr(Run, "documents", property(read))
    found = score(table())
    assert found["percentile"].null_count == 3
    assert found["percentile"].to_pylist()[0] > 0


def test_a_run_that_is_not_there_is_looked_for_in_the_working_folder(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = microgpt.score_batches(copy, column="name")
    moved = tmp_path / "worker" / "mine"
    moved.parent.mkdir()
    copy.rename(moved)
    with pytest.raises(RunError, match=r"mine: no such run on .*the folder mine along"):
        score(table())
    monkeypatch.chdir(moved.parent)
    assert score(table())["loss"].null_count == 3
    workers._opened.cache_clear()
    log = moved / "log.jsonl"
    log.write_text(log.read_text() + "\n")
    with pytest.raises(RunError, match=r"mine: must be the run that score_batches was called with"):
        score(table())


def test_what_cannot_be_scored_is_said_before_anything_is_computed(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match=r"^nowhere: no such run"):
        microgpt.score_batches("nowhere", column="name")
    with pytest.raises(UsageError, match="suggest must go with flag_rate"):
        microgpt.score_batches(model, column="name", suggest=True)
    with pytest.raises(UsageError, match="threads must be a whole number from 1 to"):
        microgpt.score_batches(model, column="name", threads=0)
    score = microgpt.score_batches(model, column="name")

    def compute(*_: object) -> Any:
        raise AssertionError("it computes")

    monkeypatch.setattr(batches, "open_once", compute)
    for ask in (score, lambda given: score.schema(given.schema)):
        with pytest.raises(UsageError, match='column must be one of id, title; got "name"'):
            ask(table().rename_columns(["id", "title"]))
        with pytest.raises(UsageError, match='column "name" must hold text; its type is int64'):
            ask(table().rename_columns(["name", "text"]))
    with pytest.raises(UsageError, match=r"got dict\. In Ray: map_batches\(score, batch_format="):
        score({"name": ["ada"]})
    several = microgpt.score_batches(model)
    with pytest.raises(UsageError, match="column must be one of id, name; got none"):
        several.schema(table().schema)
    assert several.schema(pa.schema([("t", pa.string())])).names == ["t", *SCORES]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="score_batches needs pyarrow"):
        microgpt.score_batches(model, column="name")


def test_a_run_that_held_nothing_out_flags_nothing(tmp_path: Path) -> None:
    few = microgpt.train(
        TINY, out=tmp_path / "few", engine="scalar", preset="microgpt", n_embd=4, n_head=1,
        block_size=6, steps=2, holdout=0.0,
    )  # fmt: skip
    found = microgpt.score_batches(few, column="name")(table(["ada", "xqz"]))
    assert found["percentile"].to_pylist() == [None, None]
    assert found.schema.field("percentile").type == pa.float64()
    with pytest.raises(UsageError, match="flag-rate needs held-out documents"):
        microgpt.score_batches(few, column="name", flag_rate=0.01)
