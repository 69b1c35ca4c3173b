"""The same model in idiomatic PyTorch, to compare ours with.

In: the table of parameters, batches. Out: updates. A ragged batch becomes a rectangle, padded to
its longest document; padding has no loss. The optimiser is PyTorch's own fused Adam.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, Batches
from microgpt.engines.contract import Floats, State
from microgpt.loss import LossSum
from microgpt.optim import Optimizer


class GPT(torch.nn.Module):
    """The model: from tokens_BT and targets_BT, with -1 for padding, to the sum of nats."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        table = model.parameters(config)
        self.weights = torch.nn.ParameterList(torch.empty(p.shape) for p in table)

    def forward(self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        """Compute the sum of nats."""
        B, T = tokens_BT.shape
        D, H = self.config.n_embd, self.config.n_head
        wte, wpe, lm_head, *rest = self.weights
        x_BTD = rmsnorm(wte[tokens_BT] + wpe[:T])
        for i in range(self.config.n_layer):
            wq, wk, wv, wo, fc1, fc2 = rest[6 * i : 6 * i + 6]
            h_BTD = rmsnorm(x_BTD)
            heads = [F.linear(h_BTD, w).view(B, T, H, D // H).transpose(1, 2) for w in (wq, wk, wv)]
            h_BHTK = F.scaled_dot_product_attention(*heads, is_causal=True)
            x_BTD = x_BTD + F.linear(h_BHTK.transpose(1, 2).reshape(B, T, D), wo)
            x_BTD = x_BTD + F.linear(F.relu(F.linear(rmsnorm(x_BTD), fc1)), fc2)
        logits_NV = F.linear(x_BTD, lm_head).flatten(0, 1)
        return F.cross_entropy(logits_NV, targets_BT.flatten(), ignore_index=-1, reduction="sum")


def rmsnorm(x: torch.Tensor) -> torch.Tensor:
    """Divide by the root of the mean square."""
    return F.rms_norm(x, x.shape[-1:], eps=1e-5)


class Trainer:
    """Steps of training on one thread, eager or compiled."""

    def __init__(self, config: GPTConfig, compiled: bool) -> None:
        torch.set_num_threads(1)
        # Forget earlier models: PyTorch stops compiling after a few shapes.
        torch.compiler.reset()
        self.gpt = GPT(config)
        self.loss = torch.compile(self.gpt, dynamic=True) if compiled else self.gpt
        adam = Optimizer()
        self.adam = torch.optim.Adam(
            self.gpt.parameters(), betas=(adam.beta1, adam.beta2), eps=adam.eps, fused=True
        )

    def load(self, state: State) -> None:
        """Load parameters; the moments stay zero."""
        values = model.views(state.parameters, self.gpt.config).values()
        with torch.no_grad():
            for weight, value in zip(self.gpt.weights, values):
                weight.copy_(torch.from_numpy(value))

    def train(self, batches: Batches, lr_K: Floats) -> list[LossSum]:
        """Do K updates."""
        sums: list[LossSum] = []
        for k, lr in enumerate(lr_K.tolist()):
            batch = batches.step(k)
            self.adam.zero_grad()
            nats = self.loss(*rectangles(batch))
            (nats / batch.positions).backward()
            for group in self.adam.param_groups:
                group["lr"] = lr
            self.adam.step()
            sums.append(LossSum(nats.item(), batch.positions))
        return sums


def rectangles(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens_BT and targets_BT."""
    lengths = np.diff(batch.documents)
    inside = np.arange(lengths.max()) < lengths[:, None]
    tokens_BT = np.zeros(inside.shape, np.int64)
    targets_BT = np.full(inside.shape, -1, np.int64)
    tokens_BT[inside], targets_BT[inside] = batch.tokens_N, batch.targets_N
    return torch.from_numpy(tokens_BT), torch.from_numpy(targets_BT)
