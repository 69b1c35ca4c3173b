"""What a model costs in use: parameters, bytes, seconds a position.

In: a model, texts. Out: a `Cost`, which is shown beside the loss.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from microgpt.runs.model import Model
from microgpt.scoring.price import Pricer
from microgpt.wording import count, short

# The most texts that are timed, their most characters, and seconds after which no more are.
_TEXTS, _LONGEST, _SECONDS = 4096, 256, 0.2


@dataclass(frozen=True)
class Cost:
    """What a model costs in use.

    Attributes:
        models: how many GPTs compute each probability.
        parameters: how many all of them have.
        bytes: of the parameters, and of the counts that are mixed in.
        seconds: to compute the loss of one position of many, with all threads; it depends on the
            machine and on what else it does.
    """

    models: int
    parameters: int
    bytes: int
    seconds: float

    def words(self, unit: str) -> str:
        """Write it for people.

        >>> Cost(2, 53_056, 212_224, 2.5e-7).words("character")
        '2 GPTs, 53,056 parameters, 212k bytes; 0.25 microseconds a character'
        """
        gpts = f"{count(self.models, 'GPT')}, {count(self.parameters, 'parameter')}"
        return f"{gpts}, {short(self.bytes)} bytes; {self.seconds * 1e6:.2g} microseconds a {unit}"


def cost(model: Model, texts: Sequence[str]) -> Cost:
    """Measure what a model costs in use.

    Args:
        model: the model.
        texts: some of them are read; at least one.
    """
    n_bytes = model.engine.state().parameters.nbytes
    if model.mixture:
        n_bytes += sum(values.nbytes for values in model.mixture.ngram.arrays().values())
    pricer = Pricer(model.predictor, model.tokenizer, model.settings.model.block_size)
    size, took, each = 1, 0.0, 0.0
    pricer.total(text[:_LONGEST] for text in islice(texts, 1))  # the first time takes longer
    # Ever more at once, until the time is well measured: a slow engine reads a single text.
    while took < _SECONDS and size <= _TEXTS:
        began = time.perf_counter()
        total = pricer.total(text[:_LONGEST] for text in islice(texts, size))
        now = time.perf_counter() - began
        size, took, each = 4 * size, took + now, now / total.positions
    return Cost(model.settings.training.models, model.parameters, n_bytes, each)
