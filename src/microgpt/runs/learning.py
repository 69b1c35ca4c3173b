"""The curves of a training: its loss, and those of its held-out documents, against updates.

In: a log. Out: points.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.runs.log import Log

POINTS = 120
"""Points of the curve of training, at most."""

Curve = list[tuple[float, float]]
"""Updates and losses, nats a position."""


@dataclass(frozen=True)
class Learning:
    """What a log tells of.

    Attributes:
        training: of the GPT, each the mean of some steps.
        held_out: of the GPT on held-out documents.
        mixed: of these with the counts that the GPT is mixed with, if it is.
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
            [(step, told.get("gpt", told["loss"])) for step, told in measured],
            [(step, told["loss"]) for step, told in measured if "gpt" in told],
        )
