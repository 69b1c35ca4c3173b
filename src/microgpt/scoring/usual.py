"""The losses of a run's usual texts, measured: the reference for other texts.

In: a model, its training documents and held-out ones. Out: a `Usual`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.data.alike import Alike, same
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Ints, Reference
from microgpt.scoring.repetition import MOST, Repetition, choose, one_fewer, weights

# Texts measured at once; the losses of all their positions are in memory.
_TEXTS = 8192


@dataclass(frozen=True, eq=False)
class Usual:
    """The losses of usual texts.

    Attributes:
        lengths_D: in characters.
        means_D: the losses, nats per position.
        lines_D: how many lines of the file each text represents; 0: it is new (see `repetition`).
        repetition: of the file.
        nats: the weighted mean loss, nats per position.
        whole: whether more texts could not be measured: all were, or the limit was reached.
    """

    lengths_D: Ints
    means_D: Floats
    lines_D: Ints
    repetition: Repetition
    nats: float
    whole: bool

    @property
    def reference(self) -> Reference:
        """The texts sorted, for percentiles of others."""
        return Reference(self.lengths_D, self.means_D, self.lines_D, self.repetition)


Documents = tuple[Sequence[str], Sequence[str]]
"""The training documents, and the held-out ones."""


def measure(
    pricer: Pricer,
    documents: Documents,
    seed: int,
    positions: int | None = None,
    alike: Alike | None = None,
) -> Usual:
    """Measure the texts that are usual for a run.

    Args:
        pricer: of the model.
        documents: the run's; some are held out.
        seed: of the random choice, if there are too many texts.
        positions: about the most positions of new texts to measure, and of repeating ones; None:
            those of 50,000 texts each.
        alike: which documents are the same (`alike.same`), if already known.
    """
    trained, held_out = documents
    most = MOST
    if positions is not None:
        characters = Texts.of(held_out).characters + len(held_out)
        most = min(most, max(positions * len(held_out) // characters, 1))
    alike = alike or same(trained, held_out, pricer.tokenizer)
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
