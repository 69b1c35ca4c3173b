"""The torch engine: the same model and loss in PyTorch, on a processor or a GPU.

In: batches. Out: losses, gradients, updates: in float32, in float64, or in bfloat16 with parameters
and loss in float32; sums are in float64. Documents are computed end to end, and padded in attention
alone.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from microgpt import model
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch, Batches
from microgpt.engines.about import About
from microgpt.engines.compute import Compute
from microgpt.engines.contract import SLOTS, Floats, State, Tensors
from microgpt.engines.memory import installed
from microgpt.engines.torch.border import check
from microgpt.engines.torch.decoder import TorchDecoder
from microgpt.engines.torch.device import Device
from microgpt.engines.torch.layers import layers
from microgpt.engines.torch.memory import Memory
from microgpt.engines.torch.operations import Rotation, TorchOps
from microgpt.engines.torch.packed import Packed
from microgpt.engines.torch.update import TensorUpdate
from microgpt.loss.sums import Sums
from microgpt.model.dropout import Dropping
from microgpt.model.operations import Change, unchanged
from microgpt.optim import Optimizer
from microgpt.torch.linear import summed

# Floats: parameters, gradients, two moments.
ABOUT = About("torch", True, 16, f"PyTorch {torch.__version__}", False)

# Positions that are computed at once where no gradient is wanted.
AT_ONCE = 1 << 14


class TorchEngine:
    """The contract in PyTorch.

    Args:
        config: the model's shape.
        optimizer: the optimizer's constants.
        loss: the objective that `gradients` and `train` follow.
        threads: of a processor, at most; None: one for each.
        device: such as "cpu", "cuda" or "mps"; None: a GPU if there is one.
        compute: precision, and how memory is saved.
        change: makes other operations of the engine's own.

    Raises:
        UsageError: the device is not there, or lacks the precision.
    """

    name = "torch"
    share = (0, 1)

    def __init__(
        self,
        config: GPTConfig,
        optimizer: Optimizer,
        loss: ObjectiveName,
        threads: int | None = None,
        device: str | None = None,
        compute: Compute | None = None,
        change: Change = unchanged,
    ) -> None:
        self.config, self._optimizer, self._change = config, optimizer, change
        self._objective: ObjectiveName = loss
        how = self._compute = compute or Compute()
        self.device = Device.of(device, how.precision, threads, how.deterministic)
        self.updates, self._lock = 0, Lock()
        self._through = layers(self._compute)
        self._rotation = None
        if config.position == "rotary":
            head_width = config.n_embd // config.n_head
            self._rotation = Rotation(head_width, config.block_size, torch.empty(0, **self._like))
        self._allocate()

    @property
    def _like(self) -> dict[str, Any]:
        return {"dtype": self.device.dtype, "device": self.device.device}

    def _allocate(self) -> None:
        """Make parameters, gradients and moments: flat, so that an update is a few operations."""
        n, config = model.size(self.config), self.config
        self._update = TensorUpdate(config, self._optimizer)
        self._flat = torch.zeros(n, **self._like)
        self._grads = torch.zeros(n, **self._like)
        self._slots = {name: torch.zeros(n, **self._like) for name in SLOTS}
        self._weights = dict(_views(self._flat, config))
        for name, grad in _views(self._grads, config):
            # Backward adds to a gradient that is there already: to its part of the flat one.
            self._weights[name].requires_grad_().grad = grad

    @property
    def label(self) -> str:
        """What a message calls it: with its device and precision."""
        return f"torch engine ({self.device.device}, {self.device.precision})"

    @property
    def memory(self) -> Memory:
        """The memory that it needs to train."""
        place = "this GPU" if self.device.memory else "this machine"
        available = self.device.memory or installed()
        return Memory(
            self.config, self._optimizer, self._compute, self.device.precision, place, available
        )

    @property
    def threads(self) -> int:
        """How many threads of a processor it computes with."""
        return self.device.threads

    def load(self, state: State) -> None:
        """Load a copy of a state, rounded to this engine's precision."""
        with self._lock, torch.no_grad(), np.errstate(over="ignore"):
            self._flat.copy_(torch.from_numpy(state.parameters))
            for name, buffer in self._slots.items():
                buffer.copy_(torch.from_numpy(state.slots[name]))
            self.updates = state.updates

    def state(self) -> State:
        """Return a copy of all that training changes."""
        with self._lock:
            flat, *slots = (
                x.detach().cpu().numpy().copy() for x in (self._flat, *self._slots.values())
            )
            return State(flat, dict(zip(SLOTS, slots)), self.updates)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position."""
        check(batch, self.config)
        losses_N = np.empty(batch.positions)
        with self._lock, self.device.computing(), torch.inference_mode():
            for its, piece in batch.pieces(AT_ONCE):
                losses_N[its] = self._loss(piece)[1].cpu().double().numpy()
        return losses_N

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV of the next token at each position; the targets are not read."""
        check(batch, self.config, targets=False)
        logits_NV = np.empty((batch.positions, self.config.vocab_size))
        with self._lock, self.device.computing(), torch.inference_mode():
            for its, piece in batch.pieces(AT_ONCE):
                ops, tokens_N = self._ops(piece), self._on_device(piece.tokens_N)
                some = model.gpt(ops, self.config, self._weights, tokens_N)
                logits_NV[its] = some.cpu().double().numpy()
        return logits_NV

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients of the objective's sum."""
        check(batch, self.config)
        with self._lock, self.device.computing():
            self._backward(batch, 1)
            flat = self._grads.cpu().double().numpy()
        return model.views(flat, self.config)

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make K updates in one call."""
        check(batches, self.config, empty=self.share[1] > 1)
        nats_K, optimizer = list[float](), self._optimizer
        positions_K, before_K = self._placed(batches)
        with self._lock, self.device.computing():
            for k, lr in enumerate(lr_K.tolist()):
                dropping = None
                if optimizer.dropout:
                    dropping = Dropping(
                        optimizer.dropout, optimizer.seed, self.updates + 1, int(before_K[k])
                    )
                nats_K.append(self._backward(batches.step(k), int(positions_K[k]), dropping))
                if not np.isfinite(nats_K[-1]):
                    break
                self.updates += 1
                with torch.no_grad():
                    self._step(lr)
        return Sums(np.array(nats_K), positions_K[: len(nats_K)])

    def decoder(self, rows: int) -> TorchDecoder:
        """Return a decoder of `rows` rows, with a copy of the parameters."""
        dtype = self.device.autocast or self.device.dtype
        with self._lock:
            weights = {name: w.detach().to(dtype, copy=True) for name, w in self._weights.items()}
        return TorchDecoder(self.config, weights, rows, self._rotation, self.device, self._change)

    def _backward(self, batch: Batch, divisor: int, dropping: Dropping | None = None) -> float:
        """Set the gradient to the objective's sum's over `divisor`; return the sum of nats.

        The batch is computed in parts, if so asked; their gradients add up to the batch's.
        """
        self._grads.zero_()
        nats = 0.0
        for its, piece in self._parts(batch):
            here = dropping and replace(dropping, first=dropping.first + its.start)
            nats += self._add_gradients(piece, divisor, here)
        return nats

    def _step(self, lr: float) -> None:
        """Make an update with the gradients that there are."""
        self._update(self._flat, self._grads, self._slots, lr, self.updates)

    def _add_gradients(self, piece: Batch, divisor: int, dropping: Dropping | None) -> float:
        loss, nats_N = self._loss(piece, dropping)
        (loss / divisor).backward()
        # Not every GPU has float64.
        return float(nats_N.cpu().double().sum())

    def _placed(self, batches: Batches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of each step, and how many of its batch come before them."""
        positions_K = np.diff(batches.documents[batches.steps])
        return positions_K, np.zeros_like(positions_K)

    def _parts(self, batch: Batch) -> Iterator[tuple[slice, Batch]]:
        """Yield the batch in the parts in which it is computed."""
        return batch.pieces(-(-batch.positions // self._compute.accumulate))

    def _loss(self, batch: Batch, dropping: Dropping | None = None) -> tuple[Tensor, Tensor]:
        """Return the objective's sum, with its graph if gradients are wanted, and nats_N."""
        x_ND = model.hidden(
            self._ops(batch), self.config, self._weights, self._on_device(batch.tokens_N),
            dropping=dropping, through=self._through,
        )  # fmt: skip
        targets_N = self._on_device(batch.targets_N)
        return summed(x_ND, self._weights["lm_head"], targets_N, self._objective)

    def _ops(self, batch: Batch) -> Any:
        return self._change(TorchOps(Packed(batch.documents, self.device.device), self._rotation))

    def _on_device(self, ids_N: Any) -> Any:
        ids = torch.from_numpy(np.asarray(ids_N, dtype=np.int64))
        return ids.to(self.device.device, non_blocking=True)


def _views(flat: Tensor, config: GPTConfig) -> Iterator[tuple[str, Tensor]]:
    """Yield the matrices of a flat tensor by name; they share its memory."""
    table = model.parameters(config)
    for p, part in zip(table, flat.split([p.size for p in table])):
        yield p.name, part.view(p.shape)
