"""Predictions compared with targets: the measures that need the probabilities of all tokens.

In: logits and targets, some positions at a time. Out: the reliability of all predictions and of the
likeliest ones, sums of scoring rules, logits to fit a temperature on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from microgpt.engines.contract import Floats
from microgpt.evaluation.calibration import GROUPS, Reliability
from microgpt.evaluation.rules import Marks
from microgpt.evaluation.temperature import Integers, Thermometer
from microgpt.loss.many import Softmax

# Logits worked on at once: their arrays fit in a processor's cache.
_NUMBERS = 1 << 16


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
        # Reliability takes rows of one group of texts; few enough at a time for the cache.
        group_N = (number_N % GROUPS).astype(np.int8)
        order = np.argsort(group_N, kind="stable")
        ends = np.cumsum(np.bincount(group_N, minlength=GROUPS)).tolist()
        each = max(_NUMBERS // logits_NV.shape[1], 1)
        for group, (start, stop) in enumerate(pairwise([0, *ends])):
            for first in range(start, stop, each):
                at_B = order[first : min(first + each, stop)]
                losses_N[at_B], likely_N[at_B] = self._add(logits_NV[at_B], targets_N[at_B], group)
        return losses_N, likely_N

    def _add(self, logits_BV: Floats, targets_B: Integers, group: int) -> tuple[Floats, Integers]:
        softmax = Softmax(logits_BV)
        likely_B, p_BV = softmax.likely_B, softmax.p_BV
        answer = softmax.losses(targets_B), likely_B
        known_B = targets_B >= 0
        if not known_B.all():
            p_BV, likely_B, targets_B = p_BV[known_B], likely_B[known_B], targets_B[known_B]
        rows = np.arange(len(p_BV))
        self.every.add(p_BV, rows * p_BV.shape[1] + targets_B, group)
        hits = np.flatnonzero(likely_B == targets_B)
        self.likeliest.add(p_BV[rows, likely_B][:, None], hits, group)
        self.marks.add(p_BV, targets_B)
        return answer
