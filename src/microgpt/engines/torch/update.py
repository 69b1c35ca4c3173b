"""The update on tensors: Adam, and Muon for the layers' matrices. The formulas: `optim`.

In: parameters, gradients and moments, each one flat tensor in the order of `model.parameters`. Out:
parameters and moments, updated in place.

Adam is five lines over the flat tensor: `torch.optim.Adam` has the same formula, and takes a second
to import what it does not need. Muon is ours too: `torch.optim.Muon` orthogonalises in bfloat16, so
it cannot agree with the other engines.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import torch
from torch import Tensor

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.optim import ITERATIONS, POLYNOMIAL, SMALLEST_NORM, Optimizer


class TensorUpdate:
    """The update of a model's parameters.

    Args:
        config: the model's shape.
        optimizer: the optimizer's constants.
    """

    def __init__(self, config: GPTConfig, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        table = model.parameters(config)
        # The layers' matrices are the last rows of the table.
        self._outer = sum(p.size for p in table if not p.hidden)
        self._shapes = [p.shape for p in table if p.hidden]

    def __call__(
        self, flat: Tensor, grads: Tensor, slots: Mapping[str, Tensor], lr: float, number: int
    ) -> None:
        """Make an update.

        Args:
            flat: the parameters.
            grads: the gradient of the batch's mean loss.
            slots: Adam's moments.
            lr: Adam's learning rate.
            number: the number of the update, counted from 1.
        """
        optimizer = self._optimizer
        m, v = slots["adam.m"], slots["adam.v"]
        self.decay(flat[self._outer :], lr)
        its = slice(0, self._outer if optimizer.muon else None)
        self.adam(flat[its], grads[its], m[its], v[its], lr, number)
        if optimizer.muon:
            its = slice(self._outer, None)
            self._muon(flat[its], grads[its], m[its], lr * optimizer.muon)

    def decay(self, p: Tensor, lr: float) -> None:
        """Apply weight decay to the layers' matrices, or parts of them."""
        optimizer = self._optimizer
        if optimizer.weight_decay:
            rate = lr * (optimizer.muon or 1.0)
            p.mul_(1.0 - rate * optimizer.weight_decay)

    def adam(self, p: Tensor, grad: Tensor, m: Tensor, v: Tensor, lr: float, number: int) -> None:
        """Update some parameters by Adam; each number by itself."""
        adam = self._optimizer
        m_correction, v_correction = adam.corrections(number)
        m.mul_(adam.beta1).add_(grad, alpha=1.0 - adam.beta1)
        v.mul_(adam.beta2).addcmul_(grad, grad, value=1.0 - adam.beta2)
        divisor = (v / v_correction).sqrt_().add_(adam.eps)
        p.addcdiv_(m, divisor, value=-lr / m_correction)

    def _muon(self, p: Tensor, grad: Tensor, m: Tensor, lr: float) -> None:
        ahead = self.ahead(grad, m)
        for (rows, columns), its in _alike(self._shapes):
            stack = torch.stack([ahead[one].view(rows, columns) for one in its])
            step = orthogonal(stack).flatten(1) * rate(rows, columns, lr)
            for one, moved in zip(its, step):
                p[one] -= moved

    def ahead(self, grad: Tensor, m: Tensor) -> Tensor:
        """Update Muon's running mean of gradients; return the mean after one step more."""
        momentum = self._optimizer.momentum
        m.mul_(momentum).add_(grad, alpha=1.0 - momentum)
        return (momentum * m).add_(grad, alpha=1.0 - momentum)


def rate(rows: int, columns: int, lr: float) -> float:
    """Return the factor of a matrix's orthogonalised step."""
    return lr * max(1.0, rows / columns) ** 0.5


def _alike(shapes: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], list[slice]]]:
    """Yield each shape with the places of its matrices in a flat tensor."""
    places, start = list[tuple[tuple[int, int], slice]](), 0
    for rows, columns in shapes:
        places.append(((rows, columns), slice(start, start + rows * columns)))
        start += rows * columns
    for shape, group in groupby(sorted(places, key=lambda one: one[0]), key=lambda one: one[0]):
        yield shape, [its for _, its in group]


def orthogonal(x: Tensor) -> Tensor:
    """Orthogonalise matrices of one shape, (n, rows, columns); see `optim.POLYNOMIAL`.

    >>> orthogonal(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])).mul(100).round().tolist()
    [[[75.0, 0.0], [0.0, 113.0]]]
    """
    if x.shape[1] > x.shape[2]:
        return orthogonal(x.mT).mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + SMALLEST_NORM)
    a, b, c = POLYNOMIAL
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        mixed = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, mixed, x, beta=a)
    return x
