"""Documents from a Python program: columns of every kind, and what is missing in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.data import corpus
from microgpt.data.column import TextColumn
from microgpt.errors import DataError, UsageError

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

TINY: Any = {
    "steps": 2, "n_embd": 2, "n_head": 1, "block_size": 4, "engine": "scalar", "holdout": 0.0,
    "preset": "microgpt",
}  # fmt: skip

# Each makes a column of "ada", nothing, "bea".
COLUMNS: dict[str, Callable[[], Any]] = {
    "a list": lambda: ["ada", None, "bea"],
    "a tuple": lambda: ("ada", float("nan"), "bea"),
    "a generator": lambda: (text for text in ("ada", None, "bea")),
    "an array of objects": lambda: np.array(["ada", np.nan, "bea"], dtype=object),
    "a Series": lambda: pd.Series(["ada", None, "bea"], index=["x", "y", "z"]),
    "a Series of strings": lambda: pd.Series(["ada", pd.NA, "bea"], dtype="string"),
    "a Series with NaT": lambda: pd.Series(["ada", pd.NaT, "bea"], dtype=object),
    "a categorical Series": lambda: pd.Series(["ada", None, "bea"], dtype="category"),
    "a data frame of one column": lambda: pd.DataFrame({"name": ["ada", None, "bea"]}),
    "a Series of polars": lambda: pl.Series(["ada", None, "bea"]),
    "a data frame of polars": lambda: pl.DataFrame({"name": ["ada", None, "bea"]}),
    "an Arrow array": lambda: pa.array(["ada", None, "bea"]),
    "an Arrow column in chunks": lambda: pa.chunked_array([["ada"], [None, "bea"]]),
    "an Arrow table": lambda: pa.table({"name": ["ada", None, "bea"]}),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_of_any_kind_has_its_strings_and_where_they_stood(kind: str) -> None:
    column = TextColumn.of(COLUMNS[kind]())
    assert column.texts == ["ada", "bea"]
    assert all(type(text) is str for text in column.texts)
    assert (column.places, column.length, column.missing) == ([0, 2], 3, 1)


@pytest.mark.parametrize("kind", COLUMNS)
def test_what_is_missing_is_skipped_and_said_never_learnt_as_nan(kind: str) -> None:
    read = corpus.from_documents(COLUMNS[kind]())
    assert list(read.documents) == ["ada", "bea"]
    assert read.notes == ("1 of 3 documents is missing (None or NaN): skipped.",)


def test_an_index_is_kept_and_the_library_known() -> None:
    column = TextColumn.of(COLUMNS["a Series"]())
    assert (list(column.index), column.library) == (["x", "y", "z"], "pandas")
    assert TextColumn.of(COLUMNS["an Arrow table"]()).library == "pyarrow"
    assert TextColumn.of(["ada"]).library is None


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_column_of_a_data_frame_is_named(make: Callable[..., Any], tmp_path: Path) -> None:
    frame = make({"id": [1, 2], "name": ["ada", "bea"]})
    run = microgpt.train(frame, column="name", out=tmp_path / "run", **TINY)
    assert run.settings.documents == 2
    for column, got in ((None, "none"), ("nam", '"nam"')):
        with pytest.raises(UsageError, match=f"column must be one of id, name; got {got}"):
            microgpt.train(frame, column=column, out=tmp_path / "other", **TINY)
    assert not (tmp_path / "other").exists()


def test_a_training_warns_of_what_is_missing_and_names_itself_without_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"1 of 3 documents is missing \(None or NaN\): skipped"):
        run = microgpt.train(pd.Series(["ada", None, "bea"]), **TINY)
    assert str(run.folder) == "runs/documents-1"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert microgpt.train(["ada", "bea"], **TINY).folder.name == "documents-2"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "documents must be a list, an array or a column of strings; got int."),
        (np.array([["a", "b"]]), "documents must be .*; got ndarray of shape \\(1, 2\\)."),
        ([1], "document 0 must be a string; got 1."),
        (pd.Series([1, 2]), "document 0 must be a string; got 1. Try .astype\\(str\\)."),
        (b"ab", "documents must be many strings; got one, b'ab'."),
    ],
)
def test_what_is_no_column_of_strings_is_refused(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        microgpt.train(data, out=tmp_path / "run", **TINY)


def test_a_column_without_any_text_is_refused() -> None:
    with pytest.raises(DataError, match=r"no documents but missing ones \(2\)"):
        corpus.from_documents([None, float("nan")])
    with pytest.raises(DataError, match=r"no documents but blank ones \(1\)"):
        corpus.from_documents([None, " "])


def test_a_column_stands_with_a_file_or_a_frame_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column must stand with a file or a data frame"):
        microgpt.train(["ada"], column="name", out=tmp_path / "run", **TINY)
    with pytest.raises(UsageError, match=r"encoding must stand with a file; got documents\."):
        microgpt.train(["ada"], encoding="latin-1", out=tmp_path / "run", **TINY)
