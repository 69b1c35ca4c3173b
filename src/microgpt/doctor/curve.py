"""Symptoms of the log: of its losses, its learning rates, its length.

In: a run's evidence. Out: a `Finding` for each symptom. The losses are the GPT's own, in a mixture
too.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from microgpt.doctor.evidence import Evidence
from microgpt.doctor.finding import Finding, UnseenError
from microgpt.doctor.floor import floor, letters
from microgpt.doctor.replay import Replay
from microgpt.errors import MicroGPTError
from microgpt.loss import LossSum
from microgpt.runs.folder import is_claimed
from microgpt.training.pace import learning_rates
from microgpt.training.verdict import is_diverged
from microgpt.wording import count, figures

# From this many steps on a loss must have moved.
_ENOUGH = 50
# A first loss this many times ln V was too high.
_LARGE = 1.5
# A loss that ends this share of ln V above its lowest tenth has risen; so many standard errors.
_RISEN, _ERRORS = 0.15, 4.0
# The share of the way from blind guessing to the letters' frequencies that is next to nothing.
_NOTHING = 0.15
# A held-out loss that rises by these nats, and by this share, while the training loss falls.
_BY_HEART, _BY_HEART_SHARE = 0.05, 0.02


def broke_off(on: Evidence) -> Finding:
    """Look whether the log has steps that no checkpoint has, and nobody is training."""
    saved, last = on.saved.state.updates, on.log.steps
    is_running = is_claimed(on.run.folder)
    said = f"the log has {count(last, 'step')}, the checkpoint {saved:,}"
    if is_running:
        said += "; the training is still running"
    shows = last > saved and not on.has_ended and not is_running
    return Finding(shows, said, {"logged": last, "saved": saved, "running": is_running})


def off_schedule(on: Evidence) -> Finding:
    """Look whether the learning rates of the log are those that the settings ask for."""
    training, steps_L, lr_L = on.training, on.steps_L, on.lr_L
    if training.seconds is None:
        due_L = learning_rates(training, 1, int(steps_L[-1]))[steps_L - 1]
        off_L = np.abs(lr_L - due_L) > 1e-9 * training.lr
    else:  # the clock decides, between these two
        due_L = np.minimum(np.maximum(lr_L, 0.0), training.lr)
        off_L = lr_L != due_L
    at = int(off_L.argmax()) if off_L.any() else -1
    said = f"the rate of step {steps_L[at]:,} is {lr_L[at]:g}"
    numbers = {"step": int(steps_L[at]), "rate": float(lr_L[at]), "due": float(due_L[at])}
    if off_L.any():
        return Finding(True, f"{said}; the settings ask for {due_L[at]:g}", numbers)
    return Finding(False, f"{said}, as the settings ask", numbers)


def below_floor(on: Evidence) -> Finding:
    """Look whether the loss is lower than any honest model's can be on these documents."""
    least, end = floor(on.documents), on.end.mean
    shows = end + 3.0 * on.error < least
    said = (
        f"the loss ended at {figures(end)}; no model that has read only what stands before can be "
        f"below {figures(least)} on these documents"
    )
    return Finding(shows, said, {"ended": end, "floor": least})


def nothing_learnt(on: Evidence) -> Finding:
    """Look whether the loss has stayed near ln V, where the letters' frequencies alone are less."""
    blind, known, end, steps = on.blind, letters(on.documents), on.end.mean, on.log.steps
    if steps < _ENOUGH:
        had = count(steps, "step")
        raise UnseenError(f"It takes {_ENOUGH} steps to have learnt something; the log has {had}.")
    if blind - known < 0.05:
        raise UnseenError("Their frequencies alone are no better than blind guessing.")
    shows = abs(end - blind) < _NOTHING * (blind - known) + on.error
    said = (
        f"the loss ended at {figures(end)}; blind guessing costs {figures(blind)}, the frequencies "
        f"of {on.run.tokenizer.unit}s {figures(known)}"
    )
    return Finding(shows, said, {"ended": end, "blind": blind, "letters": known})


