"""The learning curves of a training: training and held-out losses against updates.

In: a log. Out: points.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.runs.log import Log

POINTS = 120
"""The most points of a training curve."""

Curve = list[tuple[float, float]]
"""Updates and losses, nats a position."""


@dataclass(frozen=True)
class Learning:
    """The learning curves of a log.

    Attributes:
        training: the GPT's training loss, each point the mean of some steps.
        held_out: the GPT's held-out loss.
        mixed: the held-out loss of the GPT mixed with counts; empty: it is not mixed.
    """

    training: Curve
    held_out: Curve
    mixed: Curve

    @classmethod
    def of(cls, log: Log, points: int = POINTS) -> Learning:
        """Read the curves off a log."""
        measured = [(line["step"], line["heldout"]) for line in log.heldout]
        return cls(
            log.curve(points),
            [(step, found.get("gpt", found["loss"])) for step, found in measured],
            [(step, found["loss"]) for step, found in measured if "gpt" in found],
        )
