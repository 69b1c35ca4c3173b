"""How rare a text is beside usual ones, and whether it is flagged: what a loss is worth.

In: what is usual. Out: percentiles and flags of texts, many at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.scoring.reference import Ints, Reference
from microgpt.scoring.threshold import Threshold


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
