"""Dropout: which numbers a step of training leaves out, so that no other comes to rely on them.

In: a share, a seed, an update. Out: for every number a layer hands on, whether it is kept. It is a
function of where the number stands, not of who computes it or in which order: a hash of seed,
update, place in the model, position and channel. Engines agree to the last bit, and so does a
training that was interrupted.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
JMLR 15 (2014); in the inverted form, where what is kept grows by 1 / (1 - share) in training and
nothing is done afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

_MASK = 0xFFFFFFFF


def mix(x: int) -> int:
    """Hash 32 bits to 32 bits, each bit of the result depending on all.

    Source: Wellons, "Prospecting for hash functions" (2018), the function named lowbias32.

    >>> mix(1), mix(2)
    (1753845952, 3507691905)
    """
    x ^= x >> 16
    x = x * 0x7FEB352D & _MASK
    x ^= x >> 15
    x = x * 0x846CA68B & _MASK
    return x ^ x >> 16


@dataclass(frozen=True)
class Dropping:
    """What one step leaves out of one document.

    Args:
        share: of the numbers, in [0, 1).
        seed: of the training.
        update: the step's, counted from 1.
        first: how many positions of the batch come before the document.
    """

    share: float
    seed: int
    update: int
    first: int = 0

    def scale(self) -> float:
        """Return what a kept number is multiplied by."""
        return 1.0 / (1.0 - self.share)

    def keeps(self, place: int, position: int, width: int) -> list[bool]:
        """Say which of a position's channels are kept.

        Args:
            place: in the model: 2 i is the attention of layer i, 2 i + 1 its hidden layer.
            position: in the document.
            width: how many channels there are.

        >>> keeps = Dropping(0.25, seed=1, update=1).keeps(place=0, position=0, width=10_000)
        >>> 0.74 < sum(keeps) / 10_000 < 0.76
        True
        """
        key = mix(mix(mix(self.seed & _MASK) ^ self.update & _MASK) ^ place)
        start = key + (self.first + position) * width
        # 31 bits: engines compare them as signed numbers.
        least = round(self.share * 2**31)
        return [mix(start + channel & _MASK) >> 1 >= least for channel in range(width)]