def learnt_by_heart(on: Evidence) -> Finding:
    """Look whether the held-out loss rises while the training loss falls."""
    # Those with as many positions as the first are of the same documents; the closing one may be of
    # an earlier state, which is kept.
    positions = on.measured[0].sum.positions
    same = [one for one in on.measured if one.sum.positions == positions and not one.kept]
    if len(same) < 3:
        raise UnseenError("The held-out loss was measured too seldom on the same documents.")
    best = min(same, key=lambda one: one.own.mean)
    last = same[-1]
    rise = last.own.mean - best.own.mean
    before, end = _around(on, best.step), _around(on, last.step)
    # Without an error nobody knows what chance does.
    least = max(_BY_HEART, _BY_HEART_SHARE * best.own.mean, last.error)
    shows = not math.isnan(last.error) and rise > least and end < before
    said = (
        f"the held-out loss was lowest after step {best.step:,}, {figures(best.own.mean)}, and "
        f"{figures(last.own.mean)} after step {last.step:,}; the training loss {figures(before)} "
        f"and {figures(end)}"
    )
    return Finding(
        shows,
        said,
        {
            "best_step": best.step, "best": best.own.mean, "last_step": last.step,
            "last": last.own.mean, "training_at_best": before, "training_at_last": end,
        },
    )  # fmt: skip


def began_high(on: Evidence) -> Finding:
    """Look whether the first loss is far above that of blind guessing."""
    first, blind = on.sums[0].mean, on.blind
    said = f"the loss began at {figures(first)}; blind guessing costs {figures(blind)}"
    return Finding(first > _LARGE * blind, said, {"first": first, "blind": blind})


def rate_too_high(on: Evidence) -> Finding:
    """Look whether the loss has diverged or risen again, and in a replay, too, if there is one."""
    look = _risen(on)
    try:
        replay = on.replay
    except MicroGPTError:
        return look
    if not replay.is_finite:
        at = len(replay.sums)
        said = f"{look.said}; made again, the loss of step {at:,} is not finite"
        return Finding(True, said, {**look.numbers, "not_finite": at})
    return replace(look, shows=look.shows and not _is_alone(on, replay))


def rises(on: Evidence) -> Finding:
    """Look whether the loss has risen where that of a replay has not."""
    look, replay = _risen(on), on.replay
    own, made = _late(on, replay)
    said = f"where the log has {figures(own)}, the {replay.engine} has {figures(made)}"
    shows = look.shows and _is_alone(on, replay)
    if shows:
        said = f"{look.said}; {said}"
    return Finding(shows, said, {**look.numbers, "here": own, "replayed": made})


def _risen(on: Evidence) -> Finding:
    """Look whether the loss diverged, or rose again."""
    blind, began, end = on.blind, on.sums[0].mean, on.end.mean
    lowest = min(on.part(tenth).mean for tenth in range(10))
    steps = on.log.steps
    has_risen = steps >= _ENOUGH and end > lowest + max(_RISEN * blind, _ERRORS * on.error)
    tail, few = on.log.tail(_ENOUGH).mean, min(steps, _ENOUGH)
    shows = has_risen or is_diverged(blind, began, tail, few, on.error)
    lowest = min(lowest, began)
    said = (
        f"the loss began at {figures(began)}, was lowest at {figures(lowest)}, and ended at "
        f"{figures(end)}; blind guessing costs {figures(blind)}"
    )
    return Finding(shows, said, {"first": began, "lowest": lowest, "ended": end, "blind": blind})


def _is_alone(on: Evidence, replay: Replay) -> bool:
    """Return whether a replay has learnt where the log has risen."""
    own, made = _late(on, replay)
    return replay.is_finite and made < on.blind and own > made + _RISEN * on.blind


def _late(on: Evidence, replay: Replay) -> tuple[float, float]:
    """Return the loss of the later half of the steps replayed: in the log, and in the replay."""
    last_L = on.steps_L[on.steps_L <= len(replay.sums)]
    if not len(last_L):
        return math.nan, math.nan
    half = len(last_L) // 2
    before = int(last_L[half - 1]) if half else 0
    own = sum(on.sums[half : len(last_L)], LossSum()).mean
    made = replay.between(before, int(last_L[-1]))
    return own, made.mean if made else math.nan


def _around(on: Evidence, step: int) -> float:
    """Return the training loss of the tenth of the steps before an evaluation."""
    low = step - max(int(on.steps_L[-1]) // 10, 1)
    lines = [
        total
        for total, last in zip(on.sums, on.steps_L.tolist())
        if low < last <= step
    ]  # fmt: skip
    return (sum(lines[1:], lines[0]) if lines else on.sums[0]).mean
