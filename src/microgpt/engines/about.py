"""What an engine is: its module says so, and nobody else keeps a table of engines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """An engine's properties, which its own module states.

    Attributes:
        name: the value of `--engine`.
        is_fast: whether it trains in seconds what plain Python takes hours for.
        bytes_per_parameter: of memory, with gradients, moments and copies.
        build: what its rounding depends on, beside its version.
        is_exact: whether a document has the same losses, to the last bit, whatever is computed
            beside it and by however many threads.
        is_concurrent: whether several of them compute at once in one process, each in a thread of
            Python's.
    """

    name: str
    is_fast: bool
    bytes_per_parameter: int
    build: str
    is_exact: bool
    is_concurrent: bool = False
