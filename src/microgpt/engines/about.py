"""What an engine is: its module says so, and nobody else keeps a table of engines."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.optim import Optimizer


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
        copy: bytes a parameter that each thread but the first takes, for copies of its own.
        muon: bytes that each thread takes for Muon's products, in multiples of the width squared.
    """

    name: str
    is_fast: bool
    bytes_per_parameter: int
    build: str
    is_exact: bool
    is_concurrent: bool = False
    copy: int = 0
    muon: int = 0

    def memory(self, config: GPTConfig, optimizer: Optimizer, threads: int) -> int:
        """Return the bytes of memory to train a model, whatever the batch.

        >>> config = GPTConfig(vocab_size=3)
        >>> engine = About("toy", True, 24, "", True, copy=4, muon=48)
        >>> engine.memory(config, Optimizer(), 3) == (24 + 2 * 4) * model.size(config)
        True
        >>> more = engine.memory(config, Optimizer(muon=1.0), 3)
        >>> more - engine.memory(config, Optimizer(), 3) == 3 * 48 * config.n_embd**2
        True
        """
        each = self.bytes_per_parameter + (threads - 1) * self.copy
        scratch = threads * self.muon * config.n_embd**2 if optimizer.muon else 0
        return model.size(config) * each + scratch
