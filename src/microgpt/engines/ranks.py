"""Several processes that train one model: the ranks of a launcher such as `torchrun`.

In: what a launcher put into the environment. Out: `Ranks`: which one this process is, and how they
agree. Rank 0 decides, prints and writes; the others compute what they are told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from microgpt.errors import MicroGPTError, RankError, UsageError

T = TypeVar("T")


class Ranks(Protocol):
    """The processes that train together.

    Attributes:
        rank: this one's number, from 0.
        world: how many there are.
    """

    rank: int
    world: int

    def told(self, value: T) -> T:
        """Return rank 0's value, in every rank; what the others pass is ignored."""
        ...

    def gathered(self, value: T) -> list[T]:
        """Return the values of all ranks, in their order, in every rank."""
        ...

    def begun(self) -> Path | None:
        """Return the folder in which these ranks were training when one of them was lost.

        Only a launcher that starts all of them again, as `torchrun --max-restarts` does, remembers
        one.
        """
        ...

    def remember(self, folder: Path) -> None:
        """Let the launcher remember the folder of the run; rank 0 calls it."""
        ...

    def is_first_to_say(self) -> bool:
        """Return whether no other rank has said yet that one was lost."""
        ...

    def dismiss(self) -> None:
        """End what the other ranks follow: there are no more orders; rank 0 calls it."""
        ...

    def close(self) -> None:
        """Leave the other ranks."""
        ...


class Alone:
    """A process by itself.

    >>> Alone().told("yes"), Alone().gathered(3)
    ('yes', [3])
    """

    rank, world = 0, 1

    def told(self, value: T) -> T:
        """Return the value."""
        return value

    def gathered(self, value: T) -> list[T]:
        """Return the value, in a list."""
        return [value]

    def begun(self) -> Path | None:
        """Return None: nothing starts this process again."""
        return None

    def remember(self, folder: Path) -> None:
        """Do nothing."""

    def is_first_to_say(self) -> bool:
        """Return True."""
        return True

    def dismiss(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


ALONE = Alone()


def launched() -> tuple[int, int]:
    """Return (rank, world) of this process, as its launcher says: (0, 1) without one.

    Source: "torchrun (Elastic Launch)" in PyTorch's documentation, on RANK and WORLD_SIZE.
    """
    rank, world = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    if not (rank.isdigit() and world.isdigit()) or int(world) < 2:
        return 0, 1
    return int(rank), int(world)


@contextmanager
def open_ranks() -> Generator[Ranks]:
    """Join the processes that a launcher such as torchrun has started with this one.

    Raises:
        MissingExtra: PyTorch is not installed.
        RankError: the others do not answer.
    """
    if launched()[1] == 1:
        yield ALONE
        return
    from microgpt.engines import check_torch

    check_torch()
    from microgpt.engines.torch.ranks import TorchRanks

    ranks = TorchRanks()
    try:
        yield ranks
    finally:
        ranks.close()


def agreed(ranks: Ranks, work: Callable[[], T]) -> T:
    """Do work in every rank; if it fails in one of them, raise its error in all.

    Raises:
        UsageError, MicroGPTError: rank 0's own error; or that of another rank, with its name.
    """
    if ranks.world == 1:
        return work()
    made, own = list[T](), None
    try:
        made.append(work())
    except (UsageError, MicroGPTError, OSError) as error:
        own = error
    words = [_sentence(own) if own else None, socket.gethostname()]
    for rank, (what, host) in enumerate(ranks.gathered(words)):
        if what is not None:
            if own and not rank:
                raise own
            raise RankError(f"rank {rank} on {host}: {what}" if rank else what)
    return made[0]


def _sentence(error: Exception) -> str:
    """Return an error's message; of one of the system the file and the system's words."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return str(error)
