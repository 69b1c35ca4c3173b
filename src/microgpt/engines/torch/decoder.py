"""Decoding: sequences side by side, each with its keys and values of earlier positions.

In: one token a row. Out: logits of the next. The caches grow with the longest row, up to the block.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.engines.contract import Floats, Tokens
from microgpt.engines.torch.device import Device
from microgpt.engines.torch.operations import Rotation, RowOps, by_head
from microgpt.errors import UsageError
from microgpt.model.operations import Change, unchanged

# The length that caches begin with; they are doubled where a row is longer.
_FIRST = 64


class Cache:
    """A layer's keys and values of R rows, (R, H, S, K) each."""

    def __init__(self) -> None:
        self.keys = self.values = torch.empty(0)

    def put(self, rows: Tensor, place_B: Tensor, k_BHK: Tensor, v_BHK: Tensor, most: int) -> None:
        """Put in the keys and values of one position of some rows.

        Args:
            rows: which of the R rows.
            place_B: the position of each.
            k_BHK: their keys.
            v_BHK: their values.
            most: R, if the cache is empty.
        """
        if not self.keys.numel():
            _, H, K = k_BHK.shape
            self.keys, self.values = (x.new_zeros(most, H, _FIRST, K) for x in (k_BHK, v_BHK))
        while int(place_B.max()) >= self.keys.shape[2]:
            self.keys, self.values = (
                torch.cat([x, torch.zeros_like(x)], dim=2) for x in (self.keys, self.values)
            )
        self.keys[rows, :, place_B] = k_BHK
        self.values[rows, :, place_B] = v_BHK


@dataclass(frozen=True, eq=False)
class StepOps(RowOps):
    """The operations on the next position of some rows of a decoder.

    Args:
        rotation: of rotary positions; None: they are learned.
        rows: which rows read a token.
        place_B: the position of each.
        n_rows: how many rows the decoder has.
    """

    rotation: Rotation | None
    rows: Tensor
    place_B: Tensor
    n_rows: int

    @property
    def position_N(self) -> Tensor:
        return self.place_B

    def causal_attention(
        self, q_TD: Tensor, k_TD: Tensor, v_TD: Tensor, n_head: int, memory: Any
    ) -> Tensor:
        q, k, v = (by_head(x_BD.unsqueeze(1), n_head) for x_BD in (q_TD, k_TD, v_TD))
        memory.put(self.rows, self.place_B, k.squeeze(2), v.squeeze(2), self.n_rows)
        S = int(self.place_B.max()) + 1
        keys, values = (x[self.rows, :, :S] for x in (memory.keys, memory.values))
        past_BS = torch.arange(S, device=q.device) <= self.place_B.unsqueeze(1)
        x_BHTK = F.scaled_dot_product_attention(q, keys, values, past_BS[:, None, None])
        return x_BHTK.transpose(1, 2).flatten(1)


class TorchDecoder:
    """Sequences decoded side by side.

    Args:
        config: the model's shape.
        weights: its matrices by name, which nobody changes.
        rows: how many sequences.
        rotation: of rotary positions, if the model has them.
        device: where they are.
        change: makes other operations of the decoder's own, as in the engine.
    """

    def __init__(
        self,
        config: GPTConfig,
        weights: Mapping[str, Tensor],
        rows: int,
        rotation: Rotation | None,
        device: Device,
        change: Change = unchanged,
    ) -> None:
        self._config, self._weights, self._rotation = config, weights, rotation
        self._device, self._change = device, change
        self._past = model.Past([Cache() for _ in range(config.n_layer)])
        self._lengths = np.zeros(rows, dtype=np.int64)

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV."""
        if len(tokens_B) != len(self._lengths):
            raise UsageError(
                f"tokens must be one a row, {len(self._lengths)}; got {len(tokens_B)}."
            )
        tokens, most = np.asarray(tokens_B, dtype=np.int64), self._config.block_size
        logits_BV = np.zeros((len(self._lengths), self._config.vocab_size))
        rows = np.flatnonzero(tokens >= 0)
        if not len(rows):
            return logits_BV
        for row in np.flatnonzero(tokens >= self._config.vocab_size):
            raise UsageError(
                f"token of row {row} must be below {self._config.vocab_size}; got {tokens[row]}."
            )
        if int(self._lengths[rows].max()) == most:
            raise UsageError(
                f"a row must hold at most block_size tokens; got {most + 1}, block_size={most}."
            )
        at, places, read = (
            torch.from_numpy(x).to(self._device.device)
            for x in (rows, self._lengths[rows], tokens[rows])
        )
        ops: Any = self._change(StepOps(self._rotation, at, places, len(self._lengths)))
        with self._device.computing(), torch.inference_mode():
            some = model.gpt(ops, self._config, self._weights, cast(Any, read), self._past)
            logits_BV[rows] = some.cpu().double().numpy()
        self._lengths[rows] += 1
        return logits_BV
