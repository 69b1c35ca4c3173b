"""`microgpt evaluate`: the mean loss of many documents, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from rich.progress import track

from microgpt.cli import flags
from microgpt.cli.evaluate.parts import show_honesty, show_parts, unknown_line
from microgpt.cli.flags import whole
from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stderr, stdout
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.counting.beside import beside
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.errors import DataError, RunError
from microgpt.evaluation import Evaluation
from microgpt.evaluation.record import record
from microgpt.loss import LN_2, LossSum
from microgpt.runs.evaluation_set import EvaluationSet, check_limit, evaluation_set
from microgpt.runs.run import Run
from microgpt.wording import ALONE, MIXED, THIS, count, counts_of, figures, name_of, units


def evaluate(
    run: flags.RunName = None,
    *files: flags.File,
    limit: Annotated[
        int | None, whole("Documents to measure at most, drawn by the run's seed.")
    ] = None,
    json: flags.Json = False,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Measure a run's mean loss on documents: where it comes from, and what it is worth.

    Beside it stand the losses of models that only count, and how well probabilities are calibrated.

    Without a file: on the documents it held out, or else on 1,000 of those it was trained on.

    Example: microgpt evaluate runs/names-1 other-names.txt
    """
    opened = machine.run(run)
    source = reading.source(*files)
    chosen = chosen_from(opened, source, limit)
    ladder = beside(lambda: measured_ladder(opened, chosen.texts, seen=chosen.seen))
    result = opened.evaluate(progress(chosen.texts))
    gpt = opened.alone(chosen.texts)
    baselines, why = ladder()
    if why:
        note(f"no baselines: {why}")
    n = opened.ngram.n if "ngram" in baselines else 0
    if json:
        mixed = {"gpt": gpt.mean, "weight": opened.weight} if gpt else {}
        told: dict[str, object] = {
            **record(result),
            **mixed,
            "on": chosen.what,
            "baselines": {name: total.mean for name, total in baselines.items()},
        }
        say_json(told | {"ngram_n": n} if n else told)
        return
    unit = opened.tokenizer.unit
    positions = count(result.sum.positions, "position")
    say(f"{opened.folder} on {chosen.words}, {positions}")
    if gpt:
        counts = counts_of(opened.settings.training.ngram, unit, opened.weight)
        say(f"GPT + {counts}: {units(result.sum, unit)}")
        say(f"{ALONE}: {units(gpt, unit)}")
    else:
        say(units(result.sum, unit))
    say()
    _show_ladder(baselines, n, result, gpt)
    say()
    say(f"{result.accuracy:.1%} of the {unit}s were the likeliest one")
    say(f"{figures(result.bits_per_byte, 3)} bits a byte of UTF-8, the ends counted as a byte each")
    say(f"{figures(result.document_loss)} nats: the mean of the documents' own means")
    if result.unknown:
        say(unknown_line(result, opened.tokenizer.unknown_nats))
    show_parts(result)
    show_honesty(result)


def chosen_from(run: Run, source: Source, limit: int | None) -> EvaluationSet:
    """Return what a run is measured on: the documents of files, or of none its own."""
    check_limit(limit)
    return evaluation_set(run, noted(corpus.read(source)) if source.files else None, limit)


def _show_ladder(
    baselines: dict[str, LossSum], n: int, result: Evaluation, gpt: LossSum | None
) -> None:
    """Print what the number is worth: the models that only count, the worst first."""
    least = "bits a byte", "bits", "perplexity"
    rows = table("", "nats", "bits", "bits a byte", "perplexity", "", left=1, least=least)
    rows.columns[-1].justify = "left"
    rungs = [(name_of(name, n), total) for name, total in baselines.items()]
    rungs += [(ALONE, gpt)] if gpt else []
    own = MIXED if gpt else THIS
    rungs.append((own, result.sum))
    blind = max(total.mean for _, total in rungs)
    for name, total in sorted(rungs, key=lambda rung: -rung[1].mean):
        rows.add_row(
            name,
            figures(total.mean),
            figures(total.bits, 3),
            figures(total.nats / LN_2 / result.n_bytes, 3),
            figures(total.perplexity, 1),
            bar(total.mean, blind, 30),
            style="good" if name == own else "",
        )
    stdout().print(rows)
    if n:
        say(
            "n-grams: interpolated Kneser-Ney, their length chosen on held-out documents; xz: what "
            "the documents add to the file of `xz -9e` that holds those trained on",
            "quiet",
        )


def progress(documents: Sequence[str]) -> Iterable[str]:
    """Yield documents, with a bar on stderr on a terminal where it takes a while."""
    console = stderr()
    return track(
        documents, "evaluating", console=console, transient=True, disable=not console.is_terminal
    )


def measured_ladder(
    run: Run, documents: Sequence[str], *, seen: bool
) -> tuple[dict[str, LossSum], str]:
    """Measure the baselines; where the training data is not there any more, say so instead."""
    try:
        return run.baselines(documents, seen=seen), ""
    except (DataError, RunError) as error:
        return {}, str(error)
