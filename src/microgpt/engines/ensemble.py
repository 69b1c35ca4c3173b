"""An ensemble: several GPTs of one shape that are trained side by side and used as one predictor.

In: engines, one for each GPT. Out: an engine, whose probability is the mean of its members'::

    p = (p_1 + ... + p_K) / K        loss = -log p

Each member is trained for itself, on the same batches as the others, from initial values of its
own: nothing is shared, so that each can have a core. What the members get wrong differs, and the
mean gets less wrong than they do on average: -log of a mean is at most the mean of -log.

Source: Hansen and Salamon, "Neural network ensembles" (1990); Lakshminarayanan, Pritzel and
Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles" (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from microgpt.data.batch import Batch, Batches
from microgpt.engines.about import About
from microgpt.engines.contract import (
    SLOTS,
    Decoder,
    Engine,
    Floats,
    State,
    Tensors,
    Tokens,
)
from microgpt.engines.machine import processors
from microgpt.engines.memory import MemoryNeeds
from microgpt.errors import UsageError
from microgpt.loss.many import Softmax
from microgpt.loss.sums import Sums
from microgpt.model import joined

A = TypeVar("A")


class Ensemble:
    """Several engines as one.

    A state has the members' buffers end to end; tensors' names begin with "model1.", "model2.", ...

    Args:
        members: the engines, of models of one shape; at least two.
        at_once: how many of them compute at the same time, each in a thread of its own.
        threads: how many threads they compute with, in all.
    """

    def __init__(self, members: Sequence[Engine], at_once: int, threads: int) -> None:
        self.members, self.threads, self._at_once = tuple(members), threads, at_once
        first = self.members[0]
        self.name, self.label, self.share = first.name, first.label, first.share

    @property
    def memory(self) -> MemoryNeeds:
        """The memory that all members need to train."""
        return _OfAll(self.members[0].memory, len(self.members))

    @property
    def updates(self) -> int:
        """How many updates each member has had; reading it copies nothing."""
        # A member stops at its first loss that is not finite; the others do not wait for it.
        return min(member.updates for member in self.members)

    def load(self, state: State) -> None:
        """Load a copy of a state: each member its part of the buffers."""
        K = len(self.members)
        parts = zip(*(np.split(state.buffers[name], K) for name in ("parameters", *SLOTS)))
        for member, (parameters, *slots) in zip(self.members, parts):
            member.load(State(parameters, dict(zip(SLOTS, slots)), state.updates))

    def state(self) -> State:
        """Return a copy of all that training changes: the members' buffers, end to end."""
        states = [member.state() for member in self.members]
        whole = {
            name: joined([state.buffers[name] for state in states])
            for name in ("parameters", *SLOTS)
        }
        return State(whole.pop("parameters"), whole, self.updates)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position: -log of the mean probability."""
        return -_log_mean([-losses_N for losses_N in self._each(lambda of: of.losses(batch))])

    def logits(self, batch: Batch) -> Floats:
        """Return the logarithms of the mean p_NV, which are valid logits.

        All members' logits are in memory at once: the caller limits the size of the batch.
        """
        return _mean_logits(self._each(lambda of: of.logits(batch)))

    def decoder(self, rows: int) -> EnsembleDecoder:
        """Return a decoder of all members."""
        return EnsembleDecoder([member.decoder(rows) for member in self.members])

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients that each member is trained with: of its own objective."""
        each = enumerate(self._each(lambda of: of.gradients(batch)), 1)
        return {f"model{k}.{name}": d for k, its in each for name, d in its.items()}

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make the same K updates in each member; return the mean of the members' sums.

        If a member's sum is not finite, the mean is not, and is the last one returned; members
        whose sums were finite have made updates after it.
        """
        each = self._each(lambda of: of.train(batches, lr_K))
        n = min(map(len, each))
        nats_MK = np.stack([sums.nats_K[:n] for sums in each])
        return Sums(nats_MK.mean(axis=0), each[0].positions_K[:n])

    def _each(self, compute: Callable[[Engine], A]) -> list[A]:
        """Compute with each member, as many at once as may be."""
        if self._at_once == 1:
            return [compute(member) for member in self.members]
        with ThreadPoolExecutor(self._at_once) as pool:
            return list(pool.map(compute, self.members))


class EnsembleDecoder:
    """Sequences decoded side by side, by each member."""

    def __init__(self, decoders: Sequence[Decoder]) -> None:
        self._decoders = decoders

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return the logarithms of the mean p_BV, which are valid logits."""
        each = [decoder.push(tokens_B) for decoder in self._decoders]
        logits_BV = np.zeros_like(each[0])
        read = np.asarray(tokens_B) >= 0
        logits_BV[read] = _mean_logits([its_BV[read] for its_BV in each])
        return logits_BV


def ensemble(
    member: Callable[[int, int | None], Engine],
    models: int,
    threads: int | None,
    world: int,
    about: About,
) -> Ensemble:
    """Open an ensemble.

    Args:
        member: opens the k-th engine, from 0, with a number of threads.
        models: how many there are.
        threads: the most threads to use; None: one for each processor.
        world: how many processes compute together.
        about: the engine's properties: if several can compute at once, threads are shared out.

    Raises:
        UsageError: there are several processes.
    """
    if world > 1:
        raise UsageError(f"models must be 1 for {world} ranks; got {models}. Try without torchrun.")
    if not about.is_concurrent:
        members = [member(k, threads) for k in range(models)]
        return Ensemble(members, 1, members[0].threads)
    most = threads or processors()
    some = min(models, most)
    return Ensemble([member(k, most // some) for k in range(models)], some, most)


@dataclass(frozen=True)
class _OfAll:
    """What several models need, each as much as the first."""

    one: MemoryNeeds
    models: int

    @property
    def place(self) -> str:
        return self.one.place

    @property
    def available(self) -> int | None:
        return self.one.available

    @property
    def parts(self) -> int:
        return self.one.parts

    def step(self, positions: int, *, ragged: bool = False) -> int:
        return self.models * self.one.step(positions, ragged=ragged)


def _mean_logits(each: Sequence[Floats]) -> Floats:
    """Return the logarithms of the mean of the probabilities that several logits stand for."""
    return _log_mean([Softmax(logits_NV).log_p_BV for logits_NV in each])


def _log_mean(logs: Sequence[Floats]) -> Floats:
    """Return the logarithm of the mean of numbers whose logarithms are given.

    >>> _log_mean([np.log([0.5]), np.log([0.25])]).round(4)
    array([-0.9808])
    """
    # Members of a diverged training have losses of infinity or NaN: the mean is NaN then.
    add: Any = np.logaddexp
    with np.errstate(invalid="ignore"):
        return add.reduce(logs) - np.log(len(logs))
