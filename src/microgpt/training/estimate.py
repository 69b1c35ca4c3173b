"""What a training needs, before it starts: parameters, memory, floating-point operations.

In: a task and its engine. Out: an `Estimate` in words; or a UsageError that says what would fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt import model
from microgpt.engines.contract import Engine
from microgpt.engines.memory import MemoryNeeds
from microgpt.errors import UsageError
from microgpt.training.task import Task


@dataclass(frozen=True)
class Estimate:
    """The needs of a training.

    Attributes:
        parameters: how many.
        memory: bytes, at the peak of a step.
        step: floating-point operations of a step's matrix products.
        steps: how many steps; None: as many as there is time for.
    """

    parameters: int
    memory: int
    step: float
    steps: int | None

    def __str__(self) -> str:
        words = f"About {amount(self.memory, 'B')} of memory, {amount(self.step, 'FLOP')} a step"
        return f"{words}, {amount(self.step * self.steps, 'FLOP')} in all" if self.steps else words


def estimate(task: Task, engine: Engine) -> Estimate:
    """Estimate what a training needs on an engine.

    Raises:
        UsageError: it does not fit in the memory that the engine computes in.
    """
    world = engine.share[1]
    positions, is_ragged = -(-_positions(task) // world), _is_ragged(task)
    config, memory = task.model, engine.memory
    needed, there = memory.step(positions, ragged=is_ragged), memory.available
    if there is not None and needed > there:
        raise UsageError(
            f"the training must fit in memory: it needs {amount(needed, 'B')}, and {memory.place} "
            f"has {amount(there, 'B')}. {_remedy(task, memory, there, world)}"
        )
    models = task.training.models
    flops = models * model.flops(config.n_layer, config.n_embd, config.vocab_size)
    parameters = models * model.size(config)
    return Estimate(parameters, needed, positions * world * flops, task.training.steps)


def _positions(task: Task) -> int:
    """Return about how many positions a step has."""
    batch = task.layout.batch
    documents = min(task.training.batch_size, len(batch))
    return -(-documents * batch.positions // len(batch))


def _is_ragged(task: Task) -> bool:
    """Return whether documents differ in length."""
    lengths_D = np.diff(task.layout.batch.documents[:1025])
    return bool(np.mean(lengths_D) < 0.9 * lengths_D.max())


def _remedy(task: Task, memory: MemoryNeeds, there: int, world: int) -> str:
    """Say which batch size, or which number of parts, would fit in each of the ranks."""
    positions, size = -(-_positions(task) // world), task.training.batch_size
    is_ragged = _is_ragged(task)

    def fits(parts: int) -> bool:
        return memory.step(-(-positions // parts), ragged=is_ragged) <= there

    # Doubled until it fits; then the fewest that do, since the last that did not.
    enough = next((n for n in (2**i for i in range(1, 21)) if n <= size and fits(n)), 0)
    if not enough:
        return "Try a smaller n_embd, n_layer or vocabulary."
    parts = next(n for n in range(enough // 2 + 1, enough + 1) if fits(n))
    accumulate = f" or --accumulate {parts * memory.parts}" if memory.parts else ""
    return f"Try --batch-size {size // parts}{accumulate}."


def amount(number: float, unit: str) -> str:
    """Write a large number with a unit and its prefix.

    >>> amount(11_200_000_000, "B"), amount(999.6, "B"), amount(0, "FLOP")
    ('11.2 GB', '1 kB', '0 FLOP')
    """
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if number < 999.5 or prefix == "E":
            break
        number /= 1000.0
    return f"{number:.3g} {prefix}{unit}"
