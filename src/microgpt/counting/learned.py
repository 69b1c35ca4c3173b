"""The bigram model as a table of logits, which gradient descent finds again.

In: how often each token follows each other one. Out: the loss of a table of logits, its gradient
(by the formula, and by a finite difference), and the table after some steps of gradient descent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.pairs import Counts
from microgpt.loss import LossSum
from microgpt.loss.many import Softmax

Floats = NDArray[np.float64]


def times(counts: Counts) -> Floats:
    """Return times_VV: how often the token of the column follows the token of the row.

    >>> from microgpt.data.batch import lay_out
    >>> batch = lay_out([[0, 1], [0, 0]], bos=2, block_size=8).batch  # ab and aa
    >>> times(Counts.of(batch, 3)).astype(int).tolist()
    [[1, 1, 1], [0, 0, 1], [2, 0, 0]]
    """
    times_VV = np.zeros((counts.vocab_size, counts.vocab_size))
    np.put(times_VV, counts.pairs, counts.pair_counts)
    return times_VV


def counted(times_VV: Floats) -> Floats:
    """Return logits_VV whose softmax is the share of each pair in its row: the logarithms of times.

    No table has a lower loss on the counted documents. A pair that never came has the logit -inf,
    probability 0; the row of a token that never came is uniform.

    >>> np.exp(counted(np.array([[1.0, 3.0], [0.0, 0.0]]))).round(12).tolist()
    [[1.0, 3.0], [1.0, 1.0]]
    """
    never_V1 = times_VV.sum(axis=1, keepdims=True) == 0
    with np.errstate(divide="ignore"):
        return np.log(np.where(never_V1, 1.0, times_VV))


def loss(logits_VV: Floats, times_VV: Floats) -> LossSum:
    """Return the loss of a table of logits: each pair's -log p, as often as the pair comes.

    It is infinite if a pair comes that has probability 0.

    >>> round(loss(np.zeros((3, 3)), np.ones((3, 3))).mean, 4)  # blind guessing: ln 3
    1.0986
    """
    losses_VV = -Softmax(logits_VV).log_p_BV
    came = times_VV > 0
    nats = float((losses_VV[came] * times_VV[came]).sum())
    return LossSum(nats, int(times_VV.sum()))


def gradient(logits_VV: Floats, times_VV: Floats) -> Floats:
    """Return d_logits_VV, the gradient of the mean loss with respect to every logit.

    ::

        d_logits[a, b] = (n(a) p(b | a) - n(a, b)) / N

    At each of the n(a) positions that read a it is p - onehot(target), as in `cross_entropy`.

    >>> gradient(np.zeros((2, 2)), np.array([[1.0, 3.0], [0.0, 0.0]])).tolist()
    [[0.25, -0.25], [0.0, 0.0]]
    """
    p_VV = Softmax(logits_VV).p_BV
    reads_V1 = times_VV.sum(axis=1, keepdims=True)
    return (reads_V1 * p_VV - times_VV) / times_VV.sum()


def nudged(
    logits_VV: Floats, times_VV: Floats, pair: tuple[int, int], nudge: float = 1e-4
) -> float:
    """Return the same slope for one logit, measured: the loss with the logit raised and lowered.

    ``(loss(logit + nudge) - loss(logit - nudge)) / (2 nudge)``, a central difference, whose error
    is of the order of nudge^2.

    >>> round(nudged(np.zeros((2, 2)), np.array([[1.0, 3.0], [0.0, 0.0]]), (0, 1)), 6)
    -0.25
    """
    up_VV, down_VV = np.array(logits_VV), np.array(logits_VV)
    up_VV[pair] += nudge
    down_VV[pair] -= nudge
    return (loss(up_VV, times_VV).mean - loss(down_VV, times_VV).mean) / (2 * nudge)


def rate(times_VV: Floats) -> float:
    """Return a learning rate with which no step of gradient descent makes the loss larger.

    It is 1 / L, where L is the most that the slope can change a unit: half the share of the most
    frequent row.

    Source: Nesterov, "Introductory lectures on convex optimization" (2004), section 1.2.3; softmax
    has a curvature of at most 1/2, Böhning, "Multinomial logistic regression algorithm" (1992).

    >>> rate(np.array([[1.0, 2.0], [1.0, 0.0]]))
    2.6666666666666665
    """
    return float(2 * times_VV.sum() / times_VV.sum(axis=1).max())


def descent(times_VV: Floats) -> Iterator[Floats]:
    """Yield the table before the first step of gradient descent, all zeros, and after each step."""
    logits_VV, lr = np.zeros_like(times_VV), rate(times_VV)
    while True:
        yield logits_VV
        logits_VV = logits_VV - lr * gradient(logits_VV, times_VV)


def after(times_VV: Floats, steps: Sequence[int]) -> list[Floats]:
    """Return the table after each of these numbers of steps, ascending.

    >>> some = np.array([[9.0, 1.0], [2.0, 2.0]])
    >>> [round(loss(table, some).mean, 3) for table in after(some, [0, 1, 100])]
    [0.693, 0.444, 0.43]
    """
    tables = enumerate(islice(descent(times_VV), steps[-1] + 1))
    return [logits_VV for step, logits_VV in tables if step in steps]
