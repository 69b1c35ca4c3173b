"""The gradients of a last layer, to which tiles add, one after another.

In: a `Head`, and the gradient of each tile with respect to its logits. Out: those of hidden,
weight and bias. Of a softmax only the log-sum-exp has to be known beforehand: a tile of logits,
computed again, is enough to make its part of all three.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import torch
from torch import Tensor

from microgpt.torch.head import Head

Found = tuple[Tensor | None, Tensor | None, Tensor | None]
"""The gradients of hidden, weight and bias."""

Wanted = tuple[bool, bool, bool]
"""Which of these are wanted."""


def again(
    head: Head,
    nats_N: Tensor,
    lse_N: Tensor,
    upstream_N: Tensor | None,
    wants: Wanted,
) -> Gradients:
    """Compute the logits again, tile by tile, and the gradients with them.

    Args:
        head: the last layer.
        nats_N: -log p[target].
        lse_N: log-sum-exp.
        upstream_N: the gradient of each position's loss; None: 1.
        wants: which gradients are wanted: of hidden, weight, bias.
    """
    gradients, (rows, columns) = Gradients(head, wants), head.tile
    buffer = nats_N.new_empty(rows, columns) if columns == len(head.weight_VD) else None
    for columns in head.columns():
        for rows in head.rows():
            counts = head.coefficients(nats_N[rows], lse_N[rows], rows)
            if upstream_N is not None:
                counts = tuple(one * upstream_N[rows] for one in counts)
            z_PC = head.logits(rows, columns, buffer)
            lse_P1 = lse_N[rows].unsqueeze(1)
            p_PC = (z_PC - lse_P1 if head.terms.softcap else z_PC.sub_(lse_P1)).exp_()
            gradients.add(head.slope(z_PC, p_PC, counts, rows, columns), rows, columns)
        gradients.finish(columns)
    return gradients


class Gradients:
    """The gradients of hidden, weight and bias, to which tiles add.

    Numbers of 16 bits are added up in float32: those of hidden for all tokens, those of weight for
    a tile's tokens.
    """

    def __init__(self, head: Head, wants: Wanted) -> None:
        self._head = head
        hidden, weight = head.hidden_ND, head.weight_VD
        wide = head.wide
        self._hidden = torch.zeros_like(hidden, dtype=wide) if wants[0] else None
        self._weight = torch.zeros_like(weight) if wants[1] else None
        self._bias = hidden.new_zeros(len(weight), dtype=wide) if wants[2] else None
        self._part = None
        if wants[1] and weight.dtype != wide:
            self._part = weight.new_zeros(head.tile[1], weight.shape[1], dtype=wide)

    def add(self, d_PC: Tensor, rows: slice, columns: slice) -> None:
        """Add what a tile's gradient with respect to the products comes to."""
        hidden, weight = self._head.hidden_ND[rows], self._head.weight_VD[columns]
        if self._hidden is not None:
            self._multiply(self._hidden[rows], d_PC, weight)
        if self._part is not None:
            self._multiply(self._part[: len(weight)], d_PC.t(), hidden)
        elif self._weight is not None:
            self._multiply(self._weight[columns], d_PC.t(), hidden)
        if self._bias is not None:
            self._bias[columns] += d_PC.sum(0)

    def finish(self, columns: slice) -> None:
        """Round what was added up for these tokens."""
        if self._part is not None and self._weight is not None:
            self._weight[columns] = self._part[: columns.stop - columns.start]
            self._part.zero_()

    def result(self, bias_dtype: torch.dtype | None) -> Found:
        """Return the gradients in the types of what they are of."""
        hidden, bias = self._hidden, self._bias
        return (
            None if hidden is None else hidden.to(self._head.hidden_ND.dtype),
            self._weight,
            None if bias is None else bias.to(bias_dtype),
        )

    def _multiply(self, total: Tensor, a: Tensor, b: Tensor) -> None:
        """Add a b to the total, in place; on a GPU 16 bits are multiplied as such."""
        if b.dtype == total.dtype:
            total.addmm_(a, b)
        elif b.is_cuda:
            total += a.to(b.dtype) @ b
        else:
            total.addmm_(a, b.to(total.dtype))
