"""The torch engine of one of several ranks, each with all parameters: data parallelism.

In: batches, of which `train` takes this rank's share. Out: losses and updates of the whole batch.
Gradients are sums, added over all ranks and divided once, by the positions of all of them: so the
number of ranks changes an update by rounding only.

Rank 0's engine is used like any other. What all ranks must compute together, it orders; `follow`
carries the orders out in the others.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch, Batches
from microgpt.data.plan import Plan
from microgpt.engines.compute import Compute
from microgpt.engines.contract import Floats, State
from microgpt.engines.torch import TorchEngine
from microgpt.engines.torch.border import check
from microgpt.engines.torch.buckets import Buckets
from microgpt.engines.torch.ranks import TorchRanks, lost
from microgpt.loss.sums import Sums
from microgpt.model.dropout import Dropping
from microgpt.optim import Optimizer

# Rank 0 measures fewer positions than these by itself: sharing them out takes longer.
_FEW = 1 << 12


class RankedEngine(TorchEngine):
    """The contract, by several ranks.

    Args:
        ranks: the processes.
        config, optimizer, loss: as for `TorchEngine`.
        threads: of a processor; None: this rank's share of them.
        device: None: this rank's GPU if there is one.
        compute: precision, and how memory is saved.
    """

    def __init__(
        self,
        ranks: TorchRanks,
        config: GPTConfig,
        optimizer: Optimizer,
        loss: ObjectiveName,
        threads: int | None = None,
        device: str | None = None,
        compute: Compute | None = None,
    ) -> None:
        self.ranks, self.share = ranks, (ranks.rank, ranks.world)
        super().__init__(
            config, optimizer, loss, threads or ranks.threads, device or ranks.device, compute
        )

    def _allocate(self) -> None:
        super()._allocate()
        self._summing = Buckets(self._weights.values(), self._grads, self.ranks.sum)

    @property
    def label(self) -> str:
        """What a message calls it: with its device, its precision and the number of ranks."""
        return f"{super().label}, {self.ranks.world} ranks"

    def load(self, state: State) -> None:
        """Load a copy of a state into all ranks."""
        super().load(state)
        self.ranks.told(("load", state.updates))
        self._copy()

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make K updates in all ranks, each with its share of the batches."""
        self.ranks.told(("train", self.updates, lr_K))
        return super().train(batches, lr_K)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position; many documents are shared out."""
        if batch.positions < _FEW:
            return super().losses(batch)
        check(batch, self.config)
        self.ranks.told(("losses", replace(batch, history=None)))  # the others read no more
        return np.concatenate(self._losses_R(batch))

    def follow(self, plan: Plan) -> None:
        """Carry out rank 0's orders until it has no more; called in the other ranks.

        Raises:
            LostRankError: another rank was lost.
        """
        nothing: Any = None
        while order := self.ranks.told(nothing):
            self._carry_out(plan, *order)

    def _carry_out(self, plan: Plan, what: str, *given: Any) -> None:
        if what == "load":
            (self.updates,) = given
            self._copy()
        elif what == "train":
            first, lr_K = given
            super().train(plan.batches(first, len(lr_K), *self.share), lr_K)
        elif what == "losses":
            self._losses_R(*given)
        else:
            self._gather()

    def _gather(self) -> Any:
        """Send this rank's part of the state to rank 0, where it has one."""

    def _copy(self) -> None:
        """Copy rank 0's state to the others."""
        with self._lock, torch.no_grad():
            for buffer in (self._flat, *self._slots.values()):
                self.ranks.copy(buffer)

    def _losses_R(self, batch: Batch) -> list[Floats]:
        """Return the losses of each rank's share, in rank 0."""
        own = self._own_losses(share(batch, *self.share))
        found: list[Any] | None = None if self.ranks.rank else [None] * self.ranks.world
        with lost():
            dist.gather_object(own, found, dst=0, group=self.ranks.orders)
        return found or []

    def _own_losses(self, batch: Batch) -> Floats:
        return super().losses(batch) if len(batch) else np.empty(0)

    def _placed(self, batches: Batches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count each step's positions in all ranks, and in those before this one."""
        counts_RK = self.ranks.counts(super()._placed(batches)[0])
        return counts_RK.sum(axis=0), counts_RK[: self.ranks.rank].sum(axis=0)

    def _backward(self, batch: Batch, divisor: int, dropping: Dropping | None = None) -> float:
        """Set the gradient to that of all ranks; return their sum of nats."""
        self._grads.zero_()
        nats, parts = 0.0, [*self._parts(batch)]
        for number, (its, piece) in enumerate(parts, 1):
            if number == len(parts):
                self._summing.open()
            here = dropping and replace(dropping, first=dropping.first + its.start)
            nats += self._add_gradients(piece, divisor, here)
        total = torch.tensor([nats], dtype=torch.float64)
        self._summing.wait(total)
        return float(total)


def ranked(ranks: Any, *given: Any) -> RankedEngine:
    """Open the engine of this rank; the arguments are those of `RankedEngine`."""
    compute: Compute | None = given[-1]
    if compute and compute.shard:
        from microgpt.engines.torch.sharded import ShardedEngine

        return ShardedEngine(ranks, *given)
    return RankedEngine(ranks, *given)


def share(batch: Batch, rank: int, world: int) -> Batch:
    """Return a rank's part of some documents: about as many positions as any other's.

    >>> batch = Batch(np.arange(6), np.arange(6), np.array([0, 3, 4, 6]))
    >>> [share(batch, rank, 2).tokens_N.tolist() for rank in range(2)]
    [[0, 1, 2], [3, 4, 5]]
    """
    places = [batch.positions * r // world for r in (rank, rank + 1)]
    first, last = np.searchsorted(batch.documents, places).tolist()
    its = slice(int(batch.documents[first]), int(batch.documents[last]))
    documents = batch.documents[first : last + 1] - its.start
    return Batch(batch.tokens_N[its], batch.targets_N[its], documents)
