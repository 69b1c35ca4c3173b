"""`microgpt evaluate`: the mean loss of many documents, and what it is worth."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Annotated

from rich.progress import track

from microgpt import corpus
from microgpt.cli import flags
from microgpt.cli.flags import whole
from microgpt.cli.show import (
    NAMES,
    bar,
    count,
    find_run,
    say,
    say_json,
    stderr,
    stdout,
    table,
    unit_of,
    units,
)
from microgpt.corpus import Source
from microgpt.errors import DataError, RunError, UsageError
from microgpt.loss import LossSum
from microgpt.run import Run

# Documents trained on say little about others: so many are enough to see.
_ENOUGH = 1000


def evaluate(
    run: flags.RunName = None,
    *files: flags.File,
    limit: Annotated[int | None, whole("At most so many documents, drawn by the seed.")] = None,
    json: flags.Json = False,
    column: flags.Column = None,
    field: flags.Field = None,
    encoding: flags.Encoding = "utf-8",
    stream: flags.Stream = False,
    engine: flags.Engine = None,
    device: flags.Device = None,
    threads: flags.Threads = None,
) -> None:
    """Measure a run's mean loss on documents, beside models that only count.

    Without a file: on the documents it held out, or else on 1,000 of those it was trained on.

    Example: microgpt evaluate runs/names-1 other-names.txt
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be a whole number from 1; got {limit}.")
    opened = Run(find_run(run), engine or "auto", threads, device)
    if files:
        source = Source(files=files, column=column, field=field, encoding=encoding, stream=stream)
        documents: Sequence[str] = corpus.read(source).documents
        what = "documents"
    else:
        trained, held_out = opened.documents
        documents = held_out or trained
        what = "held-out documents" if held_out else "documents it was trained on"
        limit = limit if held_out else limit or _ENOUGH
    chosen = _draw(documents, limit, opened.settings.training.seed)
    of = f" of {len(documents):,}" if len(chosen) < len(documents) else ""
    result = opened.evaluate(_progress(chosen))
    baselines = _ladder(opened, chosen)
    if json:
        say_json(
            {
                "loss": result.loss,
                "nats": result.sum.nats,
                "positions": result.sum.positions,
                "documents": result.documents,
                "bits": result.bits,
                "bits_per_byte": result.bits_per_byte,
                "perplexity": result.perplexity,
                "document_loss": result.document_loss,
                "accuracy": result.accuracy,
                "unknown": result.unknown,
                "on": what,
                "baselines": {name: total.mean for name, total in baselines.items()},
            }
        )
        return
    positions = count(result.sum.positions, "position")
    say(f"{opened.folder} on {result.documents:,}{of} {what}, {positions}")
    say(units(result.sum, unit_of(opened.tokenizer)))
    say()
    rows = table("", "nats", "bits", "choices", "", left=1)
    rows.columns[-1].justify = "left"
    blind = max(total.mean for total in [*baselines.values(), result.sum])
    for name, total in [*baselines.items(), ("this model", result.sum)]:
        rows.add_row(
            NAMES.get(name, name),
            f"{total.mean:.4f}",
            f"{total.bits:.3f}",
            f"{total.perplexity:.1f}",
            bar(total.mean, blind, 30),
            style="bold green" if name == "this model" else "",
        )
    stdout().print(rows)
    say()
    say(f"{result.accuracy:.1%} of the {unit_of(opened.tokenizer)}s were the likeliest one")
    say(f"{result.bits_per_byte:.3f} bits a byte of UTF-8, the ends counted as a byte each")
    say(f"{result.document_loss:.4f} nats: the mean of the documents' own means")
    if result.unknown:
        price = opened.tokenizer.unknown_nats
        unknown = count(result.unknown, "character")
        say(f"{unknown} unknown to the model, priced at {price:.1f} nats each")


def _draw(documents: Sequence[str], limit: int | None, seed: int) -> Sequence[str]:
    if limit is None or limit >= len(documents):
        return documents
    return random.Random(seed).sample(documents, limit)


def _progress(documents: Sequence[str]) -> Iterable[str]:
    """Show a bar on stderr, on a terminal, where it takes a while."""
    console = stderr()
    return track(
        documents, "evaluating", console=console, transient=True, disable=not console.is_terminal
    )


def _ladder(run: Run, documents: Sequence[str]) -> dict[str, LossSum]:
    """Measure the baselines; without the training data there is only the blind one."""
    try:
        return run.ladder(documents)
    except (DataError, RunError) as error:
        stderr().print(f"microgpt: no baselines: {error}", soft_wrap=True)
        return {}
