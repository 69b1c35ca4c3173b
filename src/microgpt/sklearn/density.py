"""The estimator: a training behind scikit-learn's interface.

In: texts. Out: their log-likelihoods, outliers among them, new texts. This module is the interface
only: runs train, score and sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from microgpt.config import TokenizerName, check_count
from microgpt.errors import MissingExtra, UsageError
from microgpt.runs.explained import explain
from microgpt.runs.memory import MemoryRun
from microgpt.runs.model import Model
from microgpt.runs.packed import Files, open_packed, packed
from microgpt.sklearn import files
from microgpt.sklearn.offset import offset
from microgpt.sklearn.texts import Floats, priced, strings
from microgpt.sklearn.training import seed_of, trained

try:
    from sklearn.base import BaseEstimator, DensityMixin, OutlierMixin  # pyright: ignore
    from sklearn.utils.validation import check_is_fitted  # pyright: ignore
except ModuleNotFoundError:
    raise MissingExtra(
        "microgpt.sklearn needs scikit-learn, which is not installed. "
        "Try: pip install 'microgpt-lm[sklearn]'"
    ) from None

# Parameters of the estimator that are not settings of a training.
_OWN = ("preset", "contamination", "per_character", "random_state")


class TextDensity(OutlierMixin, DensityMixin, BaseEstimator):
    """A GPT trained on texts: log p(x) of any text, outliers, new texts.

    X is strings throughout: a list, an array of one dimension or one column, a pandas Series.
    Blank texts are scored, but not trained on.

    Args:
        preset: the recipe that the other settings override; None: as in `microgpt.train`.
        steps, seconds: the budget. With seconds alone the recipe is chosen for this machine.
        n_layer, n_head, n_embd, block_size: the model's shape; None: the preset's.
        batch_size, lr, dropout, weight_decay, ngram: the training's; None: the preset's.
        tokenizer: "characters", "bytes", "bpe", or the path of a `tokenizer.json`.
        vocab_size: how many token ids "bpe" has; None: 1,000.
        mask: kinds of text that are read as one character each, as `microgpt.train` takes them.
        holdout: the share of X held out of training: the weight of the counts, the best step and
            the threshold of `predict` are chosen on it.
        contamination: the share of ordinary texts that `predict` calls outliers, in (0, 0.5].
        per_character: whether `decision_function` judges log p(x) per character. If not, it judges
            log p(x) of the whole text: it is then `score_samples - offset_`, as in other
            estimators, and long texts are outliers.
        engine: by name, or "auto".
        threads: for the engine; 1 where many are fitted side by side (n_jobs).
        random_state: of the documents' order and the initial values: a seed, a RandomState, or
            None for a new seed each time.

    Attributes:
        run_: the model, in memory; like a `Run`, it scores texts character by character.
        offset_: the threshold.
        n_held_out_: how many held-out texts it was chosen on; 0: on the training texts.

    >>> X = ["ada", "anna", "bea", "ben", "bob", "dana", "eda", "ella", "lea", "lena"] * 2
    >>> model = TextDensity(preset="microgpt", steps=50, contamination=0.1, random_state=0).fit(X)
    >>> bool(model.score_samples(["anna"])[0] > model.score_samples(["xzqy"])[0])
    True
    >>> model.predict(["anna", "xzqy"])
    array([ 1, -1])
    """

    def __init__(
        self,
        *,
        preset: str | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        n_layer: int | None = None,
        n_head: int | None = None,
        n_embd: int | None = None,
        block_size: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        dropout: float | None = None,
        weight_decay: float | None = None,
        ngram: int | None = None,
        tokenizer: TokenizerName = "characters",
        vocab_size: int | None = None,
        mask: str | Sequence[str] | None = None,
        holdout: float = 0.1,
        contamination: float = 0.01,
        per_character: bool = True,
        engine: str = "auto",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.preset, self.steps, self.seconds = preset, steps, seconds
        self.n_layer, self.n_head, self.n_embd = n_layer, n_head, n_embd
        self.block_size, self.batch_size, self.lr = block_size, batch_size, lr
        self.dropout, self.weight_decay, self.ngram = dropout, weight_decay, ngram
        self.tokenizer, self.vocab_size, self.mask = tokenizer, vocab_size, mask
        self.holdout, self.contamination, self.per_character = holdout, contamination, per_character
        self.engine, self.threads, self.random_state = engine, threads, random_state

    def fit(self, X: Iterable[Any], y: object = None) -> TextDensity:
        """Train on texts; y is ignored.

        The threshold is chosen on the held-out texts, because training texts have too low losses;
        if texts repeat, also on the repeating ones, each with the weight of its frequency.

        Raises:
            UsageError: a parameter is outside its domain, or X is not strings.
            DivergedError: the loss is not finite.
        """
        texts = strings(X)
        if not any(map(str.strip, texts)):
            raise UsageError(f"X must have a text that is not blank; got {len(texts)} blank.")
        plain = self._plain()
        share = plain["contamination"]
        if not isinstance(share, (int, float)) or not 0.0 < share <= 0.5:
            raise UsageError(f"contamination must be in (0, 0.5]; got {share}.")
        settings = {k: v for k, v in plain.items() if k not in _OWN}
        settings["seed"] = seed_of(self.random_state)
        run, learnt, held_out = trained(texts, self.preset, settings)
        self._take(run, 0.0, len(held_out))
        self.offset_ = offset(self._judged, learnt, held_out, share, run.tokenizer)
        return self

    @property
    def run_(self) -> Model:
        """The model: `run_.score(text)` returns a text's losses character by character."""
        check_is_fitted(self)
        if isinstance(self._kept, MemoryRun):
            return self._kept
        if self._run is None:
            self._run = open_packed(self._kept, self.engine, self.threads)
        return self._run

    def score_samples(self, X: Iterable[Any]) -> Floats:
        """Return log p(x) of each text, its end included: minus the sum of its nats."""
        return -priced(self.run_, strings(X))[0]

    def score(self, X: Iterable[Any], y: object = None) -> float:  # pyright: ignore
        """Return the mean log-likelihood of a character, ends included; more is better.

        That is sum of log p(x) / sum of characters: minus the loss, whatever the tokenizer.
        """
        nats, characters = priced(self.run_, strings(X))
        return -float(nats.sum() / characters.sum())

    def decision_function(self, X: Iterable[Any]) -> Floats:
        """Return how far each text is above the threshold: below 0 it is an outlier.

        That is log p(x) / characters - offset_, in nats a character; without `per_character`
        log p(x) - offset_.
        """
        check_is_fitted(self)
        return self._judged(strings(X)) - self.offset_

    def predict(self, X: Iterable[Any]) -> NDArray[np.int64]:
        """Return -1 for each outlier and 1 for all others."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def explain(self, X: Any, *, suggest: bool = True) -> Any:
        """Return `Run.table` of texts, some of which may be missing; flagged are the outliers."""
        run = open_packed(self._files, self.engine, self.threads)
        return explain(run, X, suggest=suggest, flags=lambda texts: self.predict(texts) < 0)

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        temperature: float = 1.0,
    ) -> NDArray[np.object_]:
        """Draw new texts from the density, each up to `block_size` characters.

        Args:
            n_samples: how many.
            random_state: a seed, a RandomState, or None for a new seed each time.
            temperature: divides the logits: 1 draws by the model's own probabilities, less draws
                likelier texts.
        """
        check_count("n_samples", n_samples)
        seed = seed_of(random_state)
        drawn = self.run_.sample(n_samples, temperature=temperature, seed=seed)
        return np.array(drawn, dtype=object)

    def save(self, folder: str | Path) -> None:
        """Write a run's folder, with the estimator's own parameters in it; nothing is pickled.

        `load` reads it, and so do `microgpt score` and the other commands. A RandomState is not
        saved.

        Raises:
            RunError: the folder is not empty.
        """
        check_is_fitted(self)
        plain = self._plain()
        if isinstance(plain["random_state"], np.random.RandomState):
            plain["random_state"] = None
        about = {"parameters": plain, "offset": self.offset_, "n_held_out": self.n_held_out_}
        files.write(self._files, about, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> TextDensity:
        """Read what `save` has written.

        Raises:
            RunError: the folder is missing or damaged.
        """
        kinds = {**get_type_hints(cls.__init__), "random_state": int | None}
        packed, about = files.read(Path(folder), kinds)
        model = cls(**about.parameters)
        model._take(packed, about.offset, about.n_held_out)
        _ = model.run_
        return model

    def _take(self, kept: MemoryRun | Files, offset: float, n_held_out: int) -> None:
        self._kept, self._run = kept, None
        self.offset_, self.n_held_out_ = offset, n_held_out

    @property
    def _files(self) -> Files:
        return packed(self._kept) if isinstance(self._kept, MemoryRun) else self._kept

    def _plain(self) -> dict[str, Any]:
        """Return the parameters, numpy scalars as Python's: a parameter grid has numpy's."""
        values = cast("dict[str, Any]", self.get_params(deep=False))
        return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}

    def _judged(self, texts: list[str]) -> Floats:
        nats, characters = priced(self.run_, texts)
        return -nats / characters if self.per_character else -nats

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, with the run's files in place of the run."""
        state = cast("dict[str, Any]", super().__getstate__())
        return {**state, "_kept": self._files, "_run": None} if "_kept" in state else state

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super().__sklearn_tags__())  # pyright: ignore
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
