"""Documents of several lengths end to end, and the rectangles that attention needs of them.

In: offsets of documents. Out: each position's place in its document; a tensor of N rows as
rectangles of B documents by T positions, and back. Only attention is padded: everything else
computes N rows, end to end.

A rectangle is causal: a position attends to earlier ones alone, so the padding after a document
changes nothing in it. Documents are sorted by length into rectangles of little padding. Measured
against one rectangle for all, and against one row with a mask of blocks: docs/gpu.md.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microgpt.data.encoded import Offsets

# A rectangle takes in shorter documents until this share of its area would be padding.
_MOST_PADDING = 0.5


@dataclass(frozen=True, eq=False)
class Rectangle:
    """B documents of at most T positions each.

    Attributes:
        B, T: its size.
        place_M: where in B T each of its M positions is; None: all are there, in order.
        its: which of the N positions these are, as a slice or as indices.
    """

    B: int
    T: int
    place_M: Tensor | None
    its: slice | Tensor

    def pad(self, x_ND: Tensor) -> Tensor:
        """Return its positions as x_BTD, 0 where no position is."""
        x_MD = x_ND[self.its] if isinstance(self.its, slice) else _rows(x_ND, self.its)
        if self.place_M is not None:
            x_MD = _placed(x_MD, self.place_M, self.B * self.T)
        return x_MD.view(self.B, self.T, -1)

    def unpad(self, x_BTD: Tensor) -> Tensor:
        """Return the M positions of x_BTD as rows."""
        x_MD = x_BTD.reshape(self.B * self.T, -1)
        return x_MD if self.place_M is None else _rows(x_MD, self.place_M)


class Packed:
    """Documents end to end.

    Args:
        documents: offsets of D documents, as a batch has them.
        device: where the tensors go.

    Attributes:
        position_N: of each position in its document.
        rectangles: all documents.

    >>> packed = Packed(np.array([0, 3, 5]), torch.device("cpu"))
    >>> packed.position_N.tolist(), [(r.B, r.T) for r in packed.rectangles]
    ([0, 1, 2, 0, 1], [(2, 3)])
    """

    def __init__(self, documents: Offsets, device: torch.device) -> None:
        documents = np.asarray(documents, dtype=np.int64)
        lengths_D = np.diff(documents)
        position_N = np.arange(documents[-1]) - np.repeat(documents[:-1], lengths_D)
        self.position_N = torch.from_numpy(position_N).to(device)
        self.rectangles = [*_rectangles(documents, lengths_D, position_N, device)]
        order = [r.its for r in self.rectangles]
        self._back_N = None
        if len(order) > 1:
            self._back_N = torch.argsort(torch.cat([_indices(its, device) for its in order]))

    def together(self, each: list[Tensor]) -> Tensor:
        """Return the rows of all rectangles as x_ND, in the documents' order."""
        if self._back_N is None:
            return each[0]
        return _rows(torch.cat(each), self._back_N)


def _rectangles(
    documents: Offsets, lengths_D: Offsets, position_N: Offsets, device: torch.device
) -> Iterator[Rectangle]:
    whole = slice(0, int(documents[-1]))
    groups = [*_groups(lengths_D)]
    for group in groups:
        T = int(lengths_D[group].max())
        is_whole = len(groups) == 1
        its_D = np.arange(len(lengths_D)) if is_whole else group
        its_M = _of(its_D, documents, lengths_D)
        row_M = np.repeat(np.arange(len(its_D)), lengths_D[its_D])
        place_M = row_M * T + position_N[its_M]
        is_full = len(place_M) == len(its_D) * T
        placed = None if is_full else torch.from_numpy(place_M).to(device)
        its = whole if is_whole else torch.from_numpy(its_M).to(device)
        yield Rectangle(len(its_D), T, placed, its)


def _groups(lengths_D: Offsets) -> Iterator[Any]:
    """Yield the documents of each rectangle, as indices, the longest first."""
    order_D = np.argsort(-lengths_D, kind="stable")
    first = 0
    while first < len(order_D):
        sorted_D = lengths_D[order_D[first:]]
        filled = np.cumsum(sorted_D) / (sorted_D[0] * np.arange(1, len(sorted_D) + 1))
        fits = np.flatnonzero(filled >= 1.0 - _MOST_PADDING)
        stop = first + int(fits[-1]) + 1
        yield order_D[first:stop]
        first = stop


def _of(its_D: Offsets, documents: Offsets, lengths_D: Offsets) -> Offsets:
    """Return the indices of the positions of some documents."""
    sizes = lengths_D[its_D]
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1])) + np.repeat(documents[its_D] - (ends - sizes), sizes)


def _indices(its: slice | Tensor, device: torch.device) -> Tensor:
    return torch.arange(its.start, its.stop, device=device) if isinstance(its, slice) else its


class _Rows(torch.autograd.Function):
    """Some rows of a tensor, each at most once: the gradient is copied, where indexing adds up."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, index_M: Tensor) -> Tensor:
        ctx.save_for_backward(index_M)
        ctx.n = x_ND.shape[0]
        return x_ND.index_select(0, index_M)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (index_M,) = ctx.saved_tensors
        return _spread(grad_outputs[0], index_M, ctx.n), None


class _Placed(torch.autograd.Function):
    """Rows put at given places of a larger tensor of zeros."""

    @staticmethod
    def forward(ctx: Any, x_MD: Tensor, place_M: Tensor, n: int) -> Tensor:
        ctx.save_for_backward(place_M)
        return _spread(x_MD, place_M, n)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (place_M,) = ctx.saved_tensors
        return grad_outputs[0].index_select(0, place_M), None, None


_rows: Callable[[Tensor, Tensor], Tensor] = _Rows.apply
_placed: Callable[[Tensor, Tensor, int], Tensor] = _Placed.apply


def _spread(x_MD: Tensor, place_M: Tensor, n: int) -> Tensor:
    return x_MD.new_zeros((n, *x_MD.shape[1:])).index_copy_(0, place_M, x_MD)
