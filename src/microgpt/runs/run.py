"""A trained model and its folder: sampling, scoring, its log, its documents, resuming.

In: a run's folder. Out: a `Run`, the package's interface for Python programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microgpt.counting.ladder import Ladder, enough, ladder, ngram
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.counting.pairs import Counts
from microgpt.data.batch import Batch, lay_out
from microgpt.data.split import split
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import encode_all
from microgpt.engines import open_engine
from microgpt.engines.contract import Engine, Predictor
from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum
from microgpt.runs import checkpoint
from microgpt.runs.counts import load_counts
from microgpt.runs.documents import read_again
from microgpt.runs.folder import find_run
from microgpt.runs.log import Log, read
from microgpt.runs.model import Model
from microgpt.runs.sound import Sound
from microgpt.training.progress import Checkpoint
from microgpt.wording import count

if TYPE_CHECKING:
    from microgpt.evaluation import Evaluation
    from microgpt.runs.usual import Usual


class Run(Model):
    """A run's folder, whose files are read when they are needed.

    Args:
        folder: as `train` has made it.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.

    Raises:
        RunError: the folder is not a run, or is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        engine: str = "auto",
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.settings, self.tokenizer = checkpoint.read_settings(self.folder)
        self._engine = (engine, threads, device)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the run's settings and its learning curve."""
        from microgpt.runs.shown import shown

        return shown(self.folder, self.settings, self.log, self.tokenizer.unit)

    @cached_property
    def _saved(self) -> Checkpoint:
        return checkpoint.load(self.folder, self.settings.model)

    @cached_property
    def engine(self) -> Engine:
        """The engine with the GPT's parameters."""
        name, threads, device = self._engine
        opened = open_engine(name, self.settings.model, threads=threads, device=device)
        opened.load(self._saved.state)
        return opened

    @cached_property
    def gpt(self) -> Predictor:
        """The GPT alone, which raises a RunError if a result is not finite."""
        return Sound(self.engine, self.folder)

    @cached_property
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not mixed."""
        saved = self._saved
        if saved.weight is None:
            return None
        counts = load_counts(self.folder, self.tokenizer, saved.settings)
        return Mixture(self.gpt, counts, saved.weight)

    @property
    def log(self) -> Log:
        """The log of the training."""
        return read(self.folder)

    @cached_property
    def documents(self) -> tuple[Texts, Texts]:
        """The training documents and the held-out ones, read again.

        Raises:
            RunError, DataError: they are missing, or have changed.
        """
        return split(read_again(self.folder, self.settings), self.settings.training.holdout)

    @cached_property
    def usual(self) -> Usual | None:
        """The losses of the held-out documents, read or measured; None: no document was held out.

        Raises:
            RunError, DataError: the folder lacks them, and the documents are missing.
        """
        from microgpt.runs import usual  # which loads scoring

        of = usual.fingerprint(self.engine, self.mixture)
        return usual.find(
            self.folder, self.predictor, of, self.tokenizer, self.settings, lambda: self.documents
        )

    def table(
        self,
        texts: Any,
        *,
        column: str | None = None,
        flag_rate: float | None = None,
        suggest: bool = True,
    ) -> Any:
        """Return a data frame that says of many texts how surprising each is, and where.

        Args:
            texts: strings, in a list, an array, a Series or an Arrow column; or a data frame.
            column: of a data frame.
            flag_rate: the share of good texts to flag, as `microgpt score --flag-rate`. None: 0.01
                if enough documents were held out, else none is flagged.
            suggest: whether to look for what was probably meant by those that are flagged.

        Returns:
            A frame of the caller's library (pandas, polars or Arrow), or of the first one that is
            installed, with a row for each value, and a Series' index: `text`; `loss`, nats a
            position; `bits`, the same in bits; `percentile`, how many of 100 held-out texts of
            similar length surprise less; `span`, the part that surprises most; `unknown`, how many
            characters the vocabulary lacks; `flagged`; `suggestion`, the likeliest text one edit
            away. Where a text is missing (None, NaN), so is all of this.

        Raises:
            UsageError: a value is neither a string nor missing; or there are too few held-out
                documents for the rate.
            MissingExtra: no library for data frames is installed.
        """
        from microgpt.runs.explained import explain

        return explain(self, texts, column, flag_rate, suggest=suggest)

    def write_samples(self) -> None:
        """Write `samples.txt` into the folder, as a training does at its end."""
        checkpoint.write_samples(self.folder, self.sample(20))

    def evaluate(self, texts: Iterable[str] | None = None) -> Evaluation:
        """Evaluate the model on documents; None: on the held-out ones.

        Raises:
            UsageError: there are none.
        """
        return super().evaluate(self._held_out() if texts is None else texts)

    def _held_out(self) -> Sequence[str]:
        if not self.documents[1]:
            raise UsageError("texts must be given: this run held no documents out.")
        return self.documents[1]

    def resume(self, documents: Sequence[str] | None = None, *, progress: bool = False) -> Run:
        """Resume an interrupted training to its end, exactly as if it had never stopped.

        An interruption saves the run again. A complete training is not changed.

        Args:
            documents: the run's documents, if they did not come from a file.
            progress: whether to show a progress bar, in a terminal or a notebook.

        Returns:
            This run, with its new parameters.

        Raises:
            RunError: the run is in use, or its documents are missing or have changed.
            DivergedError: the loss is not finite.
            KeyboardInterrupt: the training was interrupted; it is saved.
        """
        from microgpt.runs import foreground, prepare  # which load all that trains

        if documents is None and "-" in self.settings.source.files:
            raise RunError(f"{self.folder}: its documents came through a pipe; give them again.")
        name, threads, device = self._engine
        engine = None if name == "auto" else name
        session = prepare.resume(self.folder, documents, engine, threads, device)
        try:
            foreground.finish(session, progress=progress, stacklevel=3)
        finally:  # the cached properties are of the old parameters
            for name in ("_saved", "engine", "gpt", "mixture", "pricer", "codec", "usual"):
                vars(self).pop(name, None)
        self.write_samples()
        return self

    @cached_property
    def ngram(self) -> NGram:
        """The n-gram model of the training documents whose n has the lowest held-out loss.

        Raises:
            RunError, DataError: the documents are missing, or have changed.
        """
        trained, held_out = map(self._lay_out, self.documents)
        return ngram(trained, self.tokenizer, held_out)

    def ladder(self, texts: Sequence[str] | None = None) -> Ladder:
        """Compare the model with baselines on documents; None: on the held-out ones.

        Raises:
            UsageError: there are none.
            RunError, DataError: the training documents are missing, or have changed.
        """
        what = "document" if texts is not None else "held-out document"
        texts = self._held_out() if texts is None else list(texts)
        if not texts:
            raise UsageError("texts must not be empty; got none.")
        model = LossSum.of(np.concatenate(self.losses(texts)))
        baselines, alone, mixes = self.baselines(texts), self.alone(texts), self.weight is not None
        return Ladder(count(len(texts), what), baselines, model, self.ngram.n, alone, mixes)

    def baselines(self, texts: Sequence[str], *, seen: bool = False) -> dict[str, LossSum]:
        """Return the losses of the baselines, which have counted the training documents.

        Args:
            texts: the documents to measure.
            seen: whether they are training documents: then the n-gram and `xz`, which would have
                memorised them, are left out.

        Raises:
            RunError, DataError: the training documents are missing, or have changed.
        """
        from microgpt.counting.beside import beside
        from microgpt.counting.xz import xz

        (trained, held_out), measured = self.documents, self._lay_out(texts)
        size = None if seen else beside(lambda: xz(trained, texts, measured.positions))
        batch = self._lay_out(trained)
        pairs = Counts.of(batch, self.tokenizer.vocab_size)
        batch = enough(batch)  # drops the other documents, to save memory
        if not seen and "ngram" not in vars(self):
            self.ngram = ngram(batch, self.tokenizer, self._lay_out(held_out))
        rungs = ladder(pairs, measured, self.tokenizer, None if seen else self.ngram)
        return {**rungs, "xz": size()} if size else rungs

    def _lay_out(self, texts: Iterable[str]) -> Batch:
        encoded = encode_all(self.tokenizer, texts)
        return lay_out(encoded, self.tokenizer.bos, self.settings.model.block_size).batch


def load(
    run: str | Path | None = None,
    *,
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
) -> Run:
    """Open a run.

    Args:
        run: its folder, or its name in runs/; None: the newest run in runs/.
        engine: "auto", "native" or "scalar".
        threads: the most threads to use; None: one for each processor.
        device: "cpu".

    Raises:
        RunError: there is no such run, or it is damaged.
    """
    return Run(find_run(run), engine, threads, device)
