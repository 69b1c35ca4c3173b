"""The ranks of a launcher, by torch.distributed.

In: the launcher's environment, or a process group that is there already, as in Ray Train. Out: the
rank, objects that all ranks agree on, sums over all ranks. Objects travel over gloo, whatever the
gradients travel over: NCCL, between GPUs of NVIDIA's.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from microgpt.engines.machine import processors
from microgpt.engines.ranks import launched
from microgpt.errors import AbsentRankError, LostRankError, UsageError

T = TypeVar("T")

# How long a rank waits for rank 0's next order: it may evaluate, save, or be paused. A rank that
# has ended is noticed at once, because its connections close.
_PATIENCE = timedelta(days=7)

# How long a rank waits for the others to come, and for their launcher.
_MEETING = timedelta(minutes=5)

# A process may join several times, one training after another.
_GROUPS = count()

_FOLDER, _SAID = "microgpt/folder", "microgpt/said"


class TorchRanks:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        on_host: its number among those on this machine, from 0; its GPU, if there are any.
        orders: the process group over which objects travel.
    """

    def __init__(self) -> None:
        self._is_ours = not dist.is_initialized()
        self.on_host = int(os.environ.get("LOCAL_RANK", "0"))
        with lost():
            if self._is_ours:
                self._join()
            self.rank, self.world = dist.get_rank(), dist.get_world_size()
            self.orders: Any = dist.new_group(backend="gloo", timeout=_PATIENCE)

    def _join(self) -> None:
        """Make the process group of all ranks."""
        has_gpu = torch.cuda.is_available()
        rank, world = launched()
        _check_launcher(rank, world)
        if has_gpu:
            torch.cuda.set_device(self.on_host)
        # A launcher that starts all ranks again may keep the addresses of the first ones.
        own = _kind("PrefixStore")(
            f"microgpt/{_attempt()}/{next(_GROUPS)}", self._launcher() or _met()
        )
        backend = "cpu:gloo,cuda:nccl" if has_gpu else "gloo"
        dist.init_process_group(backend, store=own, rank=rank, world_size=world)

    @property
    def device(self) -> str | None:
        """The GPU of this rank; None: there is none."""
        return f"cuda:{self.on_host}" if torch.cuda.is_available() else None

    @property
    def threads(self) -> int:
        """This rank's share of the machine's processors."""
        return max(1, processors() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    def told(self, value: T) -> T:
        """Return rank 0's value, in every rank; what the others pass is ignored."""
        values: list[Any] = [value]
        with lost():
            dist.broadcast_object_list(values, src=0, group=self.orders)
        return values[0]

    def gathered(self, value: T) -> list[T]:
        """Return the values of all ranks, in their order, in every rank."""
        values: list[Any] = [None] * self.world
        with lost():
            dist.all_gather_object(values, value, group=self.orders)
        return values

    def counts(self, own_K: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each rank's counts, as counts_RK."""
        own = torch.from_numpy(own_K)
        counts = [torch.empty_like(own) for _ in range(self.world)]
        with lost():
            dist.all_gather(counts, own, group=self.orders)
        return torch.stack(counts).numpy()

    def sum(self, x: Tensor) -> Any:
        """Begin to replace a tensor by its sum over all ranks; return what waits for it."""
        with lost():
            return dist.all_reduce(x, async_op=True)

    def copy(self, x: Tensor) -> None:
        """Replace a tensor by rank 0's."""
        with lost():
            dist.broadcast(x, src=0)

    def begun(self) -> Path | None:
        """Return the folder that these ranks were training in when one of them was lost."""
        if not _attempt():
            return None
        store = self._launcher()
        return Path(store.get(_FOLDER).decode()) if store and store.check([_FOLDER]) else None

    def remember(self, folder: Path) -> None:
        """Let the launcher remember the folder of the run; rank 0 calls it."""
        with lost():
            store = self._launcher()
        if store:
            store.set(_FOLDER, str(folder.resolve()))

    def is_first_to_say(self) -> bool:
        """Return whether no other rank has said yet that one was lost."""
        try:
            if _has_store():
                socket.create_connection(_place(), 5).close()  # a store is looked for in minutes
            store = self._launcher()
            return store.add(f"{_SAID}/{_attempt()}", 1) == 1 if store else self.rank == 0
        except (OSError, RuntimeError):  # the launcher has ended, too
            return True

    def dismiss(self) -> None:
        """End what the other ranks follow: there are no more orders; rank 0 calls it."""
        with suppress(LostRankError):  # a rank that was lost needs none
            self.told(None)

    def close(self) -> None:
        """Leave the other ranks."""
        if self._is_ours and dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()

    def _launcher(self) -> Any:
        """Return the store that the launcher keeps, also while it starts the ranks again."""
        if not _has_store():
            return None
        return _kind("TCPStore")(*_place(), is_master=False, timeout=_MEETING)


def _has_store() -> bool:
    """Return whether the launcher keeps a store."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _place() -> tuple[str, int]:
    """Return the address where the ranks meet."""
    return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])


def _kind(name: str) -> Any:
    """Return a class of torch.distributed that is not among its annotated names."""
    return getattr(dist, name)


def _check_launcher(rank: int, world: int) -> None:
    """Raise UsageError if the environment has variables of a launcher, and not all of them."""
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing or rank >= world:
        wrong = f"no {missing[0]}" if missing else f"a RANK from {world} on"
        raise UsageError(
            f"RANK={rank} and WORLD_SIZE={world} must come from a launcher such as torchrun; got "
            f"{wrong}. Try: unset RANK WORLD_SIZE, to train in one process."
        )


def _met() -> Any:
    """Return the store where ranks meet whose launcher keeps none.

    Raises:
        AbsentRankError: they do not come.
    """
    try:
        store, *_ = next(iter(_kind("rendezvous")("env://", timeout=_MEETING)))
    except dist.DistError as error:
        place = " ".join(
            f"{name}={os.environ[name]}"
            for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        )
        raise AbsentRankError(
            f"a launcher must start all processes of a training; got {place}, where the others "
            "do not answer. Try: unset RANK WORLD_SIZE, to train in one process."
        ) from error
    return store


def _attempt() -> int:
    """Return how often the launcher has started all ranks again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def lost() -> Generator[None]:
    """Turn torch's error about a closed connection into one sentence.

    Raises:
        LostRankError: another rank does not answer.
    """
    try:
        yield
    except dist.DistError as error:
        raise LostRankError(_SENTENCE) from error
    except RuntimeError as error:
        # gloo's errors have no class of their own.
        if "gloo" not in str(error).lower() and "connection" not in str(error).lower():
            raise
        raise LostRankError(_SENTENCE) from error


_SENTENCE = "a process of this training ended before the others"
