"""Predictions compared with targets: the measures that need the probabilities of all tokens.

In: logits and targets, some positions at a time. Out: the reliability of all predictions and of the
likeliest ones, sums of scoring rules, logits to fit a temperature on.
"""

from __future__ import annotations

from microgpt.engines.contract import Floats
from microgpt.evaluation.calibration import GROUPS, Reliability
from microgpt.evaluation.outcomes import compared
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
        group_N = number_N % GROUPS
        found = compared(logits_NV, targets_N, group_N, self.every, self.likeliest)
        known = targets_N >= 0
        self.marks.add(found.p_target_N[known], found.squares_N[known])
        return found.losses_N, found.likely_N
