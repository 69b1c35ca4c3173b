"""The model's operations on tensors: whole matrices, in torch's own functions.

In: rows of the N positions of a batch, end to end; or the next position of each row of a decoder.
Out: tensors, with gradients if they are wanted. `model.operations` defines each operation; here a
position's place in its document comes from the batch, never from `start`.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt import model
from microgpt.engines.torch.masks import drops
from microgpt.engines.torch.packed import Packed
from microgpt.model.dropout import Dropping


class Rotation:
    """The cosines and sines of rotary positions, up to a block size.

    Args:
        head_width: K.
        block_size: how many positions.
        like: a tensor of the wanted type, on the wanted device.
    """

    def __init__(self, head_width: int, block_size: int, like: Tensor) -> None:
        angles = [model.angles(head_width, position) for position in range(block_size)]
        rows = [[*map(math.cos, row), *map(math.sin, row)] for row in angles]
        self._table = torch.tensor(rows, dtype=like.dtype, device=like.device)

    def at(self, position_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin at positions, (N, 1, K / 2) each, the same for all heads."""
        cos, sin = self._table[position_N].unsqueeze(1).chunk(2, dim=-1)
        return cos, sin


class RowOps:
    """The operations that compute each row for itself; attention is not among them."""

    rotation: Rotation | None

    @property
    def position_N(self) -> Tensor:
        """The position of each row in its document."""
        raise NotImplementedError

    def embed(self, tokens_T: Any, wte_VD: Tensor, wpe_TD: Tensor | None, start: int) -> Tensor:
        x_ND = F.embedding(tokens_T, wte_VD)
        return x_ND if wpe_TD is None else x_ND + F.embedding(self.position_N, wpe_TD)

    def rmsnorm(self, x_TD: Tensor, groups: int = 1) -> Tensor:
        x_TGK = x_TD.unflatten(-1, (groups, -1))
        return F.rms_norm(x_TGK, x_TGK.shape[-1:], eps=model.RMSNORM_EPSILON).flatten(-2)

    def linear(self, x_TD: Tensor, weight: Tensor) -> Tensor:
        return F.linear(x_TD, weight)

    def rotate(self, x_TD: Tensor, n_head: int, start: int) -> Tensor:
        assert self.rotation
        cos, sin = self.rotation.at(self.position_N)
        x, y = x_TD.unflatten(-1, (n_head, -1)).chunk(2, dim=-1)
        return torch.cat([x * cos + y * sin, y * cos - x * sin], dim=-1).flatten(-2)

    def relu(self, x_TF: Tensor, squared: bool) -> Tensor:
        x_TF = F.relu(x_TF)
        return x_TF * x_TF if squared else x_TF

    def dropout(self, x_TD: Tensor, dropping: Dropping, place: int) -> Tensor:
        dropped = drops(dropping, place, x_TD)
        return (x_TD * dropping.scale()).masked_fill(dropped, 0.0)

    def add(self, x_TD: Tensor, y_TD: Tensor) -> Tensor:
        return x_TD + y_TD

    def cross_entropy(self, logits_TV: Tensor, targets_T: Sequence[int]) -> Tensor:
        targets = torch.as_tensor(targets_T, device=logits_TV.device)
        return F.cross_entropy(logits_TV, targets, reduction="none")


@dataclass(frozen=True, eq=False)
class TorchOps(RowOps):
    """The eight operations of the model, and `cross_entropy`, on the positions of a batch.

    Args:
        packed: the documents of the batch.
        rotation: of rotary positions; None: they are learned.
    """

    packed: Packed
    rotation: Rotation | None

    @property
    def position_N(self) -> Tensor:
        return self.packed.position_N

    def causal_attention(
        self, q_TD: Tensor, k_TD: Tensor, v_TD: Tensor, n_head: int, memory: None
    ) -> Tensor:
        packed, each = self.packed, list[Tensor]()
        for rectangle in packed.rectangles:
            q, k, v = (by_head(rectangle.pad(x_ND), n_head) for x_ND in (q_TD, k_TD, v_TD))
            x_BHTK = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            each.append(rectangle.unpad(x_BHTK.transpose(1, 2)))
        return packed.together(each)

    def full_attention(self, q_TD: Tensor, k_TD: Tensor, v_TD: Tensor, n_head: int) -> Tensor:
        """Average the values of all positions, later ones too: attention without its mask."""
        packed, each = self.packed, list[Tensor]()
        for rectangle in packed.rectangles:
            q, k, v = (by_head(rectangle.pad(x_ND), n_head) for x_ND in (q_TD, k_TD, v_TD))
            # Not causal, so the padding after a document must be left out.
            is_read_B11T = rectangle.pad(torch.ones_like(q_TD[:, :1])).mT[:, None] > 0
            x_BHTK = F.scaled_dot_product_attention(q, k, v, is_read_B11T)
            each.append(rectangle.unpad(x_BHTK.transpose(1, 2)))
        return packed.together(each)


def by_head(x_BTD: Tensor, n_head: int) -> Tensor:
    """Return x_BHTK of x_BTD."""
    return x_BTD.unflatten(-1, (n_head, -1)).transpose(1, 2)
