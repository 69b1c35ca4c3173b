"""What texts cost, at the full speed of the engine: many at once, nothing asked but the losses.

In: texts. Out: nats at every position, and the sums and spans that are read off them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgpt.data.batch import Batch
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Floats, Predictor
from microgpt.scoring.spans import spans
from microgpt.scoring.walk import Laid, Layer, Offsets


@dataclass(frozen=True, eq=False)
class Priced:
    """Texts and the losses of all of their positions.

    Attributes:
        laid: the texts, end to end.
        losses_N: nats.
    """

    laid: Laid
    losses_N: Floats

    @cached_property
    def nats_D(self) -> Floats:
        """What each text cost."""
        return np.add.reduceat(self.losses_N, self.laid.texts[:-1])

    @cached_property
    def positions_D(self) -> Offsets:
        """How many positions each text has."""
        return np.diff(self.laid.texts)

    @cached_property
    def means_D(self) -> Floats:
        """Each text's own mean: nats per position."""
        return self.nats_D / self.positions_D

    def spans(self, usual: float) -> tuple[Offsets, Offsets]:
        """Return where each text surprises most, as numbers of characters: the first, and behind
        the last. The end of a text is the number len(text).
        """
        starts, stops = spans(self.losses_N, self.laid.texts, usual)
        if len(self.laid.chars) + len(starts) == len(self.losses_N):  # one position a character
            return starts - self.laid.texts[:-1], stops - self.laid.texts[:-1]
        places_N = self.laid.places_N.astype(np.int64)
        return places_N[starts], places_N[stops - 1] + 1


class Pricer:
    """Prices texts.

    Args:
        engine: computes the losses.
        tokenizer: of the engine's ids; what it lacks costs its `unknown_nats`.
        block_size: longer texts are read in windows.
    """

    def __init__(self, engine: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self._engine, self._tokenizer = engine, tokenizer
        self._layer = Layer(tokenizer, block_size)

    def price(self, texts: Sequence[str]) -> Priced:
        """Price some texts, at least one."""
        laid = self._layer.lay(texts)
        batch = laid.batch
        unknown_N = batch.targets_N < 0
        if not unknown_N.any():
            return Priced(laid, self._engine.losses(batch))
        targets_N = np.where(unknown_N, np.int32(self._tokenizer.stand_in), batch.targets_N)
        losses_N = self._engine.losses(Batch(batch.tokens_N, targets_N, batch.documents))
        losses_N[unknown_N] = self._tokenizer.unknown_nats
        return Priced(laid, losses_N)
