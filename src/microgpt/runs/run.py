"""A trained model and its folder: sample from it, score with it, evaluate it.

In: a run's folder. Out: a `Run`. This is the package as a Python program uses it; the command line
says the same in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from microgpt import evaluation, sampling
from microgpt.compress import Codec
from microgpt.compress.identity import Identity
from microgpt.counting.ladder import ladder, ngram, xz
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.data import corpus
from microgpt.data.batch import Batch, lay_out
from microgpt.engines import open_engine
from microgpt.engines.contract import Engine, Predictor
from microgpt.errors import UsageError
from microgpt.evaluation import Evaluation
from microgpt.loss import LossSum
from microgpt.runs import checkpoint, prepare, usual
from microgpt.runs import log as log_module
from microgpt.runs.counts import load_counts
from microgpt.runs.log import Log
from microgpt.runs.sound import Sound
from microgpt.runs.usual import Usual
from microgpt.sampling import Choice, Sample
from microgpt.scoring.price import Pricer
from microgpt.scoring.score import Score
from microgpt.training.progress import Checkpoint


class Run:
    """A run's folder, read when asked.

    Args:
        folder: as `train` has made it.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.

    Raises:
        RunError: the folder is no run, or is damaged.
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

    @cached_property
    def _saved(self) -> Checkpoint:
        return checkpoint.load(self.folder, self.settings.model)

    @cached_property
    def engine(self) -> Engine:
        """The GPT, ready to compute, or to be trained on."""
        name, threads, device = self._engine
        opened = open_engine(name, self.settings.model, threads=threads, device=device)
        opened.load(self._saved.state)
        return opened

    @cached_property
    def gpt(self) -> Predictor:
        """The GPT alone, which raises a RunError where what it answers is not finite."""
        return Sound(self.engine, self.folder)

    @cached_property
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not."""
        saved = self._saved
        if saved.weight is None:
            return None
        ngram = load_counts(self.folder, self.tokenizer, saved.settings)
        return Mixture(self.gpt, ngram, saved.weight)

    @property
    def predictor(self) -> Predictor:
        """The model: the mixture, or the GPT where it is not mixed."""
        return self.mixture or self.gpt

    @property
    def weight(self) -> float | None:
        """The share of the counts in a mixture; None: it is none."""
        return self.mixture.weight if self.mixture else None

    @property
    def log(self) -> Log:
        """What the training wrote."""
        return log_module.read(self.folder)

    @cached_property
    def documents(self) -> tuple[list[str], list[str]]:
        """The documents trained on and those held out, read again.

        Raises:
            RunError, DataError: they are not there any more, or have changed.
        """
        read = prepare.read_again(self.folder, self.settings)
        return corpus.split(read, self.settings.training.holdout)

    @cached_property
    def usual(self) -> Usual | None:
        """What usual texts cost: read, or measured if the documents are there; None: none held out.

        Raises:
            RunError, DataError: it is not in the folder, and the documents are not there any more.
        """
        of = usual.fingerprint(self.engine, self.mixture)
        return usual.find(
            self.folder, self.predictor, of, self.tokenizer, self.settings, lambda: self.documents
        )

    @cached_property
    def pricer(self) -> Pricer:
        """What prices texts, many at once."""
        return Pricer(self.predictor, self.tokenizer, self.settings.model.block_size)

    def samples(self, choice: Choice) -> Iterator[Sample]:
        """Yield samples without end."""
        return sampling.samples(
            self.predictor, self.tokenizer, self.settings.model.block_size, choice
        )

    def sample(self, number: int = 10, **choice: Any) -> list[str]:
        """Return new texts; keywords are those of `sample.Choice`.

        Raises:
            UsageError: a value outside its domain, or a prompt the model cannot read.
        """
        return [drawn.text for drawn in islice(self.samples(Choice(**choice)), number)]

    def scores(self, texts: Iterable[str]) -> Iterator[Score]:
        """Price texts character by character, in their order."""
        block_size = self.settings.model.block_size
        return evaluation.scores(self.predictor, self.tokenizer, block_size, texts)

    def score(self, text: str) -> Score:
        """Price one text character by character."""
        return next(self.scores([text]))

    def alone(self, texts: Sequence[str]) -> LossSum | None:
        """Return what texts cost the GPT alone; None: the model is not mixed with counts."""
        if self.weight is None:
            return None
        pricer = Pricer(self.gpt, self.tokenizer, self.settings.model.block_size)
        some = (texts[i : i + evaluation.TEXTS] for i in range(0, len(texts), evaluation.TEXTS))
        return sum((LossSum.of(pricer.price(group).losses_N.tolist()) for group in some), LossSum())

    def evaluate(self, texts: Iterable[str] | None = None) -> Evaluation:
        """Measure on documents; None: on those held out.

        Raises:
            UsageError: there are none.
        """
        if texts is None:
            texts = self.documents[1]
            if not texts:
                raise UsageError("texts must be given: this run held no documents out.")
        if isinstance(texts, str):
            raise UsageError("texts must be a list of strings; got one string.")
        result = evaluation.evaluate(
            self.predictor, self.tokenizer, self.settings.model.block_size, texts
        )
        if not result.documents:
            raise UsageError("texts must not be empty; got none.")
        return result

    @cached_property
    def codec(self) -> Codec:
        """What compresses with this run, and tells what it costs."""
        stream = self.settings.source.stream
        model = self.settings.model

        def identity() -> Identity:
            return Identity.of(self.engine, self.mixture, self.tokenizer, model)

        return Codec(self.predictor, self.tokenizer, model, identity, stream=stream)

    def compress(self, data: bytes) -> bytes:
        """Return any file in the vocabulary in as many bits as its losses, and a header.

        Raises:
            UsageError, DataError: it has what the vocabulary lacks.
        """
        return self.codec.compress(data).data

    def decompress(self, data: bytes) -> bytes:
        """Return the file that `compress` was given.

        Raises:
            DataError: it is damaged, or made by another run, build or machine.
        """
        return self.codec.decompress(data)

    @cached_property
    def ngram(self) -> NGram:
        """The best model that only counts, its length chosen on the held-out documents.

        Raises:
            RunError, DataError: the documents trained on are not there any more.
        """
        trained, held_out = self.documents
        return ngram(self._lay_out(trained), self.tokenizer, self._lay_out(held_out))

    def ladder(self, texts: Sequence[str], *, seen: bool = False) -> dict[str, LossSum]:
        """Measure the baselines on documents, counted on those trained on.

        Args:
            texts: the documents.
            seen: they are among those trained on; n-grams and `xz` would know them by heart, and
                are left out.

        Raises:
            RunError, DataError: the documents trained on are not there any more.
        """
        trained, measured = self.documents[0], self._lay_out(texts)
        counts = None if seen else self.ngram
        rungs = ladder(self._lay_out(trained), measured, self.tokenizer, counts)
        return rungs if seen else {**rungs, "xz": xz(trained, texts, measured.positions)}

    def _lay_out(self, texts: Iterable[str]) -> Batch:
        encoded = ([i for c in self.tokenizer.ids(text) for i in c] for text in texts)
        return lay_out(encoded, self.tokenizer.bos, self.settings.model.block_size).batch


def open_pricer(
    folder: Path, engine: str = "auto", threads: int | None = None, device: str | None = None
) -> Pricer:
    """Return what prices texts by a run: a function that another process can be sent."""
    return Run(folder, engine, threads, device).pricer


def load(folder: str | Path) -> Run:
    """Open a run's folder.

    Raises:
        RunError: it is no run, or is damaged.
    """
    return Run(folder)
