"""The memory that a training needs, and what there is.

In: parameters, positions of a step. Out: bytes. An engine whose memory depends on the positions has
an estimate of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from microgpt.errors import UsageError


class MemoryNeeds(Protocol):
    """What an engine needs to train a model."""

    @property
    def place(self) -> str:
        """What the memory belongs to, for a message."""
        ...

    @property
    def available(self) -> int | None:
        """Bytes that there are; None: unknown."""
        ...

    @property
    def parts(self) -> int:
        """In how many parts a batch is computed; 0: it cannot be."""
        ...

    def step(self, positions: int, *, ragged: bool = False) -> int:
        """Return the bytes at the peak of a step of so many positions.

        `ragged` says that documents differ in length.
        """
        ...


@dataclass(frozen=True)
class ByParameters:
    """Needs that depend on the parameters alone.

    >>> ByParameters(24_000).step(positions=100)
    24000
    """

    needed: int
    place: str = "this machine"
    parts: int = 0

    @property
    def available(self) -> int | None:
        """Bytes that this machine has."""
        return installed()

    def step(self, positions: int, *, ragged: bool = False) -> int:
        """Return the bytes at the peak of any step."""
        return self.needed


def installed() -> int | None:
    """Return the bytes of memory that this machine has; None: it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def check(needed: int, parameters: int, fewer: Sequence[str]) -> None:
    """Raise UsageError if this machine cannot hold the bytes that a model's parameters need.

    Args:
        needed: bytes.
        parameters: how many there are.
        fewer: of what, that less would be needed.
    """
    there = installed()
    if there is not None and needed > there:
        others = f", or fewer {' or '.join(fewer)}" if fewer else ""
        raise UsageError(
            f"the model must fit in memory; got {parameters:,} parameters, "
            f"about {needed / 2**30:,.0f} GiB where {there / 2**30:,.0f} GiB are. "
            f"Try a smaller n_embd, n_layer or block_size{others}."
        )
