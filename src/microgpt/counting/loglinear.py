"""The weights of a log-linear mixture, and how they are fitted.

In: the logarithms of the probabilities of several predictors. Out: those of their mixture::

    p(t) = exp(sum of w_k log p_k(t)) / Z        w_k = a_k + b_k x + c_k x^2

The first predictor is a GPT, the others count. x tells how often the last tokens before a position
came in the training documents, from 0, never, to 1, MOST times or more, on a logarithmic scale:
where they came often, long counts are worth more. The loss is convex in a, b and c, and Newton's
method finds its least. Weights may be negative: a predictor can be right about what another
overrates.

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

# Newton's method ends after so many steps, or with a step that should lower the loss by less than
# this, in nats a position.
_STEPS, _NO_MORE = 20, 1e-5


@dataclass(frozen=True)
class LogLinear:
    """The weights of a log-linear mixture.

    Attributes:
        weights: a, b and c of each predictor, the GPT first.

    Raises:
        UsageError: they are not three finite numbers of two predictors or more.
    """

    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.weights) < 2 or not all(
            len(its) == COEFFICIENTS and all(map(math.isfinite, its)) for its in self.weights
        ):
            raise UsageError(
                f"log_linear must be {COEFFICIENTS} finite weights of each predictor; "
                f"got {[*map(list, self.weights)]}."
            )

    @classmethod
    def usual(cls, counts: int) -> LogLinear:
        """Return the weights before any is fitted, for this many predictors that count.

        >>> LogLinear.usual(2).weights
        ((0.6, 0.0, 0.0), (0.2, 0.0, 0.0), (0.2, 0.0, 0.0))
        """
        share = round((1.0 - GPT_WEIGHT) / counts, 12)
        return cls(((GPT_WEIGHT, 0.0, 0.0), *[(share, 0.0, 0.0)] * counts))

    def at(self, came_N: Floats) -> Floats:
        """Return the weights w_NK where the last tokens came this often.

        >>> LogLinear(((0.6, 0.0, 0.0), (0.4, 0.1, 0.0))).at(np.array([0.0, 63.0, 900.0]))
        array([[0.6, 0.4],
               [0.6, 0.5],
               [0.6, 0.5]])
        """
        # Not as a product of matrices, in which a row's numbers could depend on the others.
        a_K, b_K, c_K = np.transpose(self.weights)
        x_N1 = _scaled(came_N)[:, None]
        return a_K + x_N1 * (b_K + x_N1 * c_K)

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
        # 1, x and x^2; and the products of two of them, all that the curvature needs.
        x_NS = np.power(_scaled(came_N)[:, None], np.arange(2 * COEFFICIENTS - 1))
        x_NJ = x_NS[:, :COEFFICIENTS]
        of_target_NK = log_p_NKV[np.arange(N), :, targets_N]

        def looked(w_KJ: Floats) -> tuple[float, Softmax]:
            softmax = _mixed(np.matmul(x_NJ, np.transpose(w_KJ)), log_p_NKV)
            penalty = 0.5 * PENALTY * float(((w_KJ - usual_KJ) ** 2).sum())
            return float(softmax.losses(targets_N).sum()) + penalty, softmax

        w_KJ = np.array(self.weights)
        least, softmax = looked(w_KJ)
        for _ in range(_STEPS):
            step_KJ, gain = _step(log_p_NKV, softmax.p_BV, of_target_NK, x_NS, w_KJ - usual_KJ)
            if gain < _NO_MORE * N:
                w_KJ = w_KJ - step_KJ
                break
            # Half of a step, or a quarter, if a whole one overshoots: far from the least it may.
            for size in (1.0, 0.5, 0.25, 0.125):
                found, its = looked(w_KJ - size * step_KJ)
                if found < least:
                    break
            else:
                break
            least, softmax = found, its
            w_KJ = w_KJ - size * step_KJ
        return LogLinear(tuple(tuple(its) for its in w_KJ.tolist()))


def _mixed(weights_NK: Floats, log_p_NKV: Floats) -> Softmax:
    """Return the mixture of predictors."""
    return Softmax(np.matmul(weights_NK[:, None, :], log_p_NKV)[:, 0])


def _scaled(came_N: Floats) -> Floats:
    """Return x of each position, in [0, 1]."""
    return np.log1p(np.minimum(came_N, MOST)) / math.log1p(MOST)


def _step(
    log_p_NKV: Floats, p_NV: Floats, of_target_NK: Floats, x_NS: Floats, away_KJ: Floats
) -> tuple[Floats, float]:
    """Return the step of Newton's method, and by how much it lowers a quadratic loss.

    The step is the inverse of the curvature, times the gradient; it lowers half of their product.
    The gradient of a position's loss by w_k is the mean of log p_k under the mixture minus log p_k
    of the target; its curvature is their covariance under the mixture.
    """
    K, J = log_p_NKV.shape[1], COEFFICIENTS
    weighted_NKV = log_p_NKV * p_NV[:, None, :]
    mean_NK = weighted_NKV.sum(axis=2)
    slope_KJ: Floats = np.einsum("nk,nj->kj", mean_NK - of_target_NK, x_NS[:, :J])
    slope_KJ += PENALTY * away_KJ
    curve_NKK = np.matmul(weighted_NKV, np.swapaxes(log_p_NKV, 1, 2))
    curve_NKK -= mean_NK[:, :, None] * mean_NK[:, None, :]
    curves = np.matmul(np.transpose(x_NS), np.reshape(curve_NKK, (-1, K * K)))
    curve_SKK = np.reshape(curves, (-1, K, K))
    powers_JJ = np.arange(J)[:, None] + np.arange(J)
    curve = np.reshape(np.transpose(curve_SKK[powers_JJ], (2, 0, 3, 1)), (K * J, K * J))
    step = np.linalg.solve(curve + PENALTY * np.eye(K * J), np.ravel(slope_KJ))
    step_KJ: Floats = np.reshape(np.asarray(step, np.float64), (K, J))
    return step_KJ, 0.5 * float(np.vdot(step_KJ, slope_KJ))
