"""Finite differences: how much a number answers when another one is nudged.

In: a function of the nudge. Out: what a derivative is held against; the same for the loss as a
function of the logits, whose derivative is p - 1[target].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.loss import cross_entropy
from microgpt.loss.many import Softmax

STEPS = tuple(10.0**-k for k in range(1, 13))
"""The nudges h that a derivative is held against, from large to small."""


@dataclass(frozen=True)
class Difference:
    """Finite differences of a function f at a point x.

    Attributes:
        h: by how much x is nudged.
        one_sided: (f(x + h) - f(x)) / h; what it leaves out shrinks like h.
        central: (f(x + h) - f(x - h)) / 2h; what it leaves out shrinks like h^2.
    """

    h: float
    one_sided: float
    central: float


def difference(f: Callable[[float], float], h: float) -> Difference:
    """Nudge a number, and see how much a function of it changes.

    Args:
        f: the function of the nudge; f(0) is its value without one.
        h: the nudge, above 0.

    >>> difference(lambda nudge: (3.0 + nudge) ** 2, h=0.5)  # the derivative is 6
    Difference(h=0.5, one_sided=6.5, central=6.0)
    """
    below, here, above = f(-h), f(0.0), f(h)
    return Difference(h, (above - here) / h, (above - below) / (2.0 * h))


def relative_error(found: float, exact: float) -> float:
    """Return by how much two numbers differ, as a share of the larger one; 0 if they are equal.

    >>> relative_error(6.5, 6.0), relative_error(0.0, 0.0)
    (0.07692307692307693, 0.0)
    """
    largest = max(abs(found), abs(exact))
    return abs(found - exact) / largest if largest else 0.0


@dataclass(frozen=True)
class NudgedLogit:
    """A logit, the derivative of the loss with respect to it, and what nudges of it do.

    Attributes:
        token: whose logit.
        p: its probability.
        slope: the derivative, p - 1[target].
        below, above: the loss with the logit less by h, and more by h.
        change: the central difference, (above - below) / 2h.
    """

    token: int
    p: float
    slope: float
    below: float
    above: float
    change: float


def nudged_logits(logits_V: Sequence[float], target: int, h: float) -> list[NudgedLogit]:
    """Nudge each logit by itself; the target comes first, then the likeliest others.

    >>> [round(one.change - one.slope, 7) + 0.0 for one in nudged_logits([2.0, 1.0], 0, h=1e-3)]
    [0.0, 0.0]
    """
    p_V: list[float] = Softmax(np.array([logits_V])).p_BV[0].tolist()
    _, slopes_V = cross_entropy(logits_V, target)

    def loss(token: int, nudge: float) -> float:
        nudged_V = [*logits_V]
        nudged_V[token] += nudge
        return cross_entropy(nudged_V, target)[0]

    def one(token: int) -> NudgedLogit:
        change = difference(lambda nudge: loss(token, nudge), h).central
        losses = loss(token, -h), loss(token, h)
        return NudgedLogit(token, p_V[token], slopes_V[token], *losses, change)

    others = sorted(set(range(len(p_V))) - {target}, key=lambda token: -p_V[token])
    return [one(token) for token in (target, *others)]
