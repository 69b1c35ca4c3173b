"""Make a mixture of either kind: by its name for a training, by what was fitted for a saved run."""

from __future__ import annotations

from microgpt.config import MixtureName
from microgpt.counting.fitted import Fitted
from microgpt.counting.linear import DEFAULT_WEIGHT, LinearMixture
from microgpt.counting.loglinear_mixture import LogLinearMixture
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.engines.contract import Predictor


def new(kind: MixtureName, gpt: Predictor, ngram: NGram) -> Mixture:
    """Return a mixture in which nothing is fitted yet."""
    return LogLinearMixture(gpt, ngram) if kind == "log-linear" else LinearMixture(gpt, ngram)


def again(gpt: Predictor, ngram: NGram, its: Fitted) -> Mixture:
    """Return the mixture in which this was fitted.

    Raises:
        UsageError: it was fitted with other counts.
    """
    if its.log_linear:
        return LogLinearMixture(gpt, ngram, its.log_linear, its.cache)
    weight = DEFAULT_WEIGHT if its.weight is None else its.weight
    return LinearMixture(gpt, ngram, weight, its.cache)
