"""`microgpt why loss`: what the loss is, why the logarithm, how positions average.

In: nothing, or a run and a text. Out: the definition in numbers; the loss of each position.
"""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table
from rich.text import Text

from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.colours import bar_style
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.loss import LN_2, OBJECTIVES, LossSum
from microgpt.scoring.score import scores
from microgpt.wording import count, figures, glyph, printable

CHANCES = (1.0, 0.5, 0.1, 0.01, 0.0001)


def example() -> None:
    """Print what the loss is, without a model."""
    _the_loss()
    _the_slopes()
    both = LossSum(6.0, 2) + LossSum(3.0, 3)
    say("A text's loss is the mean over its positions, each weighing the same.", "bold")
    say(
        f"6 nats over 2 positions and 3 over 3 are {both.nats:g} over {both.positions}: "
        f"{both.mean}, not the mean of the means, which is 2.0."
    )


def chances() -> list[dict[str, Any]]:
    """Return -log p and the slope of each objective on the target's logit, for a few p."""
    return [
        {
            "p": p,
            "nats": -math.log(p),
            "slopes": {name: -o.weight(-math.log(p)) * (1 - p) for name, o in OBJECTIVES.items()},
        }
        for p in CHANCES
    ]


def numbers(on: Subject) -> dict[str, Any]:
    """Return the loss of each position under the GPT alone: counts have no gradient."""
    run = on.run
    score = next(scores(run.gpt, run.tokenizer, on.config.block_size, [on.text]))
    positions = [
        {"char": c.char, "unknown": c.unknown, "p": c.p, "nats": c.nats} for c in score.characters
    ]
    record: dict[str, Any] = {
        "table": chances(), "text": score.text, "positions": positions, "loss": score.loss,
        "nats": score.sum.nats, "n": score.sum.positions, "unit": run.tokenizer.unit,
    }  # fmt: skip
    if run.mixture:
        record["mixture"] = {"counts": run.mixed_with, "loss": run.score(on.text).loss}
    return record


def tell(numbers: dict[str, Any]) -> None:
    """Print the loss of each position, and their mean."""
    unit, total = numbers["unit"], LossSum(numbers["nats"], numbers["n"])
    say(f'"{printable(numbers["text"])}": what came at each position had p; its loss is -log p.')
    say()
    stdout().print(_positions(numbers["positions"]))
    say()
    nats, mean = figures(total.nats), figures(total.mean)
    say(
        f"Sum {nats} nats over {count(total.positions, 'position')}, the end included: "
        f"{nats} / {total.positions} = {mean} nats a {unit}, "
        f"{figures(total.bits)} bits: as unsure as a choice among e^{mean} = "
        f"{figures(total.perplexity, 2)}."
    )
    product = -total.nats / math.log(10)
    say(f"The probability of the whole text is the product of the p: 10^{figures(product, 1)}.")
    if mixture := numbers.get("mixture"):
        say(
            f"This is the GPT alone. GPT + {mixture['counts']}, as in microgpt score: "
            f"{figures(mixture['loss'])} nats a {unit}."
        )
    say()
    say(
        "slope: how much the loss changes a unit of the target's logit, -(1 - p) for -log p. With "
        "1 - p and (1 - p)^2 it is smaller by the factors p and 2 p (1 - p)."
    )


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
    say("Why not 1 - p, or its square? Look at how hard each pushes on the target's logit.", "bold")
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


def _positions(positions: list[dict[str, Any]]) -> Table:
    slopes = [f"slope, {o.formula}" for o in OBJECTIVES.values()]
    rows = table("", "p", "-log p", "bits", *slopes, "", least=("", "bits", *reversed(slopes)))
    rows.columns[-1].justify = "left"
    top = max(at["nats"] for at in positions)
    for at in positions:
        p, nats = at["p"], at["nats"]
        slopes = [-o.weight(nats) * -math.expm1(-nats) for o in OBJECTIVES.values()]
        rows.add_row(
            Text(glyph(at["char"], unknown=at["unknown"]), "bold"),
            f"{p:.4f}" if p >= 0.0001 else f"{p:.1e}",
            figures(nats, 2),
            figures(nats / LN_2, 2),
            *(f"{slope:.4f}" for slope in slopes),
            Text(bar(nats, top, 20), bar_style(nats)),
        )
    return rows
