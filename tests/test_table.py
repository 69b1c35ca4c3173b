"""A run's table of many texts: what score says of each, in a data frame of the caller's kind."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.errors import UsageError
from microgpt.runs.run import Run
from tests.conftest import TINY

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

WORDS = [*TINY, *(a + b for a in TINY for b in TINY)]
TEXTS = ["ada", "anna", "xqz", "lea", "noaa", "bob\u00e9"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return microgpt.train(
        WORDS, out=tmp_path_factory.mktemp("home") / "run", engine="scalar", preset="microgpt",
        n_embd=4, n_head=1, block_size=6, steps=40, batch_size=4, holdout=0.3,
    )  # fmt: skip


def test_the_table_says_what_the_command_line_says(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.txt").write_text("\n".join(TEXTS), "utf-8")
    words = f"score {run.folder} t.txt --format jsonl --flag-rate 0.05"
    assert cli(words.split()) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    table = run.table(TEXTS, flag_rate=0.05)
    assert table.text.tolist() == [one["text"] for one in told]
    for name, places in (("loss", 4), ("bits", 4), ("percentile", 2)):
        assert table[name].round(places).tolist() == pytest.approx(
            [one[name] for one in told], abs=10**-places
        )
    for name in ("span", "unknown", "flagged"):
        assert table[name].tolist() == [one[name] for one in told]
    assert table.flagged.any()


def test_the_index_and_the_gaps_of_a_series_stay(run: Run) -> None:
    series = pd.Series(["ada", None, "xqz"], index=["x", "y", "z"])
    table = run.table(series)
    assert table.index.tolist() == ["x", "y", "z"]
    assert table.loc["y"].isna().all()
    alone = run.table(["ada", "xqz"])
    assert table.loc[["x", "z"], "loss"].tolist() == alone.loss.tolist()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_frame_is_answered_with_one_of_its_own_library(run: Run, library: str) -> None:
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library]
    frame = make({"id": [1, 2, 3], "name": ["ada", None, "xqz"]})
    table = run.table(frame, column="name")
    assert type(table).__module__.partition(".")[0] == library
    losses = table["loss"].to_pylist() if library == "pyarrow" else list(table["loss"])
    expected = run.table(["ada", "xqz"]).loss.tolist()
    assert [losses[0], losses[2]] == expected
    assert losses[1] is None or math.isnan(losses[1])


def test_losses_are_those_of_score(run: Run) -> None:
    table = run.table(TEXTS)
    assert table.loss.tolist() == pytest.approx([run.score(text).loss for text in TEXTS])
    assert table.bits.tolist() == pytest.approx([run.score(text).bits for text in TEXTS])


def test_suggestions_are_for_what_is_flagged_alone(run: Run, monkeypatch: Any) -> None:
    table = run.table(TEXTS * 2, flag_rate=0.2)
    assert table.suggestion[~table.flagged.astype(bool)].isna().all()
    assert "suggestion" not in run.table(TEXTS, suggest=False).columns
    asked: list[str] = []

    def suggest(self: object, texts: list[str], starts: Any, stops: Any) -> list[None]:
        asked.extend(texts)
        return [None] * len(texts)

    monkeypatch.setattr("microgpt.scoring.suggest.Suggester.suggest", suggest)
    flagged = run.table(TEXTS * 2, flag_rate=0.2)
    assert sorted(asked) == sorted(set(flagged.text[flagged.flagged.astype(bool)]))


def test_a_run_that_held_too_few_out_flags_nothing_unless_it_is_asked_to(tmp_path: Path) -> None:
    few = microgpt.train(
        TINY, out=tmp_path / "few", engine="scalar", preset="microgpt", n_embd=4, n_head=1,
        block_size=6, steps=5, holdout=0.0,
    )  # fmt: skip
    table = few.table(["ada", "xqz"])
    with pytest.raises(UsageError, match="this run held no documents out"):
        few.evaluate()
    assert table.flagged.isna().all()
    assert table.percentile.isna().all()
    assert table.suggestion.isna().all()
    assert np.isfinite(table.loss).all()
    with pytest.raises(UsageError, match="flag-rate needs held-out documents"):
        few.table(["ada"], flag_rate=0.01)


def test_an_empty_column_makes_an_empty_table(run: Run) -> None:
    assert len(run.table([])) == 0
    assert run.table(pd.Series([None, None])).loss.isna().all()


def test_a_value_that_is_no_text_is_named(run: Run) -> None:
    with pytest.raises(UsageError, match="text 1 must be a string; got 5"):
        run.table(["ada", 5])


def test_an_estimator_explains_what_it_predicts() -> None:
    sklearn = pytest.importorskip("microgpt.sklearn")
    model = sklearn.TextDensity(
        preset="microgpt", steps=60, n_embd=4, n_head=1, block_size=6, contamination=0.1,
        holdout=0.3, engine="scalar", random_state=0,
    ).fit(WORDS)  # fmt: skip
    texts = pd.Series(["ada", "xqzv", None, "lea"], index=list("abcd"))
    table = model.explain(texts)
    told = texts.dropna()
    assert (table.flagged[told.index].astype(bool) == (model.predict(told) < 0)).all()
    assert table.index.tolist() == list("abcd")
    assert math.isnan(table.loss["c"])
    positions = [len(text) + 1 for text in told]
    log_p = -table.loss[told.index] * positions
    assert log_p.tolist() == pytest.approx(model.score_samples(told).tolist())
    assert table.percentile[told.index].notna().all()


def test_a_score_has_its_loss_percentile_and_span(run: Run) -> None:
    table = run.table(TEXTS)
    for text, row in zip(TEXTS, table.itertuples()):
        one = run.score(text)
        assert one.loss == one.mean == one.sum.mean == pytest.approx(row.loss)
        assert one.percentile == pytest.approx(row.percentile)
        assert one.span == row.span


def test_a_run_on_documents_in_memory_keeps_those_held_out_and_can_be_evaluated(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = microgpt.load(run.folder)
    lines = (run.folder / "heldout.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == list(opened.held_out)
    assert set(opened.held_out) < set(WORDS)
    assert opened.evaluate().loss == pytest.approx(opened.evaluate(list(opened.held_out)).loss)
    assert cli(["evaluate", str(run.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["loss"] == pytest.approx(opened.evaluate().loss)
    assert told["documents"] == len(lines)


def test_a_run_on_a_file_keeps_no_documents(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(WORDS))
    made = microgpt.train(
        tmp_path / "t.txt", out=tmp_path / "r", engine="scalar", preset="microgpt", n_embd=4,
        n_head=1, block_size=6, steps=2, holdout=0.3,
    )  # fmt: skip
    assert not (made.folder / "heldout.jsonl").exists()
