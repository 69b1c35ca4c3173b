"""How rare a text is beside usual ones, and whether it is flagged: what a loss is worth.

In: what is usual. Out: percentiles and flags of texts, many at once; and in a sentence how sure the
flags are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.scoring.reference import ENOUGH, Ints, Reference
from microgpt.scoring.threshold import ABOVE, Threshold
from microgpt.wording import count


@dataclass(frozen=True, eq=False)
class Judge:
    """Holds means against usual ones.

    Attributes:
        usual: nats a position of usual text.
        reference: None: it is not known what is usual.
        threshold: None: nothing is flagged.
    """

    usual: float
    reference: Reference | None = None
    threshold: Threshold | None = None

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats | None:
        """Return how many of 100 usual lines of similar length cost less."""
        # Where there is a threshold, what is flagged and how rare it is must agree.
        usual = self.threshold.usual if self.threshold else self.reference
        return usual.percentiles(lengths_D, means_D) if usual else None

    def flags(self, lengths_D: Ints, means_D: Floats) -> NDArray[np.bool_] | None:
        """Say which texts are flagged."""
        return self.threshold.flags(lengths_D, means_D) if self.threshold else None


def promise(usual: Reference, found: Threshold, rate: float) -> str:
    """Say what share of good lines a threshold flags, by what, and what that takes for granted.

    Args:
        usual: what the threshold was chosen by.
        found: the threshold.
        rate: the share that was asked for.
    """
    repetition, by = usual.repetition, count(usual.new, "held-out document")
    repeating = repetition.lines - repetition.once
    if repeating:
        by = f"{by} whose text is there once and {count(repeating, 'line')} whose text repeats,"
    is_one = len(found.usual.weights_C) == 1
    said = (
        f"Of good lines {found.expected:.2%} will be flagged ({found.low:.2%} to {found.high:.2%}, "
        f"95 times of 100), judging by {by} of {'all' if is_one else 'similar'} lengths, if good "
        f"lines come from where these did{' and repeat as they did' if repeating else ''}."
    )
    enough = math.ceil(ABOVE / rate)
    if is_one and enough > ENOUGH and (len(usual.weights_C) > 1 or len(usual) < enough):
        said += f" So low a rate takes {enough:,} texts of a length: all are judged together."
    return said
