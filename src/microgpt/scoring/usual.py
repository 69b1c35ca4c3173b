"""What usual texts of a run cost: measured, to hold other texts against.

In: a model, the documents trained on and those held out. Out: a `Usual`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.data.alike import Alike
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Ints, Reference
from microgpt.scoring.repetition import MOST, Repetition, choose, one_fewer, weights

# Texts priced at once: their losses at every position are held.
_TEXTS = 8192


@dataclass(frozen=True, eq=False)
class Usual:
    """What usual texts cost.

    Attributes:
        lengths_D: in characters.
        means_D: nats per position.
        lines_D: how many lines of the file each stands for; 0: it is new (see `repetition`).
        repetition: of the file.
        nats: per position, over all they stand for.
        whole: whether these are as many as can be.
    """

    lengths_D: Ints
    means_D: Floats
    lines_D: Ints
    repetition: Repetition
    nats: float
    whole: bool

    @property
    def reference(self) -> Reference:
        """The same, sorted, to hold others against."""
        return Reference(self.lengths_D, self.means_D, self.lines_D, self.repetition)


Documents = tuple[Sequence[str], Sequence[str]]
"""Those trained on, and those held out."""


def measure(
    pricer: Pricer,
    documents: Documents,
    seed: int,
    positions: int | None = None,
    alike: tuple[Alike, Alike] | None = None,
) -> Usual:
    """Price the texts that are usual for a run.

    Args:
        pricer: of the model.
        documents: the run's; some are held out.
        seed: of what is drawn where there are too many.
        positions: the most to price, roughly, of new texts and of those that repeat; None: those
            of 50,000 texts.
        alike: which documents of either kind are the same, if that is known.
    """
    trained, held_out = documents
    most = MOST
    if positions is not None:
        characters = Texts.of(held_out).characters + len(held_out)
        most = min(most, max(positions * len(held_out) // characters, 1))
    chosen = choose(trained, held_out, seed, most, alike)
    groups = [chosen.texts[i : i + _TEXTS] for i in range(0, len(chosen.texts), _TEXTS)]
    priced = [
        (one.laid.lengths_D, one.nats_D, one.positions_D) for one in map(pricer.price, groups)
    ]
    lengths_D, nats_D, positions_D = map(np.concatenate, zip(*priced))
    weights_D = weights(chosen.lines_D, chosen.repetition)
    return Usual(
        lengths_D,
        one_fewer(nats_D / positions_D, chosen.learnt_D),
        chosen.lines_D,
        chosen.repetition,
        float((weights_D * nats_D).sum() / (weights_D * positions_D).sum()),
        chosen.whole,
    )
