"""`microgpt evaluate`: the mean loss of many documents, its parts, baselines, calibration."""

from __future__ import annotations

from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.evaluate.parts import show_honesty, show_parts, unknown_line
from microgpt.cli.flags import whole
from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stderr, stdout
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.counting.ladder import Ladder
from microgpt.counting.named import alone, kind_of
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.data.tokenizer.sizes import is_of_pieces
from microgpt.evaluation.record import record
from microgpt.loss import LN_2
from microgpt.runs.cost import cost
from microgpt.runs.evaluation_set import check_limit, evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.runs.run import Run
from microgpt.wording import count, figures, units


def evaluate(
    run: flags.RunName = None,
    *files: flags.File,
    limit: Annotated[
        int | None, whole("Most documents to measure, drawn by the run's seed.")
    ] = None,
    json: flags.Json = False,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Measure a run's mean loss on documents: its parts, baselines, calibration.

    The baselines are count-based models, which have read the training documents.

    Without a file: on the run's held-out documents, or else on 1,000 of its training documents.

    Example: microgpt evaluate runs/names-1 other-names.txt
    """
    opened = machine.run(run)
    found = measured(opened, reading.source(*files), limit)
    result, ladder = found.result, found.ladder
    if ladder.why:
        note(f"no baselines: {ladder.why}")
    its = cost(opened, found.on.texts)
    if json:
        mixture = opened.mixture
        values: dict[str, object] = {
            **record(result),
            **(mixture.record(ladder.gpt.mean) if mixture and ladder.gpt else {}),
            "on": found.on.what,
            "cost": vars(its),
            "baselines": {name: total.mean for name, total in ladder.baselines.items()},
        }
        say_json(values | {"ngram_n": ladder.n} if ladder.n else values)
        return
    unit = opened.tokenizer.unit
    positions = count(result.sum.positions, "position")
    say(f"{opened.folder} on {found.on.words}, {positions}")
    by_bytes = (
        f"{figures(result.bits_per_byte, 3)} bits a byte of UTF-8, the ends counted as a byte each"
    )
    is_first = is_of_pieces(opened.tokenizer)
    if is_first:
        say(by_bytes)
    if ladder.gpt:
        say(f"{kind_of(ladder.models, opened.mixed_with)}: {units(result.sum, unit)}")
        say(f"{alone(ladder.models)}: {units(ladder.gpt, unit)}")
    else:
        say(units(result.sum, unit))
    say()
    _show_ladder(ladder, result.n_bytes, by_bytes_first=is_first)
    say()
    say(f"{its.words(unit)}")
    say(f"{result.accuracy:.1%} of the {unit}s were the likeliest one")
    if not is_first:
        say(by_bytes)
    say(f"{figures(result.document_loss)} nats: the mean of the documents' own means")
    if result.unknown:
        say(unknown_line(result, opened.tokenizer.unknown_nats))
    show_parts(result)
    show_honesty(result)


def measured(run: Run, source: Source, limit: int | None) -> Measurement:
    """Measure a run on the documents of files, or else its own; with a bar on a terminal."""
    check_limit(limit)
    read = noted(corpus.read(source)) if source.files else None
    found = Measurement(run, evaluation_set(run, read, limit))
    console = stderr()
    if not console.is_terminal:
        return found.measured()
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("evaluating", total=len(found.on.texts))
        for documents in found:
            progress.update(task, completed=documents)
    return found


def _show_ladder(ladder: Ladder, n_bytes: int, *, by_bytes_first: bool) -> None:
    """Print the losses of the baselines and of the model, the highest first."""
    least = ("bits", "perplexity") if by_bytes_first else ("bits a byte", "bits", "perplexity")
    columns = ["nats", "bits", "bits a byte", "perplexity"]
    if by_bytes_first:
        columns = ["bits a byte", "nats", "bits", "perplexity"]
    rows = table("", *columns, "", left=1, least=least)
    rows.columns[-1].justify = "left"
    rungs = ladder.rungs
    for name, total, is_this in rungs:
        cells = {
            "nats": figures(total.mean),
            "bits": figures(total.bits, 3),
            "bits a byte": figures(total.nats / LN_2 / n_bytes, 3),
            "perplexity": figures(total.perplexity, 1),
        }
        rows.add_row(
            name,
            *map(cells.__getitem__, columns),
            bar(total.mean, rungs[0].sum.mean, 30),
            style="good" if is_this else "",
        )
    stdout().print(rows)
    if ladder.n:
        say(
            "n-grams: interpolated Kneser-Ney, their length chosen on held-out documents; xz: what "
            "the documents add to the file of `xz -9e` that holds those trained on",
            "quiet",
        )
