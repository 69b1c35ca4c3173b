"""The operations in which `model.gpt` is written: what an engine has to provide.

In and out: whatever an engine computes with, of the shapes that the names end in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from microgpt.model.dropout import Dropping

A = TypeVar("A")


class Ops(Protocol[A]):
    """The words in which `model.gpt` is written."""

    def embed(self, tokens_T: Sequence[int], wte_VD: A, wpe_TD: A | None, start: int) -> A:
        """Add each token's row to its position's, if these have rows, counted from `start`."""
        ...

    def rmsnorm(self, x_TD: A, groups: int = 1) -> A:
        """Divide each row, or each of its groups, by sqrt(mean square + RMSNORM_EPSILON)."""
        ...

    def linear(self, x_TD: A, weight: A) -> A:
        """Multiply each row by a weight of (out, in)."""
        ...

    def rotate(self, x_TD: A, n_head: int, start: int) -> A:
        """Turn each head's pairs (i, i + K / 2) by `model.angles` of their position."""
        ...

    def causal_attention(self, q_TD: A, k_TD: A, v_TD: A, n_head: int, memory: Any) -> A:
        """Mix the values of this and earlier positions, by softmax(q k / sqrt(K)), head by head.

        `memory` holds a layer's earlier keys and values, and takes these in; None: there are none.
        """
        ...

    def relu(self, x_TF: A, squared: bool) -> A:
        """Replace what is negative by 0; square the rest if asked."""
        ...

    def dropout(self, x_TD: A, dropping: Dropping, place: int) -> A:
        """Replace what `dropping` does not keep by 0, and scale the rest."""
        ...

    def add(self, x_TD: A, y_TD: A) -> A:
        """Add two of the same shape."""
        ...

    def cross_entropy(self, logits_TV: A, targets_T: Sequence[int]) -> Any:
        """Return losses_T: `loss.cross_entropy` at each position of a document."""
        ...
