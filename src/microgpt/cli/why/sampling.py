"""`microgpt why sampling`: how the next token is drawn, and what temperature and cuts do to it.

In: nothing, or a run and a text. Out: the probabilities of one next token, reshaped; new texts at
several temperatures, and whether they stand in the training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.data.alike import Known
from microgpt.data.tokenizer.shown import symbols
from microgpt.engines import about
from microgpt.engines.contract import Floats
from microgpt.errors import MicroGPTError
from microgpt.loss import LossSum
from microgpt.loss.many import Softmax
from microgpt.runs.known import known
from microgpt.runs.run import Run
from microgpt.sampling import Choice, entropies, probabilities, take
from microgpt.wording import count, figures, printable

_PLAIN = Choice(temperature=1.0)
_CHOICES = {
    "T = 1": _PLAIN,
    "T = 0.5": replace(_PLAIN, temperature=0.5),
    "T = 2": replace(_PLAIN, temperature=2.0),
    "top-k 5": replace(_PLAIN, top_k=5),
    "top-p 0.9": replace(_PLAIN, top_p=0.9),
    "min-p 0.1": replace(_PLAIN, min_p=0.1),
}
_UNSURE = (
    "entropy: how unsure the draw is, in nats; loss: the mean -log p of what is drawn, with the p "
    "of T = 1."
)
# Tokens whose probabilities are shown.
_TOKENS = 8
# Temperatures of samples; how many a temperature, on a fast engine and on a slow one; how many are
# shown.
_TEMPERATURES, _MANY, _FEW, _SHOWN = (0.0, 0.5, 1.0, 1.5), 20, 5, 5


def example() -> None:
    """Print the reshaping of four logits, and a draw by hand."""
    logits_V = [2.0, 1.0, 0.0, -1.0]
    say("A next token is drawn from probabilities. The logits are divided by T first.", "bold")
    say()
    choices = {
        "T = 1": _PLAIN, "T = 0.5": replace(_PLAIN, temperature=0.5),
        "T = 2": replace(_PLAIN, temperature=2.0), "top-k 2": replace(_PLAIN, top_k=2),
        "top-p 0.9": replace(_PLAIN, top_p=0.9), "min-p 0.2": replace(_PLAIN, min_p=0.2),
    }  # fmt: skip
    tokens = [f"logit {logit:g}" for logit in logits_V]
    _show_shapes(_shapes(np.array([logits_V]), choices, tokens))
    say()
    say(
        "T = 0.5 makes likely tokens likelier, T = 2 unlikely ones. A cut leaves tokens out, and "
        "divides the rest by its sum: top-k those after the k likeliest, top-p those after this "
        "share of all, min-p those with less than this share of the likeliest."
    )
    say(_UNSURE)
    p_V = probabilities(np.array([logits_V]), _PLAIN)[0]
    ends = ", ".join(f"{end:.4f}" for end in np.cumsum(p_V).tolist())
    say(
        f"To draw, take a random number between 0 and 1. With T = 1 the sums of p end at {ends}: "
        f"0.6 takes the first token, 0.7 the second, 0.9 the third."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return the probabilities of the token after the text, reshaped, and samples."""
    run, names = on.run, symbols(on.run.tokenizer)
    decoder = run.predictor.decoder(1)
    logits_1V = [decoder.push([token]) for token in on.read.tokens][-1]
    try:
        texts, why = known(run), ""
    except MicroGPTError as error:
        texts, why = None, str(error)
    return {
        "text": on.text, "read": on.read.read, "positions": on.read.positions,
        "unit": run.tokenizer.unit, "mixture": run.mixture is not None,
        **_shapes(logits_1V, _CHOICES, names),
        "samples": [_drawn(run, temperature, texts) for temperature in _TEMPERATURES],
        "unknown": why,
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print the reshaped probabilities, and the samples."""
    read = numbers["read"]
    after = f"... {' '.join(read[-9:])}" if len(read) > 10 else " ".join(read)
    say(f"What comes after {printable(after)}: the probability of the next token.")
    say_other_windows(len(read), numbers["positions"])
    say()
    _show_shapes(numbers)
    say()
    say(_UNSURE)
    drawn = numbers["samples"]
    say()
    say(f"{count(drawn[0]['number'], 'sample')} at each temperature, drawn from the start:")
    say()
    rows = table("T", "loss", "distinct", "seen", "the first ones", left=0)
    rows.columns[-1].justify = "left"
    for one in drawn:
        texts = "  ".join(
            f"{printable(text) or '(empty)'}{'*' * seen}" for text, seen in one["first"]
        )
        seen = "" if one["seen"] is None else str(one["seen"])
        rows.add_row(
            f"{one['temperature']:g}", figures(one["loss"], 2), str(one["distinct"]), seen, texts
        )
    stdout().print(rows)
    say()
    say(
        f"loss: the mean of these texts, nats a {numbers['unit']}, by the model itself; seen, *: "
        "in the training data."
    )
    if numbers["mixture"]:
        say("Drawn from the GPT + counts, as by microgpt sample.")
    if numbers["unknown"]:
        say(f"Whether they were seen is not known: {printable(numbers['unknown'])}")


def _shapes(logits_1V: Floats, choices: dict[str, Choice], names: Sequence[str]) -> dict[str, Any]:
    """Return the likeliest tokens, and for each choice their p, how unsure it is, what it costs."""
    nats_V = -Softmax(logits_1V).log_p_BV[0]
    likely = np.argsort(nats_V, kind="stable")[:_TOKENS]
    shapes: list[dict[str, Any]] = []
    for name, choice in choices.items():
        p_1V = probabilities(logits_1V, choice)
        p_V = p_1V[0]
        shapes.append({
            "name": name, "p": p_V[likely].tolist(),
            "others": max(1.0 - float(p_V[likely].sum()), 0.0), "left": int((p_V > 0.0).sum()),
            "entropy": float(entropies(p_1V)[0]),
            "loss": float((p_V * np.where(p_V > 0.0, nats_V, 0.0)).sum()),
        })  # fmt: skip
    return {"tokens": [names[i] for i in likely.tolist()], "all": len(nats_V), "shapes": shapes}


def _show_shapes(of: dict[str, Any]) -> None:
    """Print a column for each choice."""
    shapes = of["shapes"]
    heads = [shape["name"] for shape in shapes]
    rows = table("", *heads, least=(*reversed(heads[2:]),))
    for i, token in enumerate(of["tokens"]):
        rows.add_row(token, *(f"{shape['p'][i]:.4f}" if shape["p"][i] else "" for shape in shapes))
    if of["all"] > len(of["tokens"]):
        rest = f"{of['all'] - len(of['tokens'])} others"
        rows.add_row(rest, *(f"{shape['others']:.4f}" for shape in shapes))
    rows.add_row("tokens left", *(f"{shape['left']:,}" for shape in shapes), style="quiet")
    for key in ("entropy", "loss"):
        rows.add_row(key, *(f"{shape[key]:.4f}" for shape in shapes), style="quiet")
    stdout().print(rows)


def _drawn(run: Run, temperature: float, texts: Known | None) -> dict[str, Any]:
    """Draw samples at a temperature; say how many differ, and how many were trained on."""
    number = _MANY if about(run.engine.name).is_fast else _FEW
    choice = Choice(temperature=temperature)
    found = take(run.predictor, run.tokenizer, run.settings.model.block_size, choice, number)
    seen = {one.text: texts is not None and one.text in texts for one in found}
    total = sum((one.sum for one in found), LossSum())
    return {
        "temperature": temperature, "number": number, "loss": total.mean, "distinct": len(seen),
        "seen": None if texts is None else sum(seen[one.text] for one in found),
        "first": [*seen.items()][:_SHOWN],
    }  # fmt: skip
