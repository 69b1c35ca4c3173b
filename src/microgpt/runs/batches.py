"""Scores beside the rows of Arrow tables: what Ray, Spark and Dask call on each of their batches.

In: a run, and which column has the texts. Out: a `BatchScorer`: a small object that travels to
other processes, and returns each batch with the columns of `microgpt score`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from microgpt.data.column import TextColumn
from microgpt.errors import MissingExtra, UsageError
from microgpt.frames import library_of
from microgpt.runs.arrow import arrow, column_of_text, spread, types_of_kinds, widened
from microgpt.runs.folder import find_run
from microgpt.runs.judging import judging
from microgpt.runs.run import Run
from microgpt.runs.workers import Address, open_once
from microgpt.scoring.rows.fields import KINDS, fields, free
from microgpt.scoring.rows.values import values

# Rows whose texts are Python strings at once.
_ROWS = 1 << 15


def score_batches(
    run: Run | str | Path | None = None,
    *,
    column: str | None = None,
    flag_rate: float | None = None,
    suggest: bool = False,
    engine: str = "auto",
    threads: int = 1,
    device: str | None = None,
) -> BatchScorer:
    """Return what scores the texts of Arrow tables, here or on the workers of a cluster.

    It takes a table and returns it with columns added: those of `microgpt score RUN FILE -o
    rows.parquet`, of the same types; numbers are not rounded. It goes as it is into Ray's
    `map_batches`, Spark's `mapInArrow` and Dask's `map_partitions`. Less than a kilobyte travels to
    a worker: the run's path and a fingerprint of its files. A worker looks for the run at that path
    and in its working folder, refuses one with another fingerprint, and opens it once.

    With the native engine and the scalar one a text has the same scores to the last bit, whatever
    stands beside it; with PyTorch's they depend on the batch, by rounding.

    Args:
        run: an opened run, its folder, or its name in runs/; None: the newest run in runs/.
        column: the column of texts; None: the table has one alone.
        flag_rate: the share of good texts to flag; None: there is no column `flagged`.
        suggest: whether to add what was probably meant by flagged texts, and its loss.
        engine: "auto", "native", "torch" or "scalar"; workers use the one that is chosen here.
        threads: the most threads of each process: a cluster has a process for each core.
        device: "cpu"; with the torch engine also "cuda" or "mps".

    Raises:
        RunError: there is no such run, or it is damaged.
        UsageError: the run held out too few documents for the rate; or `suggest` without a rate.
        MissingExtra: pyarrow is not installed.

    >>> import tempfile, pyarrow, microgpt
    >>> run = microgpt.train(["emma", "ava", "anna"], preset="microgpt", steps=5, n_embd=4,
    ...     n_head=1, out=tempfile.mkdtemp())
    >>> score = microgpt.score_batches(run, column="name")
    >>> table = score(pyarrow.table({"id": [7, 8], "name": ["emma", None]}))
    >>> table.column_names
    ['id', 'name', 'loss', 'bits', 'percentile', 'span', 'unknown']
    >>> table["loss"].to_pylist() == [run.table(["emma"])["loss"][0], None]
    True
    """
    try:
        import_module("pyarrow")
    except ImportError:
        raise MissingExtra(
            "score_batches needs pyarrow, which is not installed. "
            "Try: pip install 'microgpt-lm[tables]'"
        ) from None
    if suggest and flag_rate is None:
        raise UsageError("suggest must go with flag_rate, which says for which texts.")
    if isinstance(run, Run):
        folder, engine = run.folder, run.engine.name if engine == "auto" else engine
    else:
        folder = find_run(run)
    # As the workers will.
    opened = Run(folder, engine, threads, device)
    # What is missing in the folder is measured now, and written: workers go by that alone.
    judging(opened, flag_rate)
    judging(opened, flag_rate, kept=True)
    address = Address.of(folder, opened.engine.name, threads, device)
    return BatchScorer(address, column, flag_rate, suggest)


@dataclass(frozen=True)
class BatchScorer:
    """Adds columns of scores to tables; made by `score_batches`.

    Attributes:
        address: of the run.
        column: with the texts; None: the only one.
        flag_rate: the share of good texts that is flagged.
        suggest: whether suggestions are added.
    """

    address: Address = field(repr=False)
    column: str | None
    flag_rate: float | None
    suggest: bool

    def schema(self, given: Any) -> Any:
        """Return the schema of the tables that are returned.

        Args:
            given: the schema of those that come: a `pyarrow.Schema`, or Spark's `StructType`.

        Raises:
            UsageError: there is no such column, it holds no text, or a name is taken.
        """
        column_of_text(given, self.column)
        return widened(given, self._added(given.names))

    def __call__(self, batch: Any) -> Any:
        """Return a batch with columns of scores: null where a text is missing or blank.

        Args:
            batch: a `pyarrow.Table` or a `RecordBatch`; a data frame of pandas, which keeps its
                index; or an iterator of these, for which an iterator is returned.

        Raises:
            UsageError: there is no such column, it holds no text, or a name is taken.
            RunError: this machine does not have the run, or has another one in its place.
        """
        library, kind = library_of(batch), type(batch).__name__
        if isinstance(batch, Iterator):
            return map(self, cast("Iterator[Any]", batch))
        if library == "pyarrow" and kind in ("Table", "RecordBatch"):
            schema = self.schema(batch.schema)
            ours = self._scores(batch.column(column_of_text(batch.schema, self.column)))
            if kind == "RecordBatch":
                ours = [arrow().concat_arrays(one.chunks) for one in ours]
            return getattr(arrow(), kind).from_arrays([*batch.columns, *ours], schema=schema)
        if library == "pandas" and kind == "DataFrame":
            return self._beside(batch)
        raise UsageError(
            "batch must be an Arrow table or record batch, a data frame of pandas, or an iterator "
            f'of these; got {kind}. In Ray: map_batches(score, batch_format="pyarrow").'
        )

    @property
    def _kinds(self) -> dict[str, str]:
        """The kind of each column that is added."""
        flagged = ("flagged",) if self.flag_rate is not None else ()
        meant = ("suggestion", "suggestion_loss") if self.suggest else ()
        return {name: KINDS[name] for name in fields(*flagged, *meant)}

    def _added(self, names: Sequence[str]) -> dict[str, str]:
        """Return the same by the names that the columns get beside those that are there."""
        added = {free(name, names): kind for name, kind in self._kinds.items()}
        if taken := [name for name in added if name in names]:
            plain = taken[0].removeprefix("model_")
            raise UsageError(
                f'columns "{plain}" and "{taken[0]}" must not both be there already. Drop one.'
            )
        return added

    def _beside(self, frame: Any) -> Any:
        """Return a data frame of pandas with columns added."""
        pandas: Any = import_module("pandas")
        added = self._added([*map(str, frame.columns)])
        given = TextColumn.of(frame, self.column, "text")
        texts: list[str | None] = [None] * given.length
        for place, text in zip(given.places, given.texts):
            texts[place] = text
        columns = self._scores(arrow().array(texts, "string"))
        # Whole numbers stay whole where some are missing, and no type depends on the rows.
        own = {arrow().int64(): pandas.Int64Dtype(), arrow().bool_(): pandas.BooleanDtype()}
        scores = arrow().table(columns, names=[*added]).to_pandas(types_mapper=own.get)
        return pandas.concat([frame, scores.set_axis(frame.index)], axis=1)

    def _scores(self, texts: Any) -> list[Any]:
        """Return the columns of scores as chunked arrays, given those of the texts."""
        types = [types_of_kinds()[kind] for kind in self._kinds.values()]
        chunks = [
            self._some(texts.slice(first, _ROWS).to_pylist(), types)
            for first in range(0, max(len(texts), 1), _ROWS)
        ]
        return [arrow().chunked_array(its, type=one) for *its, one in zip(*chunks, types)]

    def _some(self, texts: list[str | None], types: Sequence[Any]) -> list[Any]:
        """Return an array a column for some texts."""
        is_text_D = np.fromiter(
            (text is not None and text != "" and not text.isspace() for text in texts),
            np.bool_,
            len(texts),
        )
        some = [text for text, is_text in zip(texts, is_text_D.tolist()) if text and is_text]
        model = open_once(self.address, self.flag_rate)
        with model.lock:
            found = values(model.pricer, model.judge, some, suggest=self.suggest)
        columns = [arrow().array(found[name], one) for name, one in zip(self._kinds, types)]
        return spread(columns, is_text_D)
