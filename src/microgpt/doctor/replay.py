"""A replay: the first steps of a training, made again in memory by an engine of this package.

In: a task, the log of its training. Out: a `Replay`: the losses of these steps, and how far a tiny
change of the first parameters moves them.

Two sound engines do not agree to the last digit: they round differently, and training makes such
differences grow, the faster the higher the rate. How fast is measured: a twin begins from
parameters that differ by as much as rounding does, and its losses show what rounding can do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt import model
from microgpt.data.batch import Batches
from microgpt.doctor.finding import UnseenError
from microgpt.engines import about, best
from microgpt.engines.contract import Engine, Floats, State
from microgpt.loss import LossSum
from microgpt.loss.sums import Sums
from microgpt.optim import ITERATIONS
from microgpt.runs.log import Log
from microgpt.training.pace import learning_rates
from microgpt.training.task import Task

# Floating-point operations to spend, a second or so: by a fast engine, by plain Python. At most
# this many steps; at least so few, if they cost no more than ten times as much.
_FAST, _SLOW = 1e10, 1e7
_MOST, _LEAST = 1000, 3

# The relative change of the twin's parameters: of float32's rounding, and of bfloat16's.
_ROUNDING, _COARSE = 1e-6, 1e-3

# A loss departs if it is this many times as far away as the twin's was so far.
_TIMES = 30.0


@dataclass(frozen=True, eq=False)
class Replay:
    """The first steps of a training, made again.

    Attributes:
        engine: the engine, in words.
        sums: of each step; fewer than `steps` if a loss was not finite: that is the last.
        twin: the same from slightly other parameters.
        steps: how many were to be made.
        rounding: the relative difference of the twin's parameters.
    """

    engine: str
    sums: Sums
    twin: Sums
    steps: int
    rounding: float

    @property
    def is_finite(self) -> bool:
        """Whether all losses are finite."""
        return bool(np.isfinite(self.sums.nats_K).all())

    def tolerance(self, step: int) -> float:
        """Return how far two sound engines may be apart at a step, counted from 1, in nats."""
        n = min(step, len(self.sums), len(self.twin))
        moved = np.abs(self.sums.means_K[:n] - self.twin.means_K[:n])
        largest = float(np.max(moved, initial=0.0))
        size = abs(float(self.sums.means_K[n - 1])) + 1.0
        return _TIMES * (largest + self.rounding * size)

    def between(self, before: int, last: int) -> LossSum | None:
        """Return the losses of the steps after `before` up to `last`; None: not all were made."""
        if last > len(self.sums):
            return None
        return self.sums[before:last].after(LossSum())


def replayed(
    task: Task,
    first: State,
    log: Log,
    computes_with: tuple[str, int | None, str | None],
    *,
    is_coarse: bool,
) -> Replay:
    """Make the first steps of a training again, as many as take about a second.

    Args:
        task: the training.
        first: the state before its first update.
        log: its log.
        computes_with: an engine's name, threads and device.
        is_coarse: whether the training may have been computed in bfloat16.

    Raises:
        UnseenError: a step takes too long, or its learning rate is not known.
    """
    name, threads, device = computes_with
    name = best() if name == "auto" else name
    steps = _affordable(task, name)
    lr_K = _rates(task, log, steps)
    batches = task.plan.batches(0, len(lr_K))
    # An engine each: one that has met a number that is not finite may keep it.
    engine, other = (task.open(name, threads, device) for _ in range(2))
    rounding = _COARSE if is_coarse else _ROUNDING
    noise = np.random.default_rng(0).standard_normal(len(first.parameters))
    nearby = first.parameters * (1.0 + rounding * noise)
    sums = _made(engine, first, batches, lr_K)
    twin = _made(other, State.fresh(nearby), batches, lr_K)
    return Replay(engine.label, sums, twin, len(lr_K), rounding)


def _made(engine: Engine, state: State, batches: Batches, lr_K: Floats) -> Sums:
    engine.load(state)
    return engine.train(batches, lr_K)


def _affordable(task: Task, name: str) -> int:
    """Return how many steps there is time for."""
    config, training, batch = task.model, task.training, task.layout.batch
    each = model.flops(config.n_layer, config.n_embd, config.vocab_size)
    step = each * training.batch_size * batch.positions / len(batch)
    # An update reads and writes each parameter a few times; Muon's multiplies matrices.
    step += 20 * model.size(config)
    if training.optimizer == "muon":
        step += sum(map(_orthogonal, model.parameters(config)))
    budget = (_FAST if about(name).is_fast else _SLOW) / 2  # for the twin, too
    step *= training.models
    steps = min(int(budget / step), _MOST)
    if steps < _LEAST and _LEAST * step > 10 * budget:
        raise UnseenError(f"The {name} engine takes too long for a step to make it again.")
    return max(steps, _LEAST)


def _orthogonal(p: model.Parameter) -> float:
    """Count the operations of Muon's orthogonalised update of a matrix."""
    rows, columns = sorted(p.shape)
    return ITERATIONS * (4.0 * rows * rows * columns + 2.0 * rows**3) if p.hidden else 0.0


def _rates(task: Task, log: Log, steps: int) -> Floats:
    """Return the learning rates of the first steps: those of the log, then the schedule's."""
    training = task.training
    is_each = all(line["step"] == i for i, line in enumerate(log.lines[:steps], 1))
    logged = [line["lr"] for line in log.lines[:steps]] if is_each else []
    if training.seconds is not None:
        if not logged:
            raise UnseenError(
                "The log has no learning rate of every step, and the clock decided them."
            )
        return np.array(logged)
    last = min(steps, training.steps or steps)
    return np.concatenate([logged, learning_rates(training, len(logged) + 1, last)])
