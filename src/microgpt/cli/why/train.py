"""`microgpt why --train`: a model trained with each of the three losses, compared.

In: the arguments of the command line. Out: a table, curves and sentences; a picture; or JSON.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from rich.progress import Progress
from rich.table import Table

from microgpt.cli.terminal.console import stderr, stdout, width
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.pictures import check_picture
from microgpt.cli.terminal.say import say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.cli.why import chart, comparison
from microgpt.cli.why.sentences import Curves, adam_told, number, plain_told
from microgpt.config import ObjectiveName
from microgpt.data.corpus import Source
from microgpt.experiment import PLAIN_RATE, SURE_AND_WRONG, Experiment, Point
from microgpt.loss import OBJECTIVES
from microgpt.model import size
from microgpt.wording import count, figures, printable

_OBJECTIVES: tuple[ObjectiveName, ...] = get_args(ObjectiveName)
# A space at which no line is broken.
_JOINED = "\u00a0"
# The columns to leave out if a terminal is too narrow for the table, in this order.
_LEAST = ("nats early", "slope late", "stayed", "slope first", "nats first", "w there")


def tried(
    what: str | None,
    source: Source,
    *,
    preset: str | None,
    steps: int | None,
    seed: int | None,
    save: Path | None,
    json: bool,
    engine: tuple[str, int | None, str | None],
) -> None:
    """Train with each loss and show the results.

    Args:
        what: a run, a file, or None for the embedded names.
        source: how to read the file.
        preset: the recipe; None: the original's, or the run's own.
        steps: of each training.
        seed: of the order of documents and the initial values.
        save: a picture to write.
        json: whether to print JSON instead.
        engine: its name, threads and device.
    """
    if save is not None:
        check_picture(save)
    prepared = Experiment(
        comparison.prepared(what, source, preset, steps, seed, engine[0]), *engine
    )
    noted(prepared.corpus)
    curves = _train(prepared)
    if save is not None:
        chart.save(save, curves, prepared)
    if json:
        say_json(_record(prepared, curves))
        return
    _tell(prepared, curves, what)
    if save is not None:
        say()
        say(f"Saved in {printable(str(save))}.")


def _train(prepared: Experiment) -> dict[bool, Curves]:
    """Train six times: with each loss by plain gradient descent and by the recipe's optimizer."""
    curves: dict[bool, Curves] = {}
    with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as progress:
        task = progress.add_task("", total=2 * len(OBJECTIVES) * prepared.marks[-1])
        for plain in (True, False):
            curves[plain] = {}
            for name in _OBJECTIVES:
                points: list[Point] = []
                progress.update(task, description=OBJECTIVES[name].formula)
                for point in prepared.curve(name, plain=plain):
                    progress.advance(task, point.step - (points[-1].step if points else 0))
                    points.append(point)
                curves[plain][name] = points
    return curves


def _record(prepared: Experiment, curves: dict[bool, Curves]) -> dict[str, Any]:
    return {
        "engine": prepared.engine,
        "model": asdict(prepared.config),
        "training": {**asdict(prepared.training), "loss": None},
        "plain_rate": PLAIN_RATE,
        "documents": prepared.documents,
        "positions": prepared.measured.n_counted,
        "sure_and_wrong": SURE_AND_WRONG,
        "quarter": prepared.quarter,
        "baselines": {name: total.mean for name, total in prepared.baselines.items()},
        "curves": [
            {
                "objective": name,
                "formula": OBJECTIVES[name].formula,
                "steps": "plain" if plain else prepared.training.optimizer,
                "points": [asdict(point) for point in points],
            }
            for plain, of in curves.items()
            for name, points in of.items()
        ],
    }


