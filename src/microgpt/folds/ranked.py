"""The rows of a file whose texts surprise most, each told once, with what was probably meant.

In: the rows, and what their texts cost across folds. Out: a `Scored`, whose rows can be written.

They are ordered by their most surprising part, not by the mean of the whole: one mistake is a small
part of a long text, and hardly changes its mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microgpt.data.reader.block import Block
from microgpt.folds.crossed import Crossed
from microgpt.scoring.rows.fields import Scored, fields
from microgpt.scoring.suggest import Suggester, Suggestion

FIELDS = fields("row", "copies", "surprise", "suggestion", "suggestion_loss")
"""What is said of a row."""


def ranked(crossed: Crossed, rows: Block, top: int) -> Scored:
    """Return the first rows that have the most surprising texts.

    Args:
        crossed: trained, on the texts of the rows.
        rows: all of the file.
        top: how many texts are wanted.
    """
    most = crossed.surprising(top)
    order = most.texts_D
    firsts: list[int] = crossed.alike.firsts_U[order].tolist()
    block = replace(
        rows,
        texts=[rows.texts[d] for d in firsts],
        rows=[rows.rows[d] for d in firsts],
        numbers=[rows.numbers[d] for d in firsts],
        left_out=(),
    )
    scored = Scored(
        block,
        crossed.means_U[order],
        most.percentiles_D,
        most.starts_D,
        most.stops_D,
        crossed.lengths_U[order],
        crossed.unknown_U[order],
        None,
        crossed.alike.times_U[order].tolist(),
        most.surprises_D.tolist(),
    )
    meant: list[Suggestion | None] = [None] * len(order)
    for fold in range(crossed.folds):
        which: list[int] = np.flatnonzero(crossed.folds_U[order] == fold).tolist()
        pricer = crossed.pricer(fold)
        suggester = Suggester(pricer)
        starts, stops = scored.starts_D[which].tolist(), scored.stops_D[which].tolist()
        found = suggester.suggest([block.texts[d] for d in which], starts, stops)
        for d, one in zip(which, found):
            meant[d] = one
    return replace(scored, meant=meant)
