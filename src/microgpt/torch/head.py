"""The last layer of a model, of which a tile is computed at a time: some positions by some tokens.

In: hidden_ND, weight_VD, what is asked of the loss. Out: tiles of logits, and the gradient that a
tile's softmax has.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.config import ObjectiveName


@dataclass(frozen=True)
class Terms:
    """What the loss is, beside -log p: see `linear_cross_entropy`."""

    label_smoothing: float = 0.0
    softcap: float | None = None
    z_loss: float = 0.0
    objective: ObjectiveName = "cross-entropy"


@dataclass(frozen=True, eq=False)
class Head:
    """A last layer, its targets, and the terms of the loss.

    Attributes:
        hidden_ND: what the layer reads.
        weight_VD: its matrix.
        bias_V: added to the logits; None: nothing is.
        target_N: a token at each position; none of these is ignored.
        factor_N: what each position counts: 1, or its target's class weight.
        class_V: the class weights; None: all are 1.
        terms: of the loss.
        chunk_bytes: of a tile of logits, at most.
    """

    hidden_ND: Tensor
    weight_VD: Tensor
    bias_V: Tensor | None
    target_N: Tensor
    factor_N: Tensor
    class_V: Tensor | None
    terms: Terms
    chunk_bytes: int

    @property
    def wide(self) -> torch.dtype:
        """What logits are computed in."""
        return torch.float64 if self.hidden_ND.dtype == torch.float64 else torch.float32

    @property
    def tile(self) -> tuple[int, int]:
        """How many positions and tokens a tile has.

        All tokens, if a tile holds them for enough positions: then the gradient needs no second
        product. Numbers of 16 bits are added up over all positions for a few tokens at a time.
        """
        N, V = len(self.hidden_ND), len(self.weight_VD)
        numbers = max(self.chunk_bytes // self.wide.itemsize, 1)
        rows = min(max(numbers // max(V, 1), 1), max(N, 1))
        if rows >= min(_FEW, N) and self.hidden_ND.dtype.itemsize > 2:
            return rows, V
        rows = min(N, _MANY)
        return rows, min(max(numbers // max(rows, 1), 1), V)

    def rows(self) -> Iterator[slice]:
        """Yield the positions of each row of tiles."""
        yield from _slices(len(self.hidden_ND), self.tile[0])

    def columns(self) -> Iterator[slice]:
        """Yield the tokens of each column of tiles."""
        yield from _slices(len(self.weight_VD), self.tile[1])

    def logits(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        """Return a tile of logits, with bias and cap."""
        hidden, weight = self.hidden_ND[rows], self.weight_VD[columns]
        if hidden.dtype == self.wide:
            z_PC = torch.mm(hidden, weight.t(), out=None if out is None else out[: len(hidden)])
        elif hidden.is_cuda:
            z_PC = torch.mm(hidden, weight.t()).to(self.wide)
        else:
            z_PC = torch.mm(hidden.to(self.wide), weight.to(self.wide).t())
        if self.bias_V is not None:
            z_PC += self.bias_V[columns]
        if self.terms.softcap:
            z_PC.div_(self.terms.softcap).tanh_().mul_(self.terms.softcap)
        return z_PC

    def coefficients(self, nats_P: Tensor, lse_P: Tensor, rows: slice) -> tuple[Tensor, ...]:
        """Return the factors of softmax, target and each class's share in the gradient."""
        terms = self.terms
        own_P = self.factor_N[rows] * (1.0 - terms.label_smoothing)
        target_P = own_P * factor(terms.objective, nats_P)
        share_P = torch.full_like(target_P, terms.label_smoothing / len(self.weight_VD))
        softmax_P = target_P + share_P * self._class_sum
        if terms.z_loss:
            softmax_P = softmax_P + 2.0 * terms.z_loss * lse_P
        return softmax_P, target_P, share_P

    def slope(
        self, z_PC: Tensor, p_PC: Tensor, counts: tuple[Tensor, ...], rows: slice, columns: slice
    ) -> Tensor:
        """Turn a tile's softmax into the gradient with respect to the products; overwrite it.

        Args:
            z_PC: the tile's logits; read only if they are capped.
            p_PC: the softmax.
            counts: `coefficients`, times the gradient of each position's loss.
            rows: the tile's positions.
            columns: the tile's tokens.
        """
        softmax_P, target_P, share_P = counts
        p_PC *= softmax_P.unsqueeze(1)
        at_P = self.target_N[rows] - columns.start
        inside_P = (at_P >= 0) & (at_P < columns.stop - columns.start)
        less_P1 = -(target_P * inside_P).unsqueeze(1)
        p_PC.scatter_add_(1, at_P.clamp(0, p_PC.shape[1] - 1).unsqueeze(1), less_P1)
        if self.terms.label_smoothing:
            classes = 1.0 if self.class_V is None else self.class_V[columns]
            p_PC -= share_P.unsqueeze(1) * classes
        if self.terms.softcap:
            p_PC *= 1.0 - (z_PC / self.terms.softcap).square_()
        return p_PC

    def smoothed(self, z_PC: Tensor, columns: slice) -> Tensor:
        """Return the tile's part of the sum of all logits, weighted by class."""
        if self.class_V is None:
            return z_PC.sum(1)
        return z_PC @ self.class_V[columns]

    def losses(self, nats_P: Tensor, lse_P: Tensor, all_P: Tensor | None, rows: slice) -> Tensor:
        """Return the loss of each position.

        Args:
            nats_P: -log p[target].
            lse_P: log-sum-exp.
            all_P: the sum of all logits, weighted by class; None: targets are not smoothed.
            rows: the positions.
        """
        terms = self.terms
        own_P = self.factor_N[rows] * (1.0 - terms.label_smoothing)
        value_P = own_P * value(terms.objective, nats_P)
        if all_P is not None:
            share = terms.label_smoothing / len(self.weight_VD)
            value_P = value_P + share * (self._class_sum * lse_P - all_P)
        if terms.z_loss:
            value_P = value_P + terms.z_loss * lse_P.square()
        return value_P

    @property
    def _class_sum(self) -> float | Tensor:
        return len(self.weight_VD) if self.class_V is None else self.class_V.sum()


# A tile with all tokens has at least so many positions, else the products are slow; a tile with
# some tokens has at most so many.
_FEW, _MANY = 64, 1024


def factor(objective: ObjectiveName, nats_N: Tensor) -> Tensor:
    """Return w(p) of each position: see `loss.objectives`."""
    if objective == "cross-entropy":
        return torch.ones_like(nats_N)
    p_N = torch.exp(-nats_N)
    return p_N if objective == "linear" else -2.0 * p_N * torch.expm1(-nats_N)


def value(objective: ObjectiveName, nats_N: Tensor) -> Tensor:
    """Return the objective of each position."""
    if objective == "cross-entropy":
        return nats_N
    miss_N = -torch.expm1(-nats_N)
    return miss_N if objective == "linear" else miss_N.square()


def _slices(n: int, step: int) -> Iterator[slice]:
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
