"""Symptoms of what was computed: the log and the checkpoint, held against a sound engine.

In: a run's evidence. Out: a `Finding` for each symptom.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from microgpt import model
from microgpt.doctor.evidence import Evidence
from microgpt.doctor.finding import Finding, UnseenError
from microgpt.engines import about
from microgpt.loss import LossSum
from microgpt.wording import count, figures

# Steps whose batches are looked at, and whose losses are compared one by one.
_BATCHES, _COMPARED = 100, 20
# From this many updates on every matrix must have moved; by this share of what others moved.
_MOVED, _MOVED_SHARE = 10, 1e-3
# A loss measured again may differ by this share: by rounding, and by that of bfloat16.
_AGAIN, _AGAIN_COARSE = 1e-3, 2e-2
# Losses of two equal trainings may differ by this share: by the rounding of another processor.
_REPEATED = 1e-4
# Floating-point operations that measuring again may take: by a fast engine, and by plain Python.
_FAST, _SLOW = 3e11, 3e7


def other_positions(on: Evidence) -> Finding:
    """Look whether each line of the log has as many positions as the settings' batches have."""
    last_L = on.steps_L[on.steps_L <= max(_BATCHES, int(on.steps_L[0]))]
    batches = on.task.plan.batches(0, int(last_L[-1]))
    ends_K = batches.documents[batches.steps]
    due_L = np.diff(ends_K[np.concatenate([[0], last_L])])
    logged_L = np.array([total.positions for total in on.sums[: len(last_L)]])
    off = np.flatnonzero(due_L != logged_L)
    at = int(off[0]) if len(off) else len(last_L) - 1
    step = int(last_L[at])
    said = (
        f"step {step:,} was trained on {count(int(logged_L[at]), 'position')}; the batch that the "
        f"settings give it has {due_L[at]:,}"
    )
    numbers = {"step": step, "positions": int(logged_L[at]), "due": int(due_L[at])}
    return Finding(len(off) > 0, said, numbers)


def departs_at_first(on: Evidence) -> Finding:
    """Look whether the loss of the first step, before any update, is another one in a replay."""
    return _departure(on, lambda line, step: step == 1)


def departs_at_update(on: Evidence) -> Finding:
    """Look whether the losses depart from a replay at step 2: after the first update."""
    return _departure(on, lambda line, step: (line, step) == (2, 2))


def departs_later(on: Evidence) -> Finding:
    """Look whether they depart after step 2; or in a first line that is the mean of many steps."""
    return _departure(on, lambda line, step: step > 1 and (line, step) != (2, 2))


def _departure(on: Evidence, is_this: Callable[[int, int], bool]) -> Finding:
    """Look at which line the log departs from a replay, if it does."""
    replay, before, look = on.replay, 0, None
    for line, last in enumerate(on.steps_L[:_COMPARED].tolist(), 1):
        made = replay.between(before, last)
        if made is None or not math.isfinite(made.mean):
            break
        own = float(on.losses_L[line - 1])
        said = f"step {last:,} has {figures(own, 5)}; the {replay.engine} {figures(made.mean, 5)}"
        numbers = {"step": last, "loss": own, "replayed": made.mean}
        if not abs(own - made.mean) <= replay.tolerance(last):
            shows = is_this(line, last)
            return Finding(shows, said if shows else f"they depart at step {last:,}", numbers)
        look = Finding(False, f"{said}, and all before agree, too" if before else said, numbers)
        before = last
    if look is None:
        raise UnseenError("The first line of the log is of more steps than could be made again.")
    return look


def not_moved(on: Evidence) -> Finding:
    """Look for matrices that training has not moved, and for embeddings of what it has read."""
    state, steps = on.saved.state, on.kept or on.saved.state.updates
    if steps < _MOVED:
        had = count(steps, "update")
        raise UnseenError(f"It takes {_MOVED} updates for all to have moved; the run had {had}.")
    first = on.first.parameters.astype(state.parameters.dtype)
    change = np.abs(state.parameters.astype(np.float64) - first)
    moved = model.views(change, on.model, on.task.training.models)
    sizes = {name: float(np.sqrt(np.square(each).mean())) for name, each in moved.items()}
    # Where matrices begin at 0, no gradient reaches the embeddings in the first two steps.
    read = on.task.plan.batches(2, min(steps, _BATCHES) - 2)
    longest = int(np.diff(read.documents).max())
    if longest == 1:  # a position alone attends to itself, whatever queries and keys are
        sizes = {name: size for name, size in sizes.items() if name[-2:] not in ("wq", "wk")}
    usual = float(np.median([*sizes.values()]))
    still = [name for name, size in sizes.items() if not size > _MOVED_SHARE * usual]
    used = {"wte": np.unique(read.tokens_N), "wpe": np.arange(longest)}
    for name, matrix in moved.items():
        rows = used.get(name.rpartition(".")[2])
        if rows is not None and name not in still:
            n = int((matrix[rows] == 0.0).all(axis=1).sum())
            still += [f"{n} of {count(len(rows), 'row')} of {name}"] if n else []
    said = f"after {count(steps, 'update')} the matrices have moved by {usual:.2g} (the median)"
    if still:
        said += f"; not moved: {', '.join(still)}"
    return Finding(bool(still), said, {"updates": steps, "median": usual, "still": still})


def leak(on: Evidence) -> Finding:
    """Look whether the checkpoint has the held-out loss that the log says, measured again."""
    logged, name = on.measured[-1], on.run.engine.name
    if not on.has_ended or logged.step != on.saved.state.updates:
        raise UnseenError(
            "The checkpoint is not of the step at which the held-out loss was measured."
        )
    config, positions = on.model, logged.sum.positions
    each = model.flops(config.n_layer, config.n_embd, config.vocab_size) / 3
    each *= on.task.training.models
    if positions * each > (_FAST if about(name).is_fast else _SLOW):
        raise UnseenError(f"The {name} engine takes too long to measure the held-out loss again.")
    batch = on.task.heldout.head(positions)
    again = LossSum.of(batch.counted(on.run.engine.losses(batch)))
    share = _AGAIN_COARSE if on.is_coarse else _AGAIN
    shows = again.positions == positions and again.mean > (1.0 + share) * logged.own.mean
    said = (
        f"the log says {figures(logged.own.mean)} held out; the checkpoint has "
        f"{figures(again.mean)} on {count(again.positions, 'position')}, by the "
        f"{on.run.engine.label}"
    )
    return Finding(shows, said, {"logged": logged.own.mean, "measured": again.mean})


def does_not_repeat(on: Evidence) -> Finding:
    """Look whether a second training with the same settings has the same losses."""
    if on.again is None:
        raise UnseenError("There is no second run to compare with: microgpt doctor RUN AGAIN")
    share = _AGAIN_COARSE if on.is_coarse else _REPEATED
    pairs = [*zip(on.log.lines, on.again.log.lines)][:_COMPARED]
    if not pairs:
        raise UnseenError(f"{on.again.folder} has no step yet.")
    apart = [abs(one["loss"] - other["loss"]) > share * one["loss"] for one, other in pairs]
    one, other = pairs[apart.index(True) if any(apart) else -1]
    said = (
        f"step {one['step']:,} has {figures(one['loss'], 5)}; in {on.again.folder} "
        f"{figures(other['loss'], 5)}"
    )
    numbers = {"step": one["step"], "loss": one["loss"], "again": other["loss"]}
    return Finding(any(apart), said, numbers)
