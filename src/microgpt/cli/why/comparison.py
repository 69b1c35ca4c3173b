"""`microgpt why IDEA --train`: the model with and without a part, trained and compared.

In: the arguments of the command line. Out: a table, or JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from rich.progress import Progress

from microgpt import experiment
from microgpt.cli.terminal.console import stderr, stdout
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import remark, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.ideas import IDEAS
from microgpt.config import check_count
from microgpt.data.corpus import Source
from microgpt.engines import has_torch
from microgpt.errors import UsageError
from microgpt.experiment import Base
from microgpt.experiment.attempt import Attempt
from microgpt.experiment.rows import TableRow, cells, explained, headings, rows
from microgpt.experiment.trainings import Opening, Trainings, slowest
from microgpt.experiment.variants import COMPARISONS
from microgpt.model import size
from microgpt.runs.folder import RUNS, find_run
from microgpt.wording import count, printable

# Seconds from which on it is said beforehand how long the trainings take.
_LONG = 10.0


def prepared(
    what: str | None,
    source: Source,
    preset: str | None,
    steps: int | None,
    seed: int | None,
    engine: str,
) -> Base:
    """Prepare documents and settings of a run, a file, or the embedded names."""
    if what is not None and not Path(what).is_file() and _is_run(what):
        for name, given in (("preset", preset is not None), ("data", source != Source())):
            if given:
                raise UsageError(
                    f"--train {what} must stand without {name} flags: a run has its own. "
                    "Only steps, seed and engine may change."
                )
        return experiment.of_run(find_run(what), steps, seed, engine)
    if what is not None:
        source = replace(source, files=(what,))
    return experiment.new(source, preset or "microgpt", steps, seed, engine)


def compared(
    name: str,
    what: str | None,
    source: Source,
    *,
    preset: str | None,
    steps: int | None,
    seed: int | None,
    seeds: int | None,
    json: bool,
    engine: Opening,
) -> None:
    """Train the variants of an idea and show the results.

    Args:
        name: the idea's.
        what: a run, a file, or None for the embedded names.
        source: how to read the file.
        preset: the recipe; None: the original's, or the run's own.
        steps: of each training.
        seed: the first seed.
        seeds: how many seeds; None: one.
        json: whether to print JSON instead.
        engine: its name, threads and device.
    """
    if name not in COMPARISONS:
        others = ", ".join(["loss", *COMPARISONS])
        raise UsageError(f'--train must stand with an idea that has it: {others}; got "{name}".')
    seeds = 1 if seeds is None else seeds
    check_count("seeds", seeds)
    base = prepared(what, source, preset, steps, seed, slowest(name, engine[0]))
    noted(base.corpus)
    first = base.training.seed
    trainings = Trainings(name, base, range(first, first + seeds), engine)
    found = list(rows(trainings.comparison, _train(trainings)))
    if json:
        say_json(_record(name, trainings, found))
    else:
        _tell(name, what, trainings, found)


def _is_run(what: str) -> bool:
    """Return whether a word names a folder, which must then be a run."""
    return Path(what).is_dir() or (RUNS / what).is_dir()


def _train(trainings: Trainings) -> Iterator[Attempt]:
    """Yield the trainings, each at its end, with a bar on a terminal."""
    steps, seconds = trainings.estimate()
    if seconds > _LONG:
        remark(f"{count(len(trainings), 'training')}, about {seconds:,.0f} seconds.")
    with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as progress:
        task = progress.add_task("", total=steps)
        for attempt in trainings.attempts():
            progress.update(task, description=attempt.label)
            for made in attempt.train():
                progress.advance(task, made)
            yield attempt


def _record(name: str, trainings: Trainings, found: list[TableRow]) -> dict[str, object]:
    base = trainings.base
    return {
        "idea": name,
        "model": asdict(base.config),
        "training": asdict(base.training),
        "documents": len(base.dataset.train_documents),
        "seeds": list(trainings.seeds),
        "columns": list(trainings.comparison.columns),
        "compared": trainings.comparison.compared or None,
        "rows": [asdict(row) for row in found],
    }


def _tell(name: str, what: str | None, trainings: Trainings, found: list[TableRow]) -> None:
    base, comparison, seeds = trainings.base, trainings.comparison, trainings.seeds
    learned, config, training = len(base.dataset.train_documents), base.config, trainings.first
    say(IDEAS[name], "bold")
    say(
        f"{printable(what or 'names')} · {count(learned, 'document')} to learn from · "
        f"{count(len(base.dataset.heldout_documents), 'document')} held out"
    )
    say(
        f"GPT · {count(config.n_layer, 'layer')}, width {config.n_embd} · {size(config):,} "
        f"parameters · {count(training.steps or 1, 'step')} of "
        f"{count(training.batch_size, 'document')} · "
        + (f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}")
    )
    if trainings.is_slow:
        say("The scalar engine is slow: few steps, measured on few positions.")
        if comparison.changes and not has_torch():
            say("PyTorch makes all steps. Try: pip install 'microgpt-lm[torch]'")
    say()
    shown = table(*headings(comparison), least=("step 1", "training"))
    for row in found:
        shown.add_row(*cells(comparison, row))
    stdout().print(shown)
    say()
    for sentence in _notes(trainings, found):
        say(sentence)


def _notes(trainings: Trainings, found: list[TableRow]) -> Iterator[str]:
    """Yield what the table's columns are, and what computed its rows."""
    yield from explained(trainings.comparison, len(trainings.seeds))
    own = found[0].engine
    changed = {row.engine for row in found} - {own}
    if trainings.comparison.changes and changed:
        yield f"Changed operations by the {'or '.join(changed)} engine, all else by the {own} one."
