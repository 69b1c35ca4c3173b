"""Dropout: which activations a training step sets to 0, so that units do not co-adapt.

In: a share, a seed, an update. Out: a mask: for every activation, whether it is kept. The mask is a
hash of seed, update, place in the model, position and channel, independent of the order of
computation: all engines, and a resumed training, compute the same mask.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
JMLR 15 (2014); in the inverted form: in training the kept activations are multiplied by
1 / (1 - share), so that inference needs no scaling.
"""

from __future__ import annotations

from dataclasses import dataclass

_MASK = 0xFFFFFFFF


def mix(x: int) -> int:
    """Hash 32 bits to 32 bits, so that each bit of the result depends on all bits of x.

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
    """The dropout masks of one step, for one document.

    Args:
        share: the share of activations set to 0, in [0, 1).
        seed: of the training.
        update: the number of the update, counted from 1.
        first: how many positions of the batch come before the document.
    """

    share: float
    seed: int
    update: int
    first: int = 0

    def scale(self) -> float:
        """Return the factor by which kept activations are multiplied."""
        return 1.0 / (1.0 - self.share)

    def keeps(self, place: int, position: int, width: int) -> list[bool]:
        """Return the mask of a position: for each channel, whether it is kept.

        Args:
            place: where in the model: 2 i after the attention of layer i, 2 i + 1 after its relu.
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
