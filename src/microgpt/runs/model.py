"""A trained model: sample from it, score with it, evaluate it, compress with it.

In: an engine with its parameters, a tokenizer. Out: texts, losses, an `Evaluation`, bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from microgpt import sampling
from microgpt.config.bounds import Whole
from microgpt.counting.mixture import Mixture
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Engine, Floats, Predictor
from microgpt.errors import UsageError
from microgpt.loss import LossSum
from microgpt.model import size
from microgpt.runs.settings import Settings
from microgpt.sampling import Choice, Sample

if TYPE_CHECKING:
    from microgpt.compress import Codec
    from microgpt.compress.identity import Identity
    from microgpt.evaluation import Evaluation, Evaluator
    from microgpt.scoring.price import Pricer
    from microgpt.scoring.score import Score

_NUMBER = Whole(0, 2**63 - 1)


class Model(ABC):
    """A trained model, without the folder that it is stored in.

    Attributes:
        settings: of its training.
        tokenizer: encodes and decodes text.
    """

    settings: Settings
    tokenizer: Tokenizer

    @cached_property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine with the GPT's parameters."""

    @cached_property
    @abstractmethod
    def gpt(self) -> Predictor:
        """The GPT alone."""

    @cached_property
    @abstractmethod
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not."""

    @property
    def parameters(self) -> int:
        """How many parameters all GPTs of the model have."""
        return self.settings.training.models * size(self.settings.model)

    def check_single(self, what: str) -> None:
        """Raise UsageError if the model is an ensemble; `what` can be of one GPT alone."""
        if (models := self.settings.training.models) > 1:
            raise UsageError(
                f"{what} must be of a run of one model; got one of {models}. "
                "Try a run trained with --models 1."
            )

    @property
    def predictor(self) -> Predictor:
        """The model that is measured: the mixture, or the GPT if it is not mixed."""
        return self.mixture or self.gpt

    @property
    def weight(self) -> float | None:
        """The weight of the counts in a linear mixture; None: the model is not one."""
        return self.mixture.fitted.weight if self.mixture else None

    @property
    def mixed_with(self) -> str:
        """What the GPT is mixed with, in words; "": it is not mixed."""
        return self.mixture.named(self.tokenizer.unit) if self.mixture else ""

    @cached_property
    def pricer(self) -> Pricer:
        """Measures the losses of many texts at once."""
        from microgpt.scoring.price import Pricer

        return Pricer(self.predictor, self.tokenizer, self.settings.model.block_size)

    def samples(self, choice: Choice) -> Iterator[Sample]:
        """Yield samples endlessly."""
        return sampling.samples(
            self.predictor, self.tokenizer, self.settings.model.block_size, choice
        )

    def sample(
        self,
        number: int = 10,
        *,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
        prompt: str = "",
        seed: int = 42,
    ) -> list[str]:
        """Return new texts.

        Args:
            number: how many.
            temperature: divides the logits: below 1 likely tokens become likelier, above 1 less so;
                0: always the likeliest.
            top_k: draw from the k likeliest tokens only; None: from all.
            top_p: draw from the fewest likeliest tokens that together reach this probability.
            min_p: draw from tokens at least this many times as probable as the likeliest.
            prompt: the beginning of every text.
            seed: of the generator; the same seed gives the same texts.

        Raises:
            UsageError: a value outside its domain, or a prompt the model cannot read.
        """
        _NUMBER.check("number", number)
        choice = Choice(
            temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, prompt=prompt, seed=seed
        )
        return [drawn.text for drawn in islice(self.samples(choice), number)]

    def scores(self, texts: Iterable[str]) -> Iterator[Score]:
        """Yield the losses of texts character by character, in their order."""
        from microgpt.scoring.score import scores

        return scores(self.predictor, self.tokenizer, self.settings.model.block_size, _many(texts))

    def score(self, text: str) -> Score:
        """Return the losses of one text character by character."""
        return next(self.scores([text]))

    def losses(self, texts: Iterable[str]) -> list[Floats]:
        """Return the losses of many texts, computed many texts at a time.

        They are those of `score(text).losses`, without the alternatives that a `Score` has.

        Args:
            texts: any strings; their characters and the end of each have a loss.

        Returns:
            An array of nats for each text, one number a position.
        """
        found: list[Floats] = []
        for priced in self.pricer.each(_many(texts)):
            starts: list[int] = priced.laid.texts.tolist()
            found += [priced.losses_N[i:j] for i, j in pairwise(starts)]
        return found

    def alone(self, texts: Iterable[str]) -> LossSum | None:
        """Return the loss of texts under the GPT alone; None: the model is not mixed."""
        if not self.mixture:
            return None
        from microgpt.scoring.price import Pricer

        pricer = Pricer(self.gpt, self.tokenizer, self.settings.model.block_size)
        return pricer.total(_many(texts))

    @property
    def evaluator(self) -> Evaluator:
        """A new evaluator, to which documents are added."""
        from microgpt.evaluation import Evaluator

        return Evaluator(self.predictor, self.tokenizer, self.settings.model.block_size)

    def evaluate(self, texts: Iterable[str]) -> Evaluation:
        """Evaluate the model on documents.

        Raises:
            UsageError: `texts` is empty.
        """
        from microgpt.evaluation import evaluate

        result = evaluate(
            self.predictor, self.tokenizer, self.settings.model.block_size, _many(texts)
        )
        if not result.documents:
            raise UsageError("texts must not be empty; got none.")
        return result

    @cached_property
    def codec(self) -> Codec:
        """The compressor of this run."""
        from microgpt.compress import Codec
        from microgpt.compress.identity import Identity

        if symbols := self.tokenizer.symbols.values():
            raise UsageError(
                "a run that compresses must have been trained without --mask; this one reads "
                f"{', '.join(symbols)} whatever stands there. Try another run."
            )
        stream = self.settings.source.stream
        model = self.settings.model

        def identity() -> Identity:
            return Identity.of(self.engine, self.mixture, self.tokenizer, model)

        cache = self.mixture.cache if self.mixture else None
        return Codec(self.predictor, self.tokenizer, model, identity, stream=stream, cache=cache)

    def compress(self, data: bytes) -> bytes:
        """Compress a file: to about its loss in bits, plus a header.

        Raises:
            UsageError, DataError: the file has an unknown character.
        """
        return self.codec.compress(data).data

    def decompress(self, data: bytes) -> bytes:
        """Return the file whose compressed form `data` is.

        Raises:
            DataError: the data is damaged, or made by another run, build or machine.
        """
        return self.codec.decompress(data)


def _many(texts: Iterable[Any]) -> Iterable[str]:
    """Return texts; iterating over them raises UsageError if one is not a string."""
    if isinstance(texts, str):
        raise UsageError("texts must be a list of strings; got one string.")
    return texts if isinstance(texts, Texts) else _strings(texts)


def _strings(texts: Iterable[Any]) -> Iterator[str]:
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text {i} must be a string; got {text!r:.40}.")
        yield text