def _tell(prepared: Experiment, curves: dict[bool, Curves], what: str | None) -> None:
    config, training = prepared.config, prepared.training
    layers, steps = count(config.n_layer, "layer"), prepared.marks[-1]
    say(
        f"{printable(what or 'names')} · {count(prepared.documents, 'document')} to learn from · "
        f"measured on {count(prepared.measured.n_counted, 'position')} of others"
    )
    say(
        f"GPT · {layers}, width {config.n_embd} · {size(config):,} parameters · "
        f"{prepared.engine} engine · seed {training.seed}"
    )
    if prepared.engine == "scalar":
        _say(
            f"The scalar engine is slow: {count(steps, 'step')} and few positions; small shares "
            "of these are mostly chance."
        )
    say()
    _say(
        f"One model learns with each loss in turn, from one start, for {count(steps, 'step')} of "
        f"{count(training.batch_size, 'document')}, the same ones. Whatever is pushed down, the "
        "measure is one: nats (-log p), and how often the likeliest character came."
    )
    for plain in (True, False):
        say()
        say(_title(prepared, plain=plain), "bold")
        say()
        stdout().print(_table(prepared, curves[plain]))
        say()
        if plain:
            _say(
                "right: the likeliest character came. slope: the length of the gradient. "
                f"p < {SURE_AND_WRONG:g}: sure and wrong; w there: the mean of w(p) at these "
                f"positions; stayed: the share of those at step {prepared.quarter:,} that are "
                "among them still."
            )
            say()
        for sentence in (plain_told if plain else adam_told)(prepared, curves[plain]):
            _say(sentence)
    say()
    chart.draw(curves[False], prepared)


def _title(prepared: Experiment, *, plain: bool) -> str:
    if plain:
        return f"Plain steps: parameters -= rate x slope, the rate {PLAIN_RATE:g} at first."
    own = prepared.training
    name = "Adam" if own.optimizer == "adam" else "Muon, with Adam"
    return (
        f"{name}, as it is trained: steps that do not shrink with the slope, {own.lr:g} at first."
    )


def _table(prepared: Experiment, curves: Curves) -> Table:
    """Return a table of the curves' ends; the least important columns are left out for room."""
    quarter, last = prepared.quarter, prepared.marks[-1]
    early = prepared.marks.index(quarter)
    heads = {
        "loss": "loss", "nats first": "nats, step 0", "nats early": f"{quarter}",
        "nats late": f"{last}", "right": "right", "slope first": "slope, step 0",
        "slope late": f"{last}", "wrong": f"p < {SURE_AND_WRONG:g}", "w there": "w there",
        "stayed": "stayed",
    }  # fmt: skip
    rows: list[dict[str, str]] = []
    for name, points in curves.items():
        first, end = points[0], points[-1]
        rows.append({
            "loss": OBJECTIVES[name].formula, "nats first": figures(first.loss, 2),
            "nats early": figures(points[early].loss, 2), "nats late": figures(end.loss, 2),
            "right": f"{end.accuracy:.1%}", "slope first": number(first.slope),
            "slope late": number(end.slope), "wrong": f"{end.wrong:.1%}",
            "w there": "" if end.wrong_weight is None else number(end.wrong_weight),
            "stayed": "" if end.stayed is None else f"{end.stayed:.0%}",
        })  # fmt: skip
    columns = list(heads)
    for column in _LEAST:
        widths = [2 + max(len(heads[c]), *(len(row[c]) for row in rows)) for c in columns]
        if sum(widths) <= width():
            break
        columns.remove(column)
        if column == "nats first":
            # The heading left out had the words for all columns of its group.
            heads["nats late"] = f"nats, step {last}"
    made = table(*(heads[c] for c in columns))
    for row in rows:
        made.add_row(*(row[c] for c in columns))
    return made


def _say(sentences: str) -> None:
    """Print sentences, wrapped between words, but not inside a formula."""
    for objective in OBJECTIVES.values():
        sentences = sentences.replace(objective.formula, objective.formula.replace(" ", _JOINED))
    for line in textwrap.wrap(sentences, stdout().width, break_on_hyphens=False):
        say(line.replace(_JOINED, " "))
