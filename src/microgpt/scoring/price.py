"""What texts cost, at the full speed of the engine: many at once, nothing asked but the losses.

In: texts. Out: nats at every position, and the sums and spans that are read off them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import losses
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss import LossSum
from microgpt.scoring.spans import spans
from microgpt.scoring.walk import CHARACTERS, Laid, Layer, Offsets, ends, groups


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
        places_N = self.laid.places_N
        return places_N[starts].astype(np.int64), ends(places_N)[stops - 1].astype(np.int64)


class Pricer:
    """Prices texts.

    Args:
        predictor: computes the losses.
        tokenizer: of its ids; what it lacks costs its `unknown_nats`.
        block_size: longer texts are read in windows.
    """

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self._predictor, self._tokenizer = predictor, tokenizer
        self._layer = Layer(tokenizer, block_size)

    def price(self, texts: Sequence[str]) -> Priced:
        """Price some texts, at least one."""
        laid = self._layer.lay(texts)
        return Priced(laid, losses(self._predictor.losses, laid.batch, self._tokenizer))

    def each(self, texts: Iterable[str]) -> Iterator[Priced]:
        """Price any number of texts, as many at once as are laid out together."""
        return map(self.price, groups(texts, CHARACTERS))

    def total(self, texts: Iterable[str]) -> LossSum:
        """Sum up what any number of texts cost, in memory that does not grow with it."""
        sums = (LossSum.of(priced.losses_N.tolist()) for priced in self.each(texts))
        return sum(sums, LossSum())
