"""The weights of a log-linear mixture, and how they are fitted.

In: the logarithms of the probabilities of several predictors. Out: those of their mixture::

    p(t) = exp(sum of w_k log p_k(t)) / Z        w_k = a_k (1 - x)^2 + 2 b_k x (1 - x) + c_k x^2

The first predictor is a GPT, the others count. x tells how often the last tokens before a position
came in the training documents, from 0, never, to 1, MOST times or more, on a logarithmic scale:
where they came often, long counts are worth more. The loss is convex in a, b and c, and Newton's
method finds its least among those that are not negative. Negative ones would lower the loss
further, for a bad reason: held-out documents differ from all that were trained on, so what came in
training would be made unlikely, and a known text would look strange.

Source: Klakow, "Log-linear interpolation of language models" (1998); products of experts, Hinton,
"Training products of experts by minimizing contrastive divergence" (2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.errors import UsageError
from microgpt.loss.many import Softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 63
"""Contexts that came more often have the weights of those that came this often."""

COEFFICIENTS = 3
"""The numbers of each predictor: a, b and c."""

GPT_WEIGHT = 0.6
"""The GPT's weight before any is fitted; the counts have equal shares of the rest."""

PENALTY = 1.0
"""In nats, twice that of a distance of 1 from the weights before any is fitted: few documents then
change them little."""

# Newton's method ends after so many steps, or with one that lowers the loss by less than this, in
# nats a position.
_STEPS, _NO_MORE = 20, 1e-5


@dataclass(frozen=True)
class LogLinear:
    """The weights of a log-linear mixture.

    Attributes:
        weights: a, b and c of each predictor, the GPT first.

    Raises:
        UsageError: they are not three finite numbers from 0 of two predictors or more.
    """

    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.weights) < 2 or not all(
            len(its) == COEFFICIENTS and all(0.0 <= one < math.inf for one in its)
            for its in self.weights
        ):
            raise UsageError(
                f"log_linear must be {COEFFICIENTS} finite weights from 0 of each predictor; "
                f"got {[*map(list, self.weights)]}."
            )

    @classmethod
    def usual(cls, counts: int) -> LogLinear:
        """Return the weights before any is fitted, for this many predictors that count.

        >>> LogLinear.usual(2).weights
        ((0.6, 0.6, 0.6), (0.2, 0.2, 0.2), (0.2, 0.2, 0.2))
        """
        share = round((1.0 - GPT_WEIGHT) / counts, 12)
        return cls(((GPT_WEIGHT,) * COEFFICIENTS, *[(share,) * COEFFICIENTS] * counts))

    def at(self, came_N: Floats) -> Floats:
        """Return the weights w_NK where the last tokens came this often.

        >>> LogLinear(((0.5, 0.5, 0.5), (0.0, 0.2, 0.4))).at(np.array([0.0, 7.0, 900.0]))
        array([[0.5, 0. ],
               [0.5, 0.2],
               [0.5, 0.4]])
        """
        # Not as a product of matrices, in which a row's numbers could depend on the others.
        a_K, b_K, c_K = np.transpose(self.weights)
        a_1N, b_1N, c_1N = np.transpose(_features(came_N))[:, :, None]
        return a_1N * a_K + b_1N * b_K + c_1N * c_K

    def losses(self, log_p_NKV: Floats, came_N: Floats, targets_N: Ints) -> Floats:
        """Return losses_N of the mixture; the arguments are those of `fit`."""
        return _mixed(self.at(came_N), log_p_NKV).losses(targets_N)

    def fit(self, log_p_NKV: Floats, came_N: Floats, targets_N: Ints) -> LogLinear:
        """Return the weights with the lowest loss and penalty, looked for from these.

        Args:
            log_p_NKV: of each predictor, at N positions.
            came_N: how often the last tokens of each position came in the training documents.
            targets_N: the tokens that came.
        """
        N, K, _ = log_p_NKV.shape
        if not N or not np.isfinite(log_p_NKV).all():  # a diverged GPT
            return self
        usual_KJ = np.array(self.usual(K - 1).weights)
        x_NJ = _features(came_N)
        of_target_NK = log_p_NKV[np.arange(N), :, targets_N]

        def looked(w_KJ: Floats) -> tuple[float, Softmax]:
            softmax = _mixed(np.matmul(x_NJ, np.transpose(w_KJ)), log_p_NKV)
            penalty = 0.5 * PENALTY * float(((w_KJ - usual_KJ) ** 2).sum())
            return float(softmax.losses(targets_N).sum()) + penalty, softmax

        w_KJ = np.array(self.weights)
        least, softmax = looked(w_KJ)
        for _ in range(_STEPS):
            step_KJ = _step(log_p_NKV, softmax.p_BV, of_target_NK, x_NJ, w_KJ, usual_KJ)
            # Half of a step, or a quarter, if a whole one overshoots: far from the least it may.
            for size in (1.0, 0.5, 0.25, 0.125):
                next_KJ = w_KJ - size * step_KJ
                found, its = looked(next_KJ)
                if found < least:
                    break
            else:
                break
            gained, least, softmax, w_KJ = least - found, found, its, next_KJ
            if gained < _NO_MORE * N:
                break
        return LogLinear(tuple(tuple(its) for its in w_KJ.tolist()))


