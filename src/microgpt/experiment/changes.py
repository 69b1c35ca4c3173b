"""Changed operations: the model without one of its parts, or with another in its place.

In: an engine's operations, on its own arrays. Out: the same, one of them changed. The model stays
`model.gpt`, so that nothing else differs. Opened with one of these, the torch and the scalar engine
learn without the part, because gradients follow from what was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast


class Changed:
    """An engine's operations; a subclass changes one of them."""

    def __init__(self, ops: Any) -> None:
        self._ops = ops

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ops, name)


class NoNorm(Changed):
    """A row stays as it is, whatever its size."""

    def rmsnorm(self, x_TD: Any, groups: int = 1) -> Any:
        return x_TD


class NoPositions(Changed):
    """A token has the same numbers at each position."""

    def embed(self, tokens_T: Sequence[int], wte_VD: Any, wpe_TD: Any, start: int) -> Any:
        return self._ops.embed(tokens_T, wte_VD, None, start)


class EvenShares(Changed):
    """All scores are 0: each position takes the mean of its own value and all earlier ones."""

    def causal_attention(self, q_TD: Any, k_TD: Any, v_TD: Any, n_head: int, memory: Any) -> Any:
        return self._ops.causal_attention(times(q_TD, 0.0), k_TD, v_TD, n_head, memory)


class ItselfAlone(Changed):
    """A position takes its own value, and reads no other."""

    def causal_attention(self, q_TD: Any, k_TD: Any, v_TD: Any, n_head: int, memory: Any) -> Any:
        return v_TD


class NoMask(Changed):
    """A position reads later ones too; among them is the answer that it must predict."""

    def causal_attention(self, q_TD: Any, k_TD: Any, v_TD: Any, n_head: int, memory: Any) -> Any:
        return self._ops.full_attention(q_TD, k_TD, v_TD, n_head)


class NoDivision(Changed):
    """Scores are q k, not q k / sqrt(K)."""

    def causal_attention(self, q_TD: Any, k_TD: Any, v_TD: Any, n_head: int, memory: Any) -> Any:
        root = (len(q_TD[0]) / n_head) ** 0.5
        return self._ops.causal_attention(times(q_TD, root), k_TD, v_TD, n_head, memory)


class NoMLP(Changed):
    """The MLP gives zeros, so that nothing is added."""

    def relu(self, x_TF: Any, squared: bool) -> Any:
        return times(x_TF, 0.0)


class NoRelu(Changed):
    """Negative numbers stay: two linear layers in a row can do no more than one."""

    def relu(self, x_TF: Any, squared: bool) -> Any:
        return x_TF


class NoAddition(Changed):
    """What a part computes takes the place of its input, and is not added to it."""

    def add(self, x_TD: Any, y_TD: Any) -> Any:
        return y_TD


def times(x_TD: Any, factor: float) -> Any:
    """Multiply all numbers of an engine's array: a tensor, or rows of scalars.

    >>> times([[1.0, 2.0]], 0.5)
    [[0.5, 1.0]]
    """
    if isinstance(x_TD, list):
        rows = cast("list[list[Any]]", x_TD)
        return [[x * factor for x in row] for row in rows]
    return x_TD * factor
