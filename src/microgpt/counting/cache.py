"""A cache: what followed the same tokens earlier in the same text, mixed with a model.

In: a model's losses or probabilities, the history of the windows they are of. Out: those of::

    p = (1 - w) p_model + w p_cache        p_cache(t) = n(context, t) / n(context)

The context is the last 5, 4 or 3 tokens, the longest of these that came earlier in the text, and n
counts there. Where none did, p is the model's. The weight w depends on the length of the context
and on how often it came, once, twice, three times or more: twelve weights. Only windows of a long
text have a history (`data.history`); a decoder knows no text before its window, and has no cache.

Source: Kuhn and De Mori, "A cache-based natural language model for speech recognition" (1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.earlier import LENGTHS, Earlier
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch
from microgpt.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Whole = NDArray[np.integer]

TIMES = 4
"""The weights of each length: of a context that came once, twice, three times, or more often."""

CLASSES = TIMES * len(LENGTHS)
"""The weights."""

# The fewest positions to fit a weight on.
_FEW = 100

# Of texts that are still in use: a training measures the same ones many times.
_EARLIER: WeakKeyDictionary[Batch, Earlier] = WeakKeyDictionary()


@dataclass(frozen=True)
class TextCache:
    """The weights of a cache.

    Attributes:
        weights: of the classes, in [0, 1): for each of LENGTHS those of 1, 2, 3, and 4 or more
            earlier occurrences.

    Raises:
        UsageError: they are not twelve numbers in [0, 1).
    """

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != CLASSES or not all(0.0 <= w < 1.0 for w in self.weights):
            raise UsageError(f"cache must be {CLASSES} weights in [0, 1); got {[*self.weights]}.")

    @classmethod
    def fit(cls, losses_N: Floats, batch: Batch) -> tuple[TextCache | None, Floats]:
        """Return the cache with the lowest loss on a batch's counted positions.

        Each weight is fitted on the positions of its class: one number on at least a hundred of
        them. Classes of fewer share one weight, which is 0 if there are not so many together. Like
        the weight of the counts they are fitted on the positions that are then measured with them;
        docs/race.md says how little that flatters.

        Args:
            losses_N: of the model, at the counted positions.
            batch: the windows.

        Returns:
            The cache, None: there is no history, or no weight is positive; and the losses with it.
        """
        found = _found(batch)
        if found is None:
            return None, losses_N
        class_N, cache_N = batch.counted(found.class_N), batch.counted(found.losses_N)
        weights, losses_N = np.zeros(CLASSES), np.array(losses_N)
        times = np.bincount(class_N + 1, minlength=CLASSES + 1)[1:].tolist()
        groups = [[number] for number in range(CLASSES) if times[number] >= _FEW]
        groups.append([number for number in range(CLASSES) if times[number] < _FEW])
        for some in groups:
            its = np.flatnonzero(np.isin(class_N, some))
            if len(its) >= _FEW and (weight := fitted(losses_N[its], cache_N[its])):
                weights[some] = weight
                losses_N[its] = mixed(losses_N[its], cache_N[its], weight)
        return (cls(tuple(weights.tolist())) if weights.any() else None), losses_N

    def losses(self, losses_N: Floats, batch: Batch) -> Floats:
        """Return losses_N, nats, of the mixture with a model whose losses are given."""
        found = _found(batch)
        if found is None:
            return losses_N
        weight_N, losses_N = self._of(found), np.array(losses_N)
        at = np.flatnonzero(weight_N)
        losses_N[at] = mixed(losses_N[at], found.losses_N[at], weight_N[at])
        return losses_N

    def logits(self, log_p_NV: Floats, batch: Batch) -> Floats:
        """Mix the cache into the logarithms of a model's p_NV, in place; return them."""
        found = _found(batch)
        if found is None:
            return log_p_NV
        weight_N = self._of(found)
        at = np.flatnonzero(weight_N)
        places = found.places_N[at]
        rows, tokens, times = found.earlier.followed(places)
        share = times / found.earlier.times_N[places][rows]
        return mixed_in(log_p_NV, weight_N, at[rows], tokens, share)

    def _of(self, found: _Found) -> Floats:
        """Return the weight at each position; 0: no context came before."""
        return np.array([*self.weights, 0.0])[found.class_N]


def mixed_in(
    log_p_NV: Floats, weight_N: Floats, rows: Ints, tokens: Whole, share: Floats
) -> Floats:
    """Mix some positive probabilities into logarithms of p_NV, in place; return them.

    Args:
        log_p_NV: of a model.
        weight_N: of the others, for each row.
        rows: of the positive ones among their probabilities.
        tokens: their columns.
        share: these probabilities.

    >>> np.exp(mixed_in(np.log([[0.5, 0.5]]), np.array([0.2]), [0], [1], np.array([1.0])))
    array([[0.4, 0.6]])
    """
    log_p_NV += np.log1p(-weight_N)[:, None]
    log_p_NV[rows, tokens] = np.logaddexp(log_p_NV[rows, tokens], np.log(weight_N[rows] * share))
    return log_p_NV


@dataclass(frozen=True, eq=False)
class _Found:
    """What the cache has for each position of a batch.

    Attributes:
        earlier: of the texts that its windows are of.
        places_N: the positions in them; -1: of a text without history.
        class_N: the number of the weight; -1: no context came before.
        losses_N: of the cache alone, nats.
    """

    earlier: Earlier
    places_N: Ints
    class_N: Ints
    losses_N: Floats


def _found(batch: Batch) -> _Found | None:
    """Look each position up; None: the batch has no history."""
    if batch.history is None:
        return None
    texts, places_N = batch.history.texts, batch.history.places(batch.documents)
    earlier = _EARLIER.get(texts)
    if earlier is None:
        earlier = _EARLIER[texts] = Earlier.of(texts)
    class_N, losses_N = np.full(len(places_N), -1), np.zeros(len(places_N))
    at = np.flatnonzero((places_N >= 0) & (earlier.length_N[places_N] > 0))
    places = places_N[at]
    times, first = earlier.times_N[places], LENGTHS[0] - earlier.length_N[places]
    class_N[at] = TIMES * first + np.minimum(times, TIMES) - 1
    with np.errstate(divide="ignore"):
        losses_N[at] = -np.log(earlier.hits_N[places] / times)
    return _Found(earlier, places_N, class_N, losses_N)
