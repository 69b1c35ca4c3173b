"""A picture of a sweep: the loss against each knob, side by side.

In: a sweep. Out: a .png or .svg.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from microgpt.cli.terminal.pictures import COLOURS, write_picture
from microgpt.errors import MissingExtra
from microgpt.sweep.effects import Effects
from microgpt.sweep.knob import Knob
from microgpt.sweep.loop import Sweep
from microgpt.sweep.trial import Trial, best

_COLUMNS = 4
# Fewer whole numbers than this are drawn as choices.
_FEW = 8


def check_installed() -> None:
    """Raise MissingExtra unless matplotlib is installed."""
    if not find_spec("matplotlib"):
        raise MissingExtra(
            "the picture needs matplotlib, which is not installed. "
            "Try: pip install 'microgpt-lm[sweep]'"
        )


def save(path: Path, sweep: Sweep, effects: Effects) -> None:
    """Draw all finished trials, the best one marked; the other trials at the upper edge.

    The loss's axis leaves out the worst tenth of the trials, which would compress all others.
    """
    from matplotlib.figure import Figure

    done = sorted((t for t in sweep.trials if t.outcome == "done"), key=lambda t: t.loss)
    others = [t for t in sweep.trials if t.outcome in ("pruned", "diverged")]
    chosen = best(sweep.trials)
    if chosen is None:
        return
    low, high = chosen.loss, done[int(0.9 * (len(done) - 1))].loss
    room = (high - low or 0.1) * 0.06
    knobs = effects.ordered(sweep.settings.space.knobs)
    columns = min(_COLUMNS, len(knobs))
    rows = math.ceil(len(knobs) / columns)
    figure: Any = Figure(figsize=(3.1 * columns, 2.7 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, knob in zip(panels, knobs):
        _draw(axes, knob, done, others, chosen, high + room)
        effect = effects.seen.get(knob.name)
        axes.set_title(f"{knob.name} · moves it {effect.nats:.3f}" if effect else knob.name)
        axes.set_ylim(low - room, high + 2 * room)
    for axes in panels[len(knobs) :]:
        axes.set_visible(False)
    figure.supylabel("held-out loss (nats a position)", fontsize="medium")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    write_picture(path, figure)


def _draw(
    axes: Any, knob: Knob, done: list[Trial], others: list[Trial], chosen: Trial, top: float
) -> None:
    """Draw the panel of one knob; trials differ by shape as well as by colour."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    choices = knob.choices
    if knob.step and (knob.high - knob.low) / knob.step < _FEW:
        choices = tuple(range(int(knob.low), int(knob.high) + 1, knob.step))
    places = {str(choice): float(i) for i, choice in enumerate(choices)}

    def at(trial: Trial) -> float:
        value = trial.values[knob.name]
        if not places:
            return float(value)
        # Many trials share a choice: spread them sideways, the same way each time.
        return places[str(value)] + 0.5 * ((trial.number * 0.618034) % 1.0 - 0.5)

    axes.plot(
        [at(t) for t in others], [top] * len(others), "|", color=COLOURS[4], markersize=6,
        label="given up early",
    )  # fmt: skip
    axes.plot(
        [at(t) for t in done], [min(t.loss, top) for t in done], "o", color=COLOURS[0],
        markersize=3.5, alpha=0.45, markeredgewidth=0, label="trained to the end",
    )  # fmt: skip
    axes.plot(
        [at(chosen)], [chosen.loss], "*", color=COLOURS[1], markersize=14,
        markeredgecolor="white", label="best",
    )  # fmt: skip
    if places:
        axes.set_xticks(list(places.values()), list(places))
    elif knob.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    elif knob.step:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")
