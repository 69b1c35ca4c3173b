"""`microgpt plot`: loss curves, with the baselines as lines."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from microgpt.alphabet import printable
from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.show import find_run, say, say_json, stderr, stdout, width
from microgpt.errors import MicroGPTError, MissingExtra, RunError, UsageError
from microgpt.run import Run
from microgpt.words import name_of

# Okabe and Ito's colours, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
POINTS = 40


@dataclass(frozen=True)
class Curve:
    """A run's losses, each the mean over a share of the steps, and its evaluations."""

    name: str
    steps: list[float]
    losses: list[float]
    heldout: list[tuple[int, float]]


def plot(
    *runs: Annotated[str, flag("Runs' folders, or names in runs/; else the newest.")],
    save: Annotated[Path | None, flag("Write a .png or .svg instead (needs matplotlib).")] = None,
    json: flags.Json = False,
) -> None:
    """Draw the loss curves of runs, with what blind guessing and counting would cost.

    Example: microgpt plot runs/names-1 runs/names-2 --save curves.svg
    """
    opened = [Run(find_run(run)) for run in (runs or (None,))]
    curves = [curve(run) for run in opened]
    lines = _baselines(opened[0])
    if json:
        say_json({"curves": [vars(c) for c in curves], "baselines": lines})
    elif save is not None:
        _save(save, curves, lines)
        say(f"Saved in {save}.")
    else:
        _draw(curves, lines)


def curve(run: Run, points: int = POINTS) -> Curve:
    """Read a run's log into at most so many points, each the mean per position of its steps.

    Raises:
        RunError: the log has no line yet.
    """
    log = run.log
    if not log.lines:
        raise RunError(f"{run.folder}: its log has no step yet. Train it first.")
    steps, losses = zip(*log.curve(points))
    heldout = [(line["step"], line["heldout"]["loss"]) for line in log.heldout]
    return Curve(str(run.folder), [*steps], [*losses], heldout)


def _baselines(run: Run) -> dict[str, float]:
    """Measure the baselines on the run's held-out documents, or on those trained on."""
    try:
        trained, held_out = run.documents
        rungs = run.ladder(held_out or trained, seen=not held_out)
        rungs.pop("xz", None)
        n = run.ngram.n if held_out else 0
        return {name_of(name, n): total.mean for name, total in rungs.items()}
    except MicroGPTError as error:
        stderr().print(f"microgpt: no baselines: {error}", soft_wrap=True)
        return {}


def _draw(curves: list[Curve], baselines: dict[str, float]) -> None:
    import plotille  # pyright: ignore[reportMissingTypeStubs]

    figure: Any = plotille.Figure()
    colours = stdout().is_terminal
    figure.width, figure.height = max(20, min(width() - 22, 90) // 10 * 10), 18
    figure.with_colors, figure.color_mode = colours, "byte"
    figure.x_label, figure.y_label = "step", "nats"
    last = max(c.steps[-1] for c in curves)
    values = [v for c in curves for v in c.losses] + list(baselines.values())
    figure.set_x_limits(min_=0, max_=max(last, 1))
    figure.set_y_limits(min_=min(values) - 0.05, max_=max(values) + 0.05)
    figure.register_label_formatter(float, _label)
    for i, c in enumerate(curves):
        figure.plot(c.steps, c.losses, lc=(33, 208, 35, 175, 214, 117)[i % 6], label=c.name)
        if len(c.heldout) > 1:
            figure.plot(*zip(*c.heldout), lc=15, label=f"{c.name}, held out")
    for name, loss in baselines.items():
        figure.plot([0, max(last, 1)], [loss, loss], lc=245, label=f"{name} {loss:.2f}")
    print(figure.show(legend=False))
    say()
    for c in curves:
        held = f" · held out {c.heldout[-1][1]:.4f}" if c.heldout else ""
        say(f"{c.name}: {c.losses[0]:.4f} → {c.losses[-1]:.4f} nats a character{held}")
    if baselines:
        say("Level lines: " + " · ".join(f"{n} {v:.2f}" for n, v in baselines.items()))


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:
    text = f"{value:.2f}" if delta < 10 else f"{value:.0f}"
    return text.ljust(chars) if left else text.rjust(chars)


def check_picture(path: Path) -> None:
    """Raise unless a picture can be written there: it is told before anything is computed.

    Raises:
        UsageError: its name or its folder.
        MissingExtra: matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"save must end in .png or .svg; got {path}.")
    if not path.parent.is_dir():
        raise UsageError(f"save must be in a folder that exists; got {path}.")
    if not find_spec("matplotlib"):
        raise MissingExtra(
            "--save needs matplotlib, which is not installed. Try: pip install 'microgpt-lm[plot]'"
        )


def _save(path: Path, curves: list[Curve], baselines: dict[str, float]) -> None:
    check_picture(path)
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss (nats a character)")
    for i, c in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(c.steps, c.losses, color=colour, label=printable(c.name))
        if c.heldout:
            axes.plot(*zip(*c.heldout), "o--", color=colour, markersize=4, label="held out")
    right = max(c.steps[-1] for c in curves)
    for name, loss in baselines.items():
        axes.axhline(loss, color="0.55", linewidth=1, linestyle=":")
        text = f"{name} {loss:.2f}"
        axes.text(right, loss, text, va="bottom", ha="right", color="0.35", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    for name in axes.legend(frameon=False).get_texts():
        name.set_parse_math(False)  # a $ in a folder's name begins no formula
    figure.savefig(path, dpi=150)
