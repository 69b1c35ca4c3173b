"""The eight operations in which `model.gpt` is written, and the loss: what an engine must provide.

In and out: an engine's own arrays, of the shapes that the names end in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from microgpt.model.dropout import Dropping

A = TypeVar("A")


class Ops(Protocol[A]):
    """The eight operations of the model, and `cross_entropy`, on arrays of type A."""

    def embed(self, tokens_T: Sequence[int], wte_VD: A, wpe_TD: A | None, start: int) -> A:
        """Return each token's row of `wte`, plus its position's row of `wpe` if that is given.

        The first token is at position `start`.
        """
        ...

    def rmsnorm(self, x_TD: A, groups: int = 1) -> A:
        """Divide each row, or each of its groups, by sqrt(mean square + RMSNORM_EPSILON)."""
        ...

    def linear(self, x_TD: A, weight: A) -> A:
        """Multiply each row by the transposed (out, in) matrix."""
        ...

    def rotate(self, x_TD: A, n_head: int, start: int) -> A:
        """Rotate each head's pairs (i, i + K / 2) by `model.angles` of their position."""
        ...

    def causal_attention(self, q_TD: A, k_TD: A, v_TD: A, n_head: int, memory: Any) -> A:
        """Average the values of this and earlier positions by softmax(q k / sqrt(K)), per head.

        `memory` is the layer's cache of earlier keys and values, to which these are appended; None:
        no cache.
        """
        ...

    def relu(self, x_TF: A, squared: bool) -> A:
        """Replace negative numbers by 0; square the others if asked."""
        ...

    def dropout(self, x_TD: A, dropping: Dropping, place: int) -> A:
        """Set activations that `dropping` does not keep to 0; multiply the others by its scale."""
        ...

    def add(self, x_TD: A, y_TD: A) -> A:
        """Add two arrays of the same shape."""
        ...

    def cross_entropy(self, logits_TV: A, targets_T: Sequence[int]) -> Any:
        """Return losses_T: `loss.cross_entropy` at each position of a document."""
        ...


Change = Callable[[Any], Any]
"""Makes other operations of an engine's: the same but for those that it changes."""


def unchanged(ops: A) -> A:
    """Return an engine's operations as they are."""
    return ops
