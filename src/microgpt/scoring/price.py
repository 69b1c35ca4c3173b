"""What texts cost, at the full speed of the engine: many at once, nothing asked but the losses.

In: texts. Out: nats at every position, and the sums and spans that are read off them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import losses
from microgpt.engines.contract import Floats, Predictor
from microgpt.scoring.spans import spans
from microgpt.scoring.walk import Laid, Layer, Offsets, ends


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
        return Priced(laid, losses(self._engine.losses, laid.batch, self._tokenizer))
