"""The threshold of an estimator: a quantile of the scores of ordinary texts.

In: the texts of a training, a function that scores texts. Out: one number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microgpt.data.alike import same
from microgpt.data.tokenizer import Tokenizer
from microgpt.scoring.reference import Reference
from microgpt.scoring.repetition import choose, one_fewer
from microgpt.scoring.threshold import threshold
from microgpt.sklearn.texts import Floats


def offset(
    judge: Callable[[list[str]], Floats],
    trained: list[str],
    held_out: list[str],
    share: float,
    tokenizer: Tokenizer,
) -> float:
    """Return the score below which a share of ordinary texts lies.

    Args:
        judge: scores texts, more usual ones higher.
        trained: the training texts.
        held_out: the held-out texts; if there are none, the training texts are used.
        share: the share, in (0, 1).
        tokenizer: texts that it reads the same are the same.

    >>> from microgpt.data.tokenizer import Bytes
    >>> judge = lambda texts: np.array([float(len(text)) for text in texts])
    >>> offset(judge, ["x"], ["a", "bbb"], 0.5, Bytes())
    2.0
    """
    chosen = choose(trained, held_out, alike=same(trained, held_out, tokenizer))
    if not held_out or chosen.repetition.once == chosen.repetition.lines:
        return float(np.percentile(judge(held_out or trained), 100.0 * share))
    costs = one_fewer(-judge(chosen.texts), chosen.learnt_D)
    # One threshold for texts of all lengths: they are one class.
    lengths = np.zeros(len(costs), dtype=np.int64)
    usual = Reference(lengths, costs, chosen.lines_D, chosen.repetition)
    # If the texts are too few for this share, the threshold lies below all of them.
    least = (1.0 + 1e-9) / (float(usual.weights_C[0]) + 1.0)
    return -float(threshold(usual, max(share, least)).means_C[0])
