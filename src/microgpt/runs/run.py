"""A trained model and its folder: sampling, scoring, its log, its documents, resuming.

In: a run's folder. Out: a `Run`, the package's interface for Python programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microgpt.counting.mixture import Mixture
from microgpt.data.corpus import MEMORY
from microgpt.data.split import split
from microgpt.data.texts import Texts
from microgpt.engines import open_engine
from microgpt.engines.contract import Engine, Predictor
from microgpt.errors import RunError
from microgpt.runs import checkpoint
from microgpt.runs.compared import Compared
from microgpt.runs.counts import load_mixture
from microgpt.runs.documents import read_again, read_held_out
from microgpt.runs.folder import find_run
from microgpt.runs.log import Log, read
from microgpt.runs.sound import Sound
from microgpt.runs.tracking import Track
from microgpt.training.progress import Checkpoint

if TYPE_CHECKING:
    from microgpt.evaluation import Evaluation
    from microgpt.runs.usual import Usual
    from microgpt.scoring.reference import Judge
    from microgpt.scoring.score import Score


class Run(Compared):
    """A run's folder, whose files are read when they are needed.

    Args:
        folder: as `train` has made it.
        engine: by name, or "auto".
        threads, device: for the engine.

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
        self.computes_with = (engine, threads, device)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the run's settings and its learning curve."""
        from microgpt.runs.shown import shown

        return shown(self.folder, self.settings, self.log, self.tokenizer.unit)

    @cached_property
    def _saved(self) -> Checkpoint:
        return checkpoint.load(self.folder, self.settings.model, self.settings.training.models)

    @cached_property
    def engine(self) -> Engine:
        """The engine with the parameters of the GPT, or of all GPTs of an ensemble."""
        name, threads, device = self.computes_with
        config, models = self.settings.model, self.settings.training.models
        opened = open_engine(name, config, threads=threads, device=device, models=models)
        opened.load(self._saved.state)
        return opened

    @cached_property
    def gpt(self) -> Predictor:
        """The GPT or GPTs alone, with a RunError if a result is not finite."""
        return Sound(self.engine, self.folder)

    @cached_property
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not mixed."""
        return load_mixture(self.folder, self.gpt, self.tokenizer, self._saved)

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
    def held_out(self) -> Texts:
        """The documents held out, which a run keeps if they came from a Python program.

        Raises:
            RunError, DataError: they cannot be found any more, or have changed.
        """
        if self.settings.source == MEMORY and not self.settings.training.holdout:
            return Texts.of([])
        kept = read_held_out(self.folder) if self.settings.source == MEMORY else None
        return self.documents[1] if kept is None else kept

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

    @cached_property
    def judge(self) -> Judge:
        """What says how rare a text is beside held-out documents, as far as that is known."""
        from microgpt.runs.judging import judging  # which knows what a run is

        return judging(self).judge

    def scores(self, texts: Iterable[str]) -> Iterator[Score]:
        """Price texts character by character, in their order, each with its percentile."""
        judge = self.judge
        for one in super().scores(texts):
            rarer = judge.percentiles(np.array([len(one.text)]), np.array([one.loss]))
            percentile = None if rarer is None else float(rarer[0])
            yield replace(one, usual=judge.usual, percentile=percentile)

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
            A frame of the caller's library (pandas, polars, Arrow), or of the first installed one,
            a row a value, with a Series' index: `text`; `loss`, nats a position; `bits`;
            `percentile`, how many of 100 held-out texts of similar length surprise less; `span`,
            the part that surprises most; `unknown` characters; `flagged`; `suggestion`, the
            likeliest text one edit away. Where a text is missing (None, NaN), so is all of this.

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

    def resume(
        self, documents: Sequence[str] | None = None, *, progress: bool = False, track: Track = None
    ) -> Run:
        """Resume an interrupted training to its end, exactly as if it had never stopped.

        An interruption saves the run again. A complete training stays. Returns the run, renewed.

        Args:
            documents: the run's documents, if they did not come from a file.
            progress: whether to show a progress bar, in a terminal or a notebook.
            track: trackers, beside those that the run has had; "none": no tracker.

        Raises:
            RunError: the run is in use, or its documents are missing or have changed.
            DivergedError: the loss is not finite.
            KeyboardInterrupt: the training was interrupted; it is saved.
        """
        from microgpt.runs import foreground, prepare  # which load all that trains

        if documents is None and "-" in self.settings.source.files:
            raise RunError(f"{self.folder}: its documents came through a pipe; give them again.")
        name, threads, device = self.computes_with
        engine = None if name == "auto" else name
        session = prepare.resume(self.folder, documents, engine, threads, device, track)
        try:
            foreground.finish(session, progress=progress, stacklevel=3)
        finally:  # the cached properties are of the old parameters
            for name in ("_saved", "engine", "gpt", "mixture", "pricer", "codec", "usual", "judge"):
                vars(self).pop(name, None)
        self.write_samples()
        return self


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
        engine: "auto", "native", "torch" or "scalar".
        threads: the most threads to use; None: one for each processor.
        device: "cpu"; with the torch engine also "cuda" or "mps".

    Raises:
        RunError: there is no such run, or it is damaged.
    """
    return Run(find_run(run), engine, threads, device)
