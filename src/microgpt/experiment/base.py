"""What an experiment starts from: documents, their tokenizer, and the settings of one training.

In: a source of text and a preset, or a run's folder. Out: a `Base`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from microgpt.config import GPTConfig, TokenizerName, TrainConfig, check_count
from microgpt.data import corpus
from microgpt.data.corpus import Corpus, Source
from microgpt.data.tokenizer import BosPlace, Tokenizer
from microgpt.engines import about
from microgpt.errors import DataError
from microgpt.runs import checkpoint
from microgpt.runs.documents import read_again
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, tokenizer_for

STEPS = 1000
"""Steps of each training, at most, unless the caller sets their number."""

FEW_STEPS, FEW_POSITIONS = 100, 100
"""The scalar engine's steps and held-out positions: they take it half a minute."""

# With an eps this large Adam's divisor is constant: it is plain gradient descent, in any engine.
_LARGE = 1e4


@dataclass(frozen=True, eq=False)
class Base:
    """Documents and settings, with nothing opened yet.

    Attributes:
        corpus: the documents.
        tokenizer: of these documents.
        config: the model's settings.
        training: the training's settings, in steps; some documents are held out.
    """

    corpus: Corpus
    tokenizer: Tokenizer
    config: GPTConfig
    training: TrainConfig
    _read_as: dict[TokenizerName, Base] = field(
        default_factory=dict[TokenizerName, "Base"], init=False, repr=False
    )

    def __post_init__(self) -> None:
        training = self.training
        alone = replace(training, seconds=None, ngram=0, holdout=training.holdout or 0.1)
        object.__setattr__(self, "training", alone)

    @cached_property
    def dataset(self) -> Dataset:
        """The documents, some of them held out.

        Raises:
            DataError: they are too few to hold some out.
        """
        dataset = Dataset(self.corpus, self.tokenizer, self.training.holdout)
        if not dataset.heldout_documents:
            raise DataError(
                f"documents must be enough to hold some out; got {len(dataset.train_documents)}, "
                f"and holdout={self.training.holdout:g} holds out none. Try more text."
            )
        return dataset

    def at_least(self, batch_size: int) -> Base:
        """Return the same with at least so many documents a step."""
        size = max(batch_size, self.training.batch_size)
        return replace(self, training=replace(self.training, batch_size=size))

    def read_as(self, name: TokenizerName, vocab_size: int | None) -> Base:
        """Return the same with another tokenizer, made once."""
        if name not in self._read_as:
            bos: BosPlace = "last" if self.tokenizer.bos else "first"
            holdout = self.training.holdout
            tokens = tokenizer_for(name, self.corpus, bos, vocab_size=vocab_size, holdout=holdout)
            self._read_as[name] = replace(self, tokenizer=tokens)
        return self._read_as[name]


def new(
    source: Source,
    preset_name: str = "microgpt",
    steps: int | None = None,
    seed: int | None = None,
    engine: str = "auto",
) -> Base:
    """Prepare a preset's model and training on a data set.

    Args:
        source: where the documents are.
        preset_name: the preset.
        steps: of each training; None: the preset's, 1,000 at most, or 100 on the scalar engine.
        seed: of the documents' order and the initial values; None: the preset's.
        engine: by name, or "auto".

    Raises:
        UsageError, DataError: a setting or the data is invalid.
    """
    begin = preset(preset_name)
    training = _short(TrainConfig(**begin.training), steps, seed, engine)
    data = corpus.read(source)
    tokens = tokenizer_for("characters", data, begin.bos)
    return Base(data, tokens, GPTConfig(vocab_size=tokens.vocab_size, **begin.model), training)


def of_run(
    folder: Path, steps: int | None = None, seed: int | None = None, engine: str = "auto"
) -> Base:
    """Prepare a run's documents with its settings, to train from the start.

    Args:
        folder: the run's.
        steps: of each training; None: the run's, as in `new`.
        seed: of the documents' order and the initial values; None: the run's.
        engine: by name, or "auto".

    Raises:
        UsageError, DataError, RunError: a setting, the data or the run is invalid.
    """
    settings, tokens = checkpoint.read_settings(folder)
    training = _short(settings.training, steps, seed, engine)
    return Base(read_again(folder, settings), tokens, settings.model, training)


def plain(training: TrainConfig, rate: float) -> TrainConfig:
    """Return the settings of plain gradient descent, ``parameters -= rate * gradient``.

    >>> plain(TrainConfig(), 0.1).lr
    1000.0
    """
    return replace(
        training, optimizer="adam", beta1=0.0, eps=_LARGE, lr=rate * _LARGE, weight_decay=0.0
    )


def _short(training: TrainConfig, steps: int | None, seed: int | None, engine: str) -> TrainConfig:
    """Set steps and seed; None: the recipe's own, with at most STEPS steps."""
    most = STEPS if about(engine).is_fast else FEW_STEPS
    if steps is None:
        steps = min(training.steps or most, most)
    check_count("steps", steps)
    return replace(training, steps=steps, seed=training.seed if seed is None else seed)
