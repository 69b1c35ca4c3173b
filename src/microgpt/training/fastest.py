"""The engine of a training: of those installed, the one that trains this model fastest.

In: a task. Out: an engine's name, and what was measured. A small model is trained by the native
engine without a look: it is faster there than PyTorch on any device, and PyTorch takes two seconds
to import.
"""

from __future__ import annotations

import time

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines import has_torch, why_not_native
from microgpt.engines.compute import Compute
from microgpt.engines.contract import Engine
from microgpt.engines.ranks import ALONE, Ranks
from microgpt.errors import MicroGPTError
from microgpt.training.task import Task

# Measuring takes seconds: it has to be a small part of the training. Floating-point operations of
# all steps; seconds of a training with a clock; operations of a step, with fewer of which no GPU is
# busy.
_WORTH_WORK, _WORTH_SECONDS, _WORTH_STEP = 3e12, 30.0, 1e9

# Operations that are measured: about a tenth of a second of a processor.
_MEASURED = 1e10


def open_fastest(
    task: Task, name: str, threads: int | None, device: str | None, ranks: Ranks = ALONE
) -> tuple[Engine, str | None]:
    """Open the engine of a training; return it, and the measured speeds if it was chosen by them.

    Args:
        task: the training.
        name: of the engine; "auto" for the fastest.
        threads: for the engine.
        device: for the engine.
        ranks: the processes that train together; several have one engine to choose from.

    Raises:
        UsageError: the training has settings that this engine lacks.
    """
    measured = None
    if name == "auto" and ranks.world == 1:
        name, measured = fastest(task, threads, device)
    opened = task.open(name, threads, device, ranks)
    Compute.of(task.training).check(opened.name, ranks.world)
    return opened, measured


def fastest(task: Task, threads: int | None, device: str | None) -> tuple[str, str | None]:
    """Choose the engine of a training by measured speed.

    Args:
        task: the training.
        threads: for the engines.
        device: for the engines; another than the processor is PyTorch's.

    Returns:
        The engine's name, or "auto" if nothing was measured; and the measurement in words.
    """
    if device not in (None, "cpu") or why_not_native() or not has_torch() or not _is_worth(task):
        return "auto", None
    speeds = dict[str, tuple[float, str]]()
    for name in ("native", "torch"):
        try:
            opened = task.open(name, threads, device)
            speeds[name] = _speed(opened, task), opened.label
        except MicroGPTError:
            continue  # a model that it cannot hold
    if not speeds:
        return "auto", None
    each = ", ".join(f"{label} {speed / 1e9:,.0f}" for speed, label in speeds.values())
    return max(speeds, key=speeds.__getitem__), f"Measured on this model, in GFLOP/s: {each}."


def _is_worth(task: Task) -> bool:
    """Return whether a training is so long that measuring is a small part of it."""
    training, batch = task.training, task.layout.batch
    positions = training.batch_size * batch.positions / len(batch)
    step = positions * _operations(task.model)
    is_long = training.seconds and training.seconds >= _WORTH_SECONDS
    is_much = training.steps and training.steps * step >= _WORTH_WORK
    return step >= _WORTH_STEP and bool(is_long if training.seconds else is_much)


def _speed(engine: Engine, task: Task) -> float:
    """Measure floating-point operations a second, on a few of the documents."""
    sample = _sample(task)
    step = Plan(sample, batch_size=len(sample)).batches(0, 1)
    lr = np.zeros(1)
    engine.train(step, lr)  # the first time takes longer
    began = time.perf_counter()
    engine.train(step, lr)
    return sample.positions * _operations(task.model) / (time.perf_counter() - began)


def _sample(task: Task) -> Batch:
    """Return the first documents, or the beginning of the first."""
    batch = task.layout.batch
    most = min(
        max(int(_MEASURED / _operations(task.model)), 64),
        task.training.batch_size * task.model.block_size,
    )
    some = batch.head(most)
    stop = min(most, some.positions)
    documents = np.append(some.documents[some.documents < stop], stop)
    return Batch(some.tokens_N[:stop], some.targets_N[:stop], documents)


def _operations(config: GPTConfig) -> int:
    """Count the operations of a position."""
    return model.flops(config.n_layer, config.n_embd, config.vocab_size)
