"""`microgpt why`: an explanation of the loss function, with numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from microgpt.cli import flags
from microgpt.cli.flags import TRAINING, flag, whole, word
from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.colours import bar_style
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.data.corpus import Source
from microgpt.errors import UsageError
from microgpt.loss import LN_2, OBJECTIVES, LossSum
from microgpt.runs.run import Run
from microgpt.scoring.score import Score, scores
from microgpt.training.presets import PRESETS
from microgpt.wording import count, counts_of, figures, glyph, printable

CHANCES = (1.0, 0.5, 0.1, 0.01, 0.0001)


def why(
    run: Annotated[
        flags.Name | None,
        word("Folder of a run, or its name in runs/; with --train it may be a file."),
    ] = None,
    text: Annotated[str | None, flag("Text to explain the loss on; needs a run.")] = None,
    *,
    train: Annotated[
        bool,
        Parameter(
            help="Train one model with each loss and compare them: on the embedded names, a file "
            "of text, or a run's own text with its own recipe.",
            show_default=False,
        ),
    ] = False,
    preset: Annotated[
        str | None, flag(f"Recipe: {', '.join(PRESETS)}. Default: microgpt.", TRAINING)
    ] = None,
    steps: Annotated[
        int | None, whole("Steps of each training. Default: the recipe's, 1,000 at most.", TRAINING)
    ] = None,
    seed: Annotated[
        int | None,
        whole("Random seed of the order of documents and the initial values.", TRAINING),
    ] = None,
    save: Annotated[
        Path | None,
        flag("Write the curves to a .png or .svg file too; needs matplotlib.", TRAINING),
    ] = None,
    json: flags.Json = False,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Explain the loss: what it is, why the logarithm, how positions average.

    Without a run it explains; with a run and a text it shows that text's numbers; with --train it
    trains a model with each loss and compares them, in seconds on the native engine.

    Example: microgpt why runs/names-1 emma
    """
    source = reading.source()
    given: dict[str, Any] = {"preset": preset, "steps": steps, "seed": seed, "save": save}
    if train:
        if text is not None:
            raise UsageError(f'--train must have one file or run at most; got "{text}" as well.')
        from microgpt.cli.why.train import tried

        engine = machine.engine or "auto", machine.threads, machine.device
        tried(run, source, **given, json=json, engine=engine)
        return
    for name, value in {**given, "data": None if source == Source() else source}.items():
        if value is not None:
            raise UsageError(f"{name} must stand with --train: only what is trained has it.")
    score, note, unit = None, "", "character"
    if run is not None:
        opened = machine.run(run)
        shown = text if text is not None else opened.sample(1)[0]
        block_size = opened.settings.model.block_size
        # Counts have no gradient: of a mixture, the GPT's own losses are shown.
        score = next(scores(opened.gpt, opened.tokenizer, block_size, [shown]))
        note, unit = _note(opened, shown), opened.tokenizer.unit
    if json:
        say_json(_record(score))
        return
    _the_loss()
    _the_slopes()
    _the_mean(score, note, unit)


def _note(run: Run, text: str) -> str:
    """Return a sentence with the loss of a mixture on a text; "" if the GPT is not mixed."""
    if run.weight is None:
        return ""
    unit = run.tokenizer.unit
    counts = counts_of(run.settings.training.ngram, unit, run.weight)
    mixed = figures(run.score(text).loss)
    return f"This is the GPT alone. GPT + {counts}, as in microgpt score: {mixed} nats a {unit}."


def _record(score: Score | None) -> dict[str, object]:
    table = [
        {
            "p": p,
            "nats": -math.log(p),
            "slopes": {name: -o.weight(-math.log(p)) * (1 - p) for name, o in OBJECTIVES.items()},
        }
        for p in CHANCES
    ]
    if score is None:
        return {"table": table}
    positions = [{"char": c.char, "p": c.p, "nats": c.nats} for c in score.characters]
    return {"table": table, "text": score.text, "positions": positions, "loss": score.loss}