def _mixed(weights_NK: Floats, log_p_NKV: Floats) -> Softmax:
    """Return the mixture of predictors."""
    return Softmax(np.matmul(weights_NK[:, None, :], log_p_NKV)[:, 0])


def _features(came_N: Floats) -> Floats:
    """Return (1 - x)^2, 2 x (1 - x) and x^2 of each position."""
    x_N = np.log1p(np.minimum(came_N, MOST)) / math.log1p(MOST)
    return np.stack([(1.0 - x_N) ** 2, 2.0 * x_N * (1.0 - x_N), x_N**2], axis=1)


def _step(
    log_p_NKV: Floats,
    p_NV: Floats,
    of_target_NK: Floats,
    x_NJ: Floats,
    w_KJ: Floats,
    usual_KJ: Floats,
) -> Floats:
    """Return the step of Newton's method: to the least of a quadratic loss, no weight negative.

    The gradient of a position's loss by w_k is the mean of log p_k under the mixture minus log p_k
    of the target; its curvature is their covariance under the mixture.
    """
    (N, K, _), J = log_p_NKV.shape, COEFFICIENTS
    weighted_NKV = log_p_NKV * p_NV[:, None, :]
    mean_NK = weighted_NKV.sum(axis=2)
    slope_KJ: Floats = np.einsum("nk,nj->kj", mean_NK - of_target_NK, x_NJ)
    slope_KJ += PENALTY * (w_KJ - usual_KJ)
    curve_NKK = np.matmul(weighted_NKV, np.swapaxes(log_p_NKV, 1, 2))
    curve_NKK -= mean_NK[:, :, None] * mean_NK[:, None, :]
    x_NJJ = x_NJ[:, :, None] * x_NJ[:, None, :]
    products = np.transpose(np.reshape(x_NJJ, (N, J * J)))
    curve_JJKK = np.reshape(np.matmul(products, np.reshape(curve_NKK, (N, K * K))), (J, J, K, K))
    curve = np.reshape(np.transpose(curve_JJKK, (2, 0, 3, 1)), (K * J, K * J))
    curve = curve + PENALTY * np.eye(K * J)
    w = np.ravel(w_KJ)
    least = _not_negative(curve, np.matmul(curve, w) - np.ravel(slope_KJ))
    return np.reshape(w - least, (K, J))


def _not_negative(curve: Floats, pull: Floats) -> Floats:
    """Return the z with the least 1/2 z' curve z - pull' z, none of its numbers negative.

    Source: Lawson and Hanson, "Solving least squares problems" (1974), chapter 23.

    >>> _not_negative(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([2.0, -1.0]))
    array([1., 0.])
    """
    z, is_free = np.zeros(len(pull)), np.zeros(len(pull), dtype=bool)
    for _ in range(10 * len(pull)):  # a few times as many as there are numbers are enough
        gains = np.where(is_free, 0.0, pull - np.matmul(curve, z))
        if gains.max() <= 1e-9 * np.abs(pull).max():
            break
        is_free[gains.argmax()] = True
        while True:
            free = np.flatnonzero(is_free)
            to = np.zeros(len(pull))
            to[free] = np.linalg.solve(curve[np.ix_(free, free)], pull[free])
            below = np.flatnonzero(is_free & (to <= 0.0))
            if not len(below):
                z = to
                break
            # As far as the first number that becomes 0, which is free no more.
            z = z + (z[below] / (z[below] - to[below])).min() * (to - z)
            is_free &= z > 1e-12
            z = np.where(is_free, z, 0.0)
    return z
