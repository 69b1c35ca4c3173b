"""`microgpt why good-loss`: whether a loss is good: baselines, units, errors, calibration.

In: nothing, or a run and a text. Out: what blind guessing costs, and how a standard error falls;
the run's ladder, its standard errors, and a reliability diagram in text.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.table import Table

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.counting.ladder import uniform
from microgpt.engines import about
from microgpt.loss import LN_2, LossSum
from microgpt.loss.error import standard_error
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.wording import count, figures, printable

MOST, FEW = 10_000, 300
"""The most documents that are measured; by a slow engine."""

CHOICES = (2, 10, 27, 256, 50_257)
"""A coin, digits, letters and the end, bytes, the tokens of GPT-2."""

_PICTURE = 21


def example() -> None:
    """Print what blind guessing costs, and how the error of a mean falls."""
    say("Blind guessing among V tokens costs ln V: the first rung of the ladder.", "bold")
    say()
    rows = table("V", "ln V, nats", "bits", "perplexity", left=0)
    for V in CHOICES:
        blind = LossSum(uniform(V), 1)
        rows.add_row(f"{V:,}", f"{blind.mean:.4f}", f"{blind.bits:.3f}", f"{blind.perplexity:,.1f}")
    stdout().print(rows)
    say()
    say(f"bits = nats / {LN_2:.4f}; perplexity = e^nats: the V that would cost as much.")
    say()
    say("Four documents of one position cost 1, 2, 2 and 3 nats: a mean of 2.", "bold")
    say("How far may the mean of other documents lie? Its standard error:")
    say()
    rows = table("documents", "error", "2 errors", left=0)
    for times in (1, 4, 16, 64):
        error = _error([1.0, 2.0, 2.0, 3.0] * times)
        rows.add_row(str(4 * times), f"{error:.3f}", f"{2 * error:.3f}")
    stdout().print(rows)
    say()
    say("Four times the documents, about half the error: it falls with their square root.")


def _error(nats: list[float]) -> float:
    return standard_error(np.array(nats), np.ones(len(nats), np.int64))


def numbers(on: Subject) -> dict[str, Any]:
    """Return the run's ladder, standard errors and calibration, and the text's loss."""
    run = on.run
    most = MOST if about(run.engine.name).is_fast else FEW
    texts = evaluation_set(run, None, None)
    if len(texts.texts) > most:
        texts = evaluation_set(run, None, most)
    found = Measurement(run, texts).measured()
    ladder, result = found.ladder, found.result
    errors = run.errors(texts.texts, seen=texts.seen or bool(ladder.why))
    score = run.score(on.text)
    return {
        "on": texts.words, "positions": result.sum.positions, "unit": run.tokenizer.unit,
        "rungs": [_rung(name, total) for name, total, _ in ladder.rungs], "model": ladder.name,
        "seen": texts.seen, "why": ladder.why, "loss": result.loss, "error": errors.own,
        "ngram": {"n": ladder.n, "gain": errors.gain, "error": errors.gain_error},
        "bits_per_byte": result.bits_per_byte,
        "calibration": {
            "bins": [
                {"p": b.p, "observed": b.observed, "low": b.low, "high": b.high,
                 "predictions": b.predictions, "verdict": b.verdict}
                for b in result.confidence.bins
            ],
            "error": result.confidence.error, "chance": result.confidence.chance,
        },
        "text": {"text": on.text, "loss": score.loss, "percentile": score.percentile},
    }  # fmt: skip


def _rung(name: str, total: LossSum) -> dict[str, Any]:
    return {
        "name": name, "nats": total.mean, "bits": total.bits, "perplexity": total.perplexity,
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print the ladder, the errors, the diagram, and where the text stands."""
    unit, ngram = numbers["unit"], numbers["ngram"]
    say(f"On {numbers['on']}, {count(numbers['positions'], 'position')}:", "bold")
    if numbers["why"]:
        say(f"No baselines: {numbers['why']}")
    rows = table("", "nats", "bits", "perplexity")
    for rung in numbers["rungs"]:
        style = "good" if rung["name"] == numbers["model"] else ""
        units = figures(rung["nats"]), figures(rung["bits"], 3), figures(rung["perplexity"], 1)
        rows.add_row(rung["name"], *units, style=style)
    stdout().print(rows)
    say(f"Per {unit}; {figures(numbers['bits_per_byte'], 3)} bits a byte, for other tokenizers.")
    if numbers["seen"]:
        say("It was trained on these: they say nothing about new ones.")
    say()
    if not math.isnan(numbers["error"]):
        low, high = (figures(numbers["loss"] + k * numbers["error"]) for k in (-2, 2))
        say(
            f"Standard error {figures(numbers['error'])}: the mean over all documents of this "
            f"source lies between {low} and {high}, with a confidence of 95 %."
        )
    if ngram["error"] and not math.isnan(ngram["error"]):
        lower = "lower" if ngram["gain"] >= 0 else "higher"
        say(
            f"Document by document it is {figures(abs(ngram['gain']))} {lower} than "
            f"{ngram['n']}-grams, ± {figures(ngram['error'])}: "
            f"{figures(abs(ngram['gain']) / ngram['error'], 1)} standard errors."
        )
    calibration = numbers["calibration"]
    if bins := calibration["bins"]:
        say()
        say(f"Is the likeliest {unit} right as often as its p says?", "bold")
        stdout().print(_diagram(bins))
        say(
            "p: what it said, o: what came true, *: both. Mean distance "
            f"{calibration['error']:.4f}; by chance alone {calibration['chance']:.4f}."
        )
    text, rarer = numbers["text"], ""
    if text["percentile"] is not None:
        rarer = f": rarer than {text['percentile']:.0f} % of held-out texts of its length"
    say()
    say(f'"{printable(text["text"])}" costs {figures(text["loss"])} nats a {unit}{rarer}.')


def _diagram(bins: list[dict[str, Any]]) -> Table:
    """Return a reliability diagram: a row a bin, from 0 on the left to 1 on the right."""
    rows = table("p", "came true", "0" + "1".rjust(_PICTURE - 1), "", left=0)
    for column in rows.columns[2:]:
        column.justify = "left"
    for b in bins:
        places = ["."] * _PICTURE
        told, came = (round(b[which] * (_PICTURE - 1)) for which in ("p", "observed"))
        places[told], places[came] = "p", "*" if told == came else "o"
        verdict = "" if b["verdict"] == "as told" else b["verdict"]
        rows.add_row(f"{b['p']:.3f}", f"{b['observed']:.3f}", "".join(places), verdict)
    return rows
