"""The loss: the cross-entropy of one prediction, and its gradient.

In: the logits at one position and the id of the token that followed. Out: nats, and the gradient
with respect to every logit. A nat is the unit of ``-log p``: 0 for a certainty, 0.69 for a fair
coin, 3.30 for a uniform guess among 27. Everything else in this package serves this file. Beside
it: other objectives that training can minimise (`objectives`), sums of losses (`total`, `sums`),
and the same loss of many positions in numpy (`many`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from microgpt.errors import UsageError
from microgpt.loss.objectives import OBJECTIVES, Objective
from microgpt.loss.total import LN_2, LossSum

if TYPE_CHECKING:
    from microgpt.autograd import Value

__all__ = [
    "LN_2",
    "OBJECTIVES",
    "LossSum",
    "Objective",
    "check_target",
    "cross_entropy",
    "cross_entropy_by_the_book",
]


def cross_entropy(logits_V: Sequence[float], target: int) -> tuple[float, list[float]]:
    """Return ``-log softmax(logits_V)[target]`` in nats, and its gradient.

    ::

        loss     = log(sum_i exp(z_i)) - z_target
                 = (z_max - z_target) + log1p(sum_{i != max} exp(z_i - z_max))
        d_logits = softmax(z) - onehot(target)

    The second form is the one computed: both of its terms are >= 0, so nothing cancels, and the
    result is within 4 units in the last place whether the model was nearly right (a loss of
    1e-300) or certain and wrong (a gap of 1,000 is 1,000 nats). For the same reason the derivative
    with respect to the target's logit is minus the sum of the others', not ``p - 1``, which would
    round to 0.

    A constant added to every logit changes nothing. The derivatives sum to 0.

    Args:
        logits_V: one number per token id, any finite value or -inf ("impossible").
        target: the id of the token that followed, in [0, V).

    Returns:
        The loss in nats, in [0, inf]; and the V derivatives d loss / d logit, in [-1, 1]. An
        impossible target costs inf. NaN among the logits gives NaN.

    Raises:
        UsageError: the target is not in [0, V).

    Source: log-sum-exp with the maximum taken out, Blanchard, Higham and Higham, "Accurately
    computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41 (2021); the logarithm
    as a score, Good, "Rational decisions", J. R. Stat. Soc. B 14 (1952).

    >>> cross_entropy([0.0, 0.0], 0)
    (0.6931471805599453, [-0.5, 0.5])
    """
    check_target(target, len(logits_V))
    logits_V = [float(z) for z in logits_V]
    z_max = max(max(logits_V), -sys.float_info.max)
    gap, gap_error = _difference(z_max, logits_V[target])
    top = target if gap == 0 else next((i for i, z in enumerate(logits_V) if z == z_max), target)

    exps_V = [_exp_difference(z, z_max) for z in logits_V]
    exps_V[top] = 0.0
    rest = math.fsum(exps_V)
    exps_V[top] = 1.0
    loss = math.fsum((gap, gap_error, math.log1p(rest)))

    d_logits_V = [e / (1.0 + rest) for e in exps_V]
    d_logits_V[target] = 0.0
    d_logits_V[target] = -math.fsum(d_logits_V)
    return loss, d_logits_V


def cross_entropy_by_the_book(logits_V: Sequence[Value], target: int) -> Value:
    """Compute the same loss by its textbook definition: softmax, pick the target, take ``-log``.

    It is here to be read, and to test :func:`cross_entropy` against: each operation is a node of
    the autograd graph, and the chain rule yields the same gradient. Do not train with it: where the
    target is 746 nats below the largest logit, its probability underflows to 0, which has no
    logarithm.

    >>> from microgpt.autograd import Value
    >>> logits_V = [Value(0.0), Value(0.0)]
    >>> loss = cross_entropy_by_the_book(logits_V, 0)
    >>> loss.backward()
    >>> round(loss.data, 4), [z.grad for z in logits_V]
    (0.6931, [-0.5, 0.5])
    """
    check_target(target, len(logits_V))
    z_max = max(z.data for z in logits_V)
    exps_V = [(z - z_max).exp() for z in logits_V]
    total = sum(exps_V[1:], exps_V[0])
    return -(exps_V[target] / total).log()


def check_target(target: int, vocab_size: int, position: int | None = None) -> None:
    """Raise UsageError unless the target is a token id, naming its position if known."""
    if not 0 <= target < vocab_size:
        where = "" if position is None else f" at position {position}"
        raise UsageError(f"target{where} must be in [0, {vocab_size}); got {target}.")


def _difference(a: float, b: float) -> tuple[float, float]:
    """Return the rounded a - b and its rounding error, exactly (Knuth's TwoSum)."""
    d = a - b
    if not math.isfinite(d):
        return d, 0.0
    b_rounded = a - d
    return d, (a - (d + b_rounded)) + (b_rounded - b)


def _exp_difference(a: float, b: float) -> float:
    """Return exp(a - b), corrected for the rounding of a - b, which shows at a gap of 700."""
    d, error = _difference(a, b)
    return math.exp(d) * (1.0 + error)
