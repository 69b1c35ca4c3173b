"""How a model knows where a token stands: rows of `wpe`, or rotated queries and keys.

In: a config, matrices by name, tokens. Out: queries and keys before their rotation, products of
rotated ones; and the same model without any knowledge of places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.errors import UsageError
from microgpt.inside.operations import ArrayOps, Floats, by_head, exact

Weights = Mapping[str, NDArray[Any]]


def rotated(x_K: NDArray[Any], position: int) -> Floats:
    """Rotate a query or a key of one head, as rotary positions do at a position.

    Each pair of numbers (i, i + K / 2) is a point of a plane, which is rotated around the origin:
    clockwise, by `model.angles` of the position.

    >>> rotated(np.array([1.0, 0.0]), position=0) + 0.0
    array([1., 0.])
    >>> rotated(np.array([1.0, 0.0]), position=1).round(4)  # by 1 radian, 57 degrees
    array([ 0.5403, -0.8415])
    """
    return ArrayOps().rotate(np.asarray(x_K, np.float64)[None], 1, position)[0]


def product(q_K: NDArray[Any], k_K: NDArray[Any], t: int, s: int) -> float:
    """Return the product of a query rotated at position t and a key rotated at position s.

    ``q . R(s - t) k``: of the positions, only their distance matters.

    Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021).

    >>> q_K, k_K = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    >>> [round(product(q_K, k_K, t, s), 4) for t, s in [(1, 1), (3, 1), (12, 10)]]  # cos 0, cos 2
    [1.0, -0.4161, -0.4161]
    """
    return float(rotated(q_K, t) @ rotated(k_K, s))


def queries_and_keys(
    config: GPTConfig, weights: Weights, tokens_T: Sequence[int]
) -> tuple[Floats, Floats]:
    """Return q_HTK and k_HTK of the first layer, before they are rotated.

    Raises:
        UsageError: the model's positions are not rotary.

    >>> config = GPTConfig(vocab_size=3, n_head=2, n_embd=8, position="rotary")
    >>> weights = model.views(np.ones(model.size(config)), config)
    >>> q_HTK, k_HTK = queries_and_keys(config, weights, tokens_T=[2])
    >>> q_HTK.shape, q_HTK[0, 0].round(3).tolist()  # eight products of 1 and (nearly) 1
    ((2, 1, 4), [8.0, 8.0, 8.0, 8.0])
    """
    if config.position != "rotary":
        raise UsageError(f"position must be rotary; got {config.position}.")
    ops = _Rotating()
    model.hidden(ops, replace(config, n_layer=1), exact(weights), tokens_T)
    q_HTK, k_HTK = (by_head(x_TD, config.n_head) for x_TD in ops.before)
    return q_HTK, k_HTK


def without_places(config: GPTConfig, weights: Weights) -> tuple[GPTConfig, dict[str, Floats]]:
    """Return the same model without knowledge of places: nothing rotated, a `wpe` of zeros.

    >>> config = GPTConfig(vocab_size=3, block_size=2, n_embd=4, n_head=1, position="rotary")
    >>> blind, weights = without_places(config, {})
    >>> blind.position, weights["wpe"].tolist()
    ('learned', [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """
    zeros_TD = np.zeros((config.block_size, config.n_embd))
    return replace(config, position="learned"), {**exact(weights), "wpe": zeros_TD}


class _Rotating(ArrayOps):
    """The operations, which keep what is rotated: of each layer its queries, then its keys."""

    def __init__(self) -> None:
        self.before: list[Floats] = []

    def rotate(self, x_TD: Floats, n_head: int, start: int) -> Floats:
        self.before.append(x_TD)
        return super().rotate(x_TD, n_head, start)
