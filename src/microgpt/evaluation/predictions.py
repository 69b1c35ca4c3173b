"""Predictions compared with targets: the measures that need the probabilities of all tokens.

In: logits and targets, some positions at a time. Out: the reliability of all predictions and of the
likeliest ones, sums of scoring rules, logits to fit a temperature on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from microgpt.engines.contract import Floats
from microgpt.evaluation.calibration import GROUPS, Reliability
from microgpt.evaluation.outcomes import Outcomes, compared
from microgpt.evaluation.rules import Marks
from microgpt.evaluation.temperature import Integers, Thermometer


class Predictions:
    """Collects predictions and their targets.

    Attributes:
        every: the reliability of all (position, token) predictions.
        likeliest: the reliability of the likeliest tokens alone.
        marks: the sums of the scoring rules.
        thermometer: fits the temperature.
    """

    def __init__(self) -> None:
        self.every, self.likeliest = Reliability(), Reliability()
        self.marks, self.thermometer = Marks(), Thermometer()

    def add(
        self, logits_NV: Floats, targets_N: Integers, number_N: Integers
    ) -> tuple[Floats, Integers]:
        """Add some positions; return their losses_N, and the likeliest token of each.

        Args:
            logits_NV: the model's.
            targets_N: the targets. Positions with a negative one, an unknown character, are not
                added, and the loss returned for them is meaningless.
            number_N: the number of each position's document.
        """
        self.thermometer.add(logits_NV, targets_N, number_N % 2)
        losses_N = np.empty(len(logits_NV))
        likely_N = np.empty(len(logits_NV), dtype=np.int64)
        # Reliability takes rows of one group of texts.
        group_N = (number_N % GROUPS).astype(np.int8)
        order = np.argsort(group_N, kind="stable")
        ends = np.cumsum(np.bincount(group_N, minlength=GROUPS)).tolist()
        for group, (start, stop) in enumerate(pairwise([0, *ends])):
            if start < stop:
                at_B = order[start:stop]
                found = compared(logits_NV, targets_N, at_B)
                losses_N[at_B], likely_N[at_B] = found.losses_B, found.likely_B
                self._add(found, targets_N[at_B], group)
        return losses_N, likely_N

    def _add(self, found: Outcomes, targets_B: Integers, group: int) -> None:
        self.every.add_sums(found.sums_4F, group)
        known = np.flatnonzero(targets_B >= 0)
        hits = np.flatnonzero(found.likely_B[known] == targets_B[known])
        self.likeliest.add(found.p_likely_B[known][:, None], hits, group)
        self.marks.add(found.p_target_B[known], found.squares_B[known])
