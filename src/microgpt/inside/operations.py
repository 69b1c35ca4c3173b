"""The model's operations over numpy arrays in float64: to compute a text at once and look inside.

In: arrays. Out: arrays. `model.operations` defines each operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt import model
from microgpt.loss.many import Softmax
from microgpt.model.dropout import Dropping

Floats = NDArray[np.float64]
Cache = list[Floats]
"""A layer's keys_SD and values_SD; at the start of a text, both have no rows."""


class ArrayOps:
    """The eight operations of the model, and `cross_entropy`, over numpy arrays.

    >>> ArrayOps().linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    array([[11.]])
    """

    def embed(
        self, tokens_T: Sequence[int], wte_VD: Floats, wpe_TD: Floats | None, start: int
    ) -> Floats:
        x_TD: Floats = wte_VD[np.asarray(tokens_T)]
        return x_TD if wpe_TD is None else x_TD + wpe_TD[start : start + len(x_TD)]

    def rmsnorm(self, x_TD: Floats, groups: int = 1) -> Floats:
        x_TGK: Floats = np.reshape(x_TD, (len(x_TD), groups, -1))
        squares_TG1 = np.mean(x_TGK * x_TGK, axis=2, keepdims=True)
        return np.reshape(x_TGK / np.sqrt(squares_TG1 + model.RMSNORM_EPSILON), x_TD.shape)

    def linear(self, x_TD: Floats, weight: Floats) -> Floats:
        return x_TD @ np.transpose(weight)

    def rotate(self, x_TD: Floats, n_head: int, start: int) -> Floats:
        x_THK: Floats = np.reshape(x_TD, (len(x_TD), n_head, -1))
        K = x_THK.shape[2]
        angles_T1K = np.array([[model.angles(K, start + t)] for t in range(len(x_TD))])
        cos, sin = np.cos(angles_T1K), np.sin(angles_T1K)
        x, y = x_THK[:, :, : K // 2], x_THK[:, :, K // 2 :]
        rotated_THK = np.concatenate([x * cos + y * sin, y * cos - x * sin], axis=2)
        return np.reshape(rotated_THK, x_TD.shape)

    def causal_attention(
        self, q_TD: Floats, k_TD: Floats, v_TD: Floats, n_head: int, memory: Cache | None
    ) -> Floats:
        keys_SD, values_SD = k_TD, v_TD
        if memory is not None:
            memory[:] = np.concatenate([memory[0], k_TD]), np.concatenate([memory[1], v_TD])
            keys_SD, values_SD = memory
        values_HSK = by_head(values_SD, n_head)
        x_HTK = self.shares(by_head(q_TD, n_head), by_head(keys_SD, n_head)) @ values_HSK
        return np.reshape(np.transpose(x_HTK, (1, 0, 2)), q_TD.shape)

    def shares(self, q_HTK: Floats, k_HSK: Floats) -> Floats:
        """Return shares_HTS: how much of each earlier position's value goes into the average."""
        T, S = q_HTK.shape[1], k_HSK.shape[1]
        products_HTS: Floats = q_HTK @ np.transpose(k_HSK, (0, 2, 1))
        is_read_TS = np.tri(T, S, S - T, dtype=np.bool_)
        scores_HTS = np.where(is_read_TS, products_HTS / q_HTK.shape[2] ** 0.5, -np.inf)
        return np.reshape(Softmax(np.reshape(scores_HTS, (-1, S))).p_BV, scores_HTS.shape)

    def relu(self, x_TF: Floats, squared: bool) -> Floats:
        x_TF = np.maximum(x_TF, 0.0)
        return x_TF * x_TF if squared else x_TF

    def dropout(self, x_TD: Floats, dropping: Dropping, place: int) -> Floats:
        T, D = x_TD.shape
        keeps_TD = np.array([dropping.keeps(place, t, D) for t in range(T)])
        return x_TD * keeps_TD * dropping.scale()

    def add(self, x_TD: Floats, y_TD: Floats) -> Floats:
        return x_TD + y_TD

    def cross_entropy(self, logits_TV: Floats, targets_T: Sequence[int]) -> Floats:
        return Softmax(logits_TV).losses(np.asarray(targets_T))


def by_head(x_TD: Floats, n_head: int) -> Floats:
    """Return x_HTK: each head's part of every row."""
    return np.transpose(np.reshape(x_TD, (len(x_TD), n_head, -1)), (1, 0, 2))


def exact(weights: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Return matrices by name, in float64."""
    return {name: np.asarray(weight, np.float64) for name, weight in weights.items()}