def _the_loss() -> None:
    say(
        "The model gives every possible next character a probability. The one that came had p.",
        "bold",
    )
    say("Its loss is -log p: nothing for a certainty, more and more for a surprise.")
    say()
    rows = table("p", "-log p", "", left=0)
    rows.columns[-1].justify = "left"
    for p in CHANCES:
        nats = -math.log(p) + 0.0
        rows.add_row(f"{p:g}", f"{nats:.2f}", bar(nats, -math.log(CHANCES[-1]), 40))
    stdout().print(rows)
    say()
    say(
        "In nats. Over ln 2 = 0.693 they are bits: a coin's toss is 0.69 nats, one bit. Losses of "
        "characters in a row add up, as their probabilities multiply: that is what log is for."
    )
    say()


def _the_slopes() -> None:
    say("Why not 1 - p, or its square? Look at how hard each pushes on the right logit.", "bold")
    say()
    rows = table("p", *(f"slope of {o.formula}" for o in OBJECTIVES.values()), left=0)
    for p in CHANCES:
        nats = -math.log(p)
        slopes = [-o.weight(nats) * (1 - p) + 0.0 for o in OBJECTIVES.values()]
        style = "bold" if p == CHANCES[-1] else ""
        rows.add_row(f"{p:g}", *(f"{s:.4f}" if s else "0" for s in slopes), style=style)
    stdout().print(rows)
    say()
    say(
        "Each slope is w(p) times (probabilities - 1[target]), with w = 1, p and 2 p (1 - p). Read "
        "the last line: sure and wrong. -log p still pushes with full force; the other two have "
        "gone silent, and a model trained with them does not learn from its worst mistakes. See it "
        "happen: microgpt why --train"
    )
    say()
    rows = table("", "", left=2)
    rows.show_header = False
    for o in OBJECTIVES.values():
        rows.add_row(o.formula, o.domain)
        rows.add_row("", o.proper)
        rows.add_row("", o.source, style="quiet")
    stdout().print(rows)
    say()


def _the_mean(score: Score | None, note: str, unit: str) -> None:
    if score is None:
        both = LossSum(6.0, 2) + LossSum(3.0, 3)
        say("A text's loss is the mean over its positions, each weighing the same.", "bold")
        say(
            f"6 nats over 2 positions and 3 over 3 are {both.nats:g} over {both.positions}: "
            f"{both.mean}, not the mean of the means, which is 2.0."
        )
        say()
        say("On real numbers: microgpt why RUN emma")
        return
    say(
        f'Now on "{printable(score.text)}": what came at each position, and how it was seen.',
        "bold",
    )
    say()
    stdout().print(_positions(score))
    say()
    total = score.sum
    nats, mean = figures(total.nats), figures(total.mean)
    say(
        f"Sum {nats} nats over {count(total.positions, 'position')}, the end included: "
        f"{nats} / {total.positions} = {mean} nats a {unit}, "
        f"{figures(total.bits)} bits: as unsure as a choice among e^{mean} = "
        f"{figures(total.perplexity, 2)}."
    )
    product = -total.nats / math.log(10)
    say(f"The probability of the whole text is the product of the p: 10^{figures(product, 1)}.")
    if note:
        say(note)


def _positions(score: Score) -> Table:
    slopes = [f"slope, {o.formula}" for o in OBJECTIVES.values()]
    rows = table("", "p", "-log p", "bits", *slopes, "", least=("", "bits", *reversed(slopes)))
    rows.columns[-1].justify = "left"
    top = max(c.nats for c in score.characters)
    for c in score.characters:
        slopes = [-o.weight(c.nats) * -math.expm1(-c.nats) for o in OBJECTIVES.values()]
        rows.add_row(
            Text(glyph(c.char, unknown=c.unknown), "bold"),
            f"{c.p:.4f}" if c.p >= 0.0001 else f"{c.p:.1e}",
            figures(c.nats, 2),
            figures(c.nats / LN_2, 2),
            *(f"{slope:.4f}" for slope in slopes),
            Text(bar(c.nats, top, 20), bar_style(c.nats)),
        )
    return rows
