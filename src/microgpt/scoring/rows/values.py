"""The columns of `microgpt score` as values: numbers in arrays, text in lists.

In: texts, a pricer, a judge. Out: a column for each of `fields.KINDS`, to be laid in a data frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.loss import LN_2
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge
from microgpt.scoring.suggest import Suggester
from microgpt.wording import END

Flags = NDArray[np.bool_]


def values(
    pricer: Pricer,
    judge: Judge,
    texts: Sequence[str],
    given_D: Flags | None = None,
    *,
    suggest: bool = False,
) -> dict[str, Any]:
    """Return what is said of each text, by column; columns that are not known hold None.

    Args:
        pricer: of the model.
        judge: computes percentiles, and which texts are flagged.
        texts: any number of them, which are priced some at a time.
        given_D: which texts are flagged, in place of what the judge says.
        suggest: whether to look for what was meant by those that are flagged.
    """
    D = len(texts)
    loss_D, percentile_D = np.zeros(D), np.zeros(D)
    unknown_D, flagged_D = np.zeros(D, np.int64), np.zeros(D, np.bool_)
    starts: list[int] = []
    stops: list[int] = []
    for priced in pricer.each(texts):
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        its = slice(len(starts), len(starts) + len(means_D))
        loss_D[its], unknown_D[its] = means_D, priced.laid.unknown_D
        rarer_D, above_D = judge.judged(lengths_D, means_D)
        if rarer_D is not None:
            percentile_D[its] = rarer_D
        if above_D is not None:
            flagged_D[its] = above_D
        for ends, found_D in zip((starts, stops), priced.spans(judge.usual)):
            ends += found_D.tolist()
    if given_D is not None:
        flagged_D = given_D
    unknowable = [None] * D
    is_judged = judge.reference is not None or judge.threshold is not None
    columns: dict[str, Any] = {
        "loss": loss_D,
        "bits": loss_D / LN_2,
        "percentile": percentile_D if is_judged else unknowable,
        "span": [f"{text}{END}"[i:j] for text, i, j in zip(texts, starts, stops)],
        "unknown": unknown_D,
        "flagged": flagged_D if judge.threshold or given_D is not None else unknowable,
    }
    if suggest:
        which: list[int] = np.flatnonzero(flagged_D).tolist()
        # What repeats is looked at once.
        once = {texts[d]: (starts[d], stops[d]) for d in which}
        suggester = Suggester(pricer)
        found = suggester.suggest([*once], *([ends[i] for ends in once.values()] for i in (0, 1)))
        meant = {text: one for text, one in zip(once, found) if one}
        each = [meant.get(text) for text in texts]
        columns["suggestion"] = [one.text if one else None for one in each]
        columns["suggestion_loss"] = [one.loss if one else None for one in each]
    return columns
