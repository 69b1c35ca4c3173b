"""The torch engine of one of several ranks, each with a part of every matrix: PyTorch's FSDP2.

In: as for `RankedEngine`. Out: the same losses and updates, in less memory. A layer's matrices are
gathered when it is computed, in the backward pass once more, and then dropped again; gradients are
summed where they are kept. Moments and updates are of the parts alone; Muon gathers one matrix.

Source: Zhao et al., "PyTorch FSDP: experiences on scaling fully sharded data parallel", VLDB 16
(2023); `torch.distributed.fsdp.fully_shard`.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard

from microgpt import model
from microgpt.data.batch import Batch, Batches
from microgpt.engines.contract import SLOTS, Floats, State, Tensors
from microgpt.engines.torch import AT_ONCE, TorchEngine
from microgpt.engines.torch.border import check
from microgpt.engines.torch.decoder import TorchDecoder
from microgpt.engines.torch.matrices import Matrices
from microgpt.engines.torch.memory import Memory
from microgpt.engines.torch.ranked import RankedEngine
from microgpt.engines.torch.ranks import lost
from microgpt.engines.torch.update import TensorUpdate, orthogonal, rate
from microgpt.model.dropout import Dropping
from microgpt.torch.linear import summed


class ShardedEngine(RankedEngine):
    """The contract, by several ranks that share the parameters out; arguments as `RankedEngine`."""

    def _allocate(self) -> None:
        self._update = TensorUpdate(self.config, self._optimizer)
        table = model.parameters(self.config)
        mesh = init_device_mesh(self.device.device.type, (self.ranks.world,))
        layers = list[Any]()
        for i in range(self.config.n_layer):
            own = [p for p in table if p.name.startswith(f"layer{i}.")]
            layers.append(fully_shard(Matrices(own, self._like), mesh=mesh))
        outer = Matrices([p for p in table if not p.hidden], self._like, layers)
        whole: Any = fully_shard(outer, mesh=mesh)
        for part in (whole, *layers):
            # Gradients are sums; they are divided once, by the positions of all ranks.
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
        self._matrices, self._parts_P = whole, [*outer.parts()]
        self._moments = [
            {name: torch.zeros_like(part.to_local()) for name in SLOTS} for _, part in self._parts_P
        ]
        self._alone: TorchEngine | None = None

    @property
    def label(self) -> str:
        """What a message calls it."""
        return f"{super().label}, sharded"

    @property
    def memory(self) -> Memory:
        """The memory that a rank needs to train."""
        return replace(super().memory, world=self.ranks.world)

    def state(self) -> State:
        """Return a copy of all that training changes, gathered from all ranks."""
        self.ranks.told(("gather",))
        return self._gather()

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position; all ranks compute."""
        check(batch, self.config)
        self.ranks.told(("losses", replace(batch, history=None)))  # the others read no more
        return np.concatenate(self._losses_R(batch))

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV of the next token at each position, computed in rank 0 alone."""
        return self._whole.logits(batch)

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients of the objective's sum, computed in rank 0 alone."""
        return self._whole.gradients(batch)

    def decoder(self, rows: int) -> TorchDecoder:
        """Return a decoder of `rows` rows, in rank 0 alone."""
        return self._whole.decoder(rows)

    @property
    def _whole(self) -> TorchEngine:
        """Return an engine on rank 0's processor with all parameters."""
        if self._alone is None or self._alone.updates != self.updates:
            given = self.config, self._optimizer, self._objective, self.device.threads, "cpu"
            self._alone = TorchEngine(*given, replace(self._compute, precision="float32"))
            self._alone.load(self.state())
        return self._alone

    def _gather(self) -> State:
        """Gather the state in rank 0; the others return nothing of use."""
        buffers = dict[str, list[Any]](parameters=[], **{name: [] for name in SLOTS})
        with self._lock, torch.no_grad(), lost():
            for (_, part), moments in zip(self._parts_P, self._moments):
                for name, own in (("parameters", part.to_local()), *moments.items()):
                    whole = self._full(part, own)
                    if not self.ranks.rank:
                        buffers[name].append(whole.flatten().cpu().numpy())
        flat = {name: np.concatenate(each or [np.empty(0)]) for name, each in buffers.items()}
        return State(flat.pop("parameters"), flat, self.updates)

    def load(self, state: State) -> None:
        """Load a copy of a state into all ranks."""
        self.ranks.told(("load", state.updates))
        self.updates, self._alone = state.updates, None
        views = {name: model.views(x, self.config) for name, x in state.buffers.items()}
        self._copy(views)

    def _copy(self, views: Any = None) -> None:
        """Share a state of rank 0 out."""
        self._alone = None
        with self._lock, torch.no_grad(), np.errstate(over="ignore"):
            for (p, part), moments in zip(self._parts_P, self._moments):
                for name, own in (("parameters", part.to_local()), *moments.items()):
                    whole = torch.zeros(p.shape, **self._like)
                    if views:
                        whole.copy_(torch.from_numpy(np.ascontiguousarray(views[name][p.name])))
                    self.ranks.copy(whole)
                    own.copy_(self._own(whole))

    def _own(self, whole: Tensor) -> Tensor:
        """Return this rank's rows of a matrix: as FSDP2 cuts it."""
        rows = -(-len(whole) // self.ranks.world)
        return whole[self.ranks.rank * rows : (self.ranks.rank + 1) * rows]

    def _full(self, part: Any, own: Tensor) -> Tensor:
        """Return a whole matrix, of which `own` is this rank's part, cut as `part` is."""
        cut = DTensor.from_local(
            own, part.device_mesh, [Shard(0)], run_check=False, shape=part.shape,
            stride=part.stride(),
        )  # fmt: skip
        return cut.full_tensor()

    def _placed(self, batches: Batches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count as `RankedEngine` does; and the parts in which the ranks compute each step."""
        steps = map(batches.step, range(batches.n_steps))
        own_K = np.array([len([*self._parts(step)]) for step in steps], dtype=np.int64)
        self._most_K = self.ranks.counts(own_K).max(axis=0).tolist()
        return super()._placed(batches)

    def _backward(self, batch: Batch, divisor: int, dropping: Dropping | None = None) -> float:
        """Set the gradients to this rank's parts of the sums; return the nats of all ranks."""
        for _, part in self._parts_P:
            part.grad = None
        nats, most = 0.0, self._most_K.pop(0)
        for its, piece in self._as_many([*self._parts(batch)], most):
            here = dropping and replace(dropping, first=dropping.first + its.start)
            loss, nats_N = self._loss(piece, here)
            counts = its.stop > its.start
            (loss / divisor if counts else loss * 0.0).backward()
            nats += float(nats_N.cpu().double().sum()) if counts else 0.0
        total = torch.tensor([nats], dtype=torch.float64)
        with lost():
            self.ranks.sum(total).wait()
        return float(total)

    def _step(self, lr: float) -> None:
        muon = self._optimizer.muon
        for (p, part), moments in zip(self._parts_P, self._moments):
            own, grad = part.to_local(), part.grad.to_local()
            m, v = moments["adam.m"], moments["adam.v"]
            if p.hidden:
                self._update.decay(own, lr)
            if p.hidden and muon:
                step = orthogonal(self._full(part, self._update.ahead(grad, m)).unsqueeze(0))[0]
                own -= self._own(step) * rate(*p.shape, lr * muon)
            else:
                self._update.adam(own, grad, m, v, lr, self.updates)

    def _own_losses(self, batch: Batch) -> Floats:
        """Return the losses of this rank's share; every rank computes as many pieces."""
        pieces = [*batch.pieces(AT_ONCE)] if len(batch) else []
        most = max(self.ranks.gathered(len(pieces)))
        losses_N = np.empty(batch.positions)
        with self._lock, self.device.computing(), torch.no_grad():
            for its, piece in self._as_many(pieces, most):
                found = self._loss(piece)[1].cpu().double().numpy()
                losses_N[its] = found[: its.stop - its.start]
        return losses_N

    def _as_many(
        self, pieces: list[tuple[slice, Batch]], most: int
    ) -> Iterator[tuple[slice, Batch]]:
        """Yield pieces, and then an empty slice with a position that does not count, up to `most`.

        Gathering a layer takes all ranks.
        """
        yield from pieces
        zero = np.zeros(1, dtype=np.int64)
        for _ in range(most - len(pieces)):
            yield slice(0, 0), Batch(zero, zero, np.array([0, 1]))

    def _loss(self, batch: Batch, dropping: Dropping | None = None) -> tuple[Tensor, Tensor]:
        targets_N = self._on_device(batch.targets_N)
        return self._matrices(self._computed, batch, targets_N, dropping)

    def _computed(
        self, outer: dict[str, Tensor], batch: Batch, targets_N: Tensor, dropping: Dropping | None
    ) -> tuple[Tensor, Tensor]:
        """Compute the loss with the outer matrices; the layers gather their own."""
        x_ND = model.hidden(
            self._ops(batch), self.config, {**self._unused, **outer},
            self._on_device(batch.tokens_N), dropping=dropping, through=self._layer,
        )  # fmt: skip
        return summed(x_ND, outer["lm_head"], targets_N, self._objective)

    def _layer(self, ops: Any, config: Any, _: Any, x_ND: Tensor, i: int, *others: Any) -> Tensor:
        def compute(w: dict[str, Tensor], x_ND: Tensor) -> Tensor:
            return self._through(ops, config, w, x_ND, i, *others)

        return self._matrices.inner[i](compute, x_ND)

    @cached_property
    def _unused(self) -> dict[str, Any]:
        """The names of the layers' matrices, which `model.hidden` looks up."""
        return {p.name: None for p in model.parameters(self.config) if p.hidden}
