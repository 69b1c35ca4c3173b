"""`microgpt why gradient`: derivatives held against small changes of what they are derivatives of.

In: nothing, or a run and a text. Out: the graph of four numbers with its backward pass; slopes of
logits and of parameters beside finite differences, and the error of these for each nudge h.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from microgpt.autograd import Value
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import costliest, say_position
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import UsageError
from microgpt.inside.difference import STEPS, difference, nudged_logits, relative_error
from microgpt.inside.nudged import TextLoss
from microgpt.loss import cross_entropy
from microgpt.wording import clipped, count, figures

_H_LOGIT, _H_PARAMETER = 1e-3, 1e-5
# The logits shown: the target's and the largest others.
_LOGITS = 5
# The parameters times positions, and the positions, that plain Python differentiates in seconds.
_MOST, _POSITIONS = 4_000_000, 64


def example() -> None:
    """Print a graph of a few Values, and the slopes of three logits, each beside a nudge."""
    say("A number's gradient: how much the loss changes a unit of that number.", "bold")
    say("Here c = w * x, d = c + b, loss = d * d.")
    say()
    _show_graph(w=2.0, x=3.0, b=-4.0, h=1e-3)
    say()
    say(
        "derivatives: of the number with respect to each that it is made of. Read the gradients "
        "from below: that of the loss is 1. d is a factor twice, and its two parts add up: 2 + 2. "
        "A sum passes its gradient on to each term. A product passes it on "
        "to each factor, times the other one: 4 x 3 to w, 4 x 2 to x. The last column does not "
        "use this rule: it computes the loss with the number more and less by h = 0.001, and "
        "divides the change by 2h."
    )
    say()
    say("Three logits, 2, 1 and 0; the token of the second one came.", "bold")
    say("The rule says: the slope on a logit is p - 1[target].")
    say()
    logits_V = [2.0, 1.0, 0.0]
    nudged = nudged_logits(logits_V, 1, _H_LOGIT)
    _show_logits([{**asdict(one), "token": f"logit {logits_V[one.token]:g}"} for one in nudged])
    say()
    say("How small must h be? The target's logit again, for each h:")
    say()
    _show_nudges(_nudges(lambda h: cross_entropy([2.0, 1.0 + h, 0.0], 1)[0], nudged[0].slope))
    say()
    say(
        "The central difference takes the loss at h more and h less, the one-sided one at h more "
        "and at 0. Both are of a straight line where the loss is a curve: that error shrinks like "
        "h^2 and like h. The losses' last digit is lost, too, and is divided by h: that error "
        "grows like 1 / h, and wins in the end."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return slopes of logits and of parameters on the text, and finite differences for them."""
    read, names = on.read, symbols(on.run.tokenizer)
    known = [t for t, target in enumerate(read.targets) if target >= 0]
    if not known:
        raise UsageError(
            f'text must have a character that the model knows; got "{clipped(on.text)}".'
        )
    t = on.costliest
    nudged = nudged_logits(on.seen.logits_TV[t].tolist(), read.targets[t], _H_LOGIT)
    record: dict[str, Any] = {
        **costliest(on), "h": _H_LOGIT, "sum": sum(one.slope for one in nudged),
        "logits": [{**asdict(one), "token": names[one.token]} for one in nudged],
    }  # fmt: skip
    most = min(_POSITIONS, _MOST // len(on.parameters))
    if known[0] >= most:
        return record
    loss = TextLoss(on.config, on.parameters, read.tokens[:most], read.targets[:most])
    first = [name for name in on.weights if "." not in name or name.startswith("layer0.")]
    rows = [loss.largest(name, _H_PARAMETER) for name in first]
    largest = max(rows, key=lambda one: abs(one.gradient))
    return {
        **record,
        "mean": loss.nudged(0, 0.0),
        "averaged": loss.positions,
        "cut": len(known) > loss.positions,
        "h_parameters": _H_PARAMETER,
        "parameters": [asdict(one) for one in rows],
        "of": largest.name,
        "nudges": _nudges(lambda h: loss.nudged(largest.index, h), largest.gradient),
    }


def tell(numbers: dict[str, Any]) -> None:
    """Print the slopes beside what the nudges say."""
    logits = numbers["logits"]
    say_position("The gradient", numbers)
    say(f"Each logit there is nudged by h = {numbers['h']:g}:")
    say()
    _show_logits(logits[:_LOGITS])
    say()
    total = round(numbers["sum"], 4) + 0.0
    say(f"The slopes on all {count(len(logits), 'logit')} sum to {total:.4f}.")
    if "parameters" not in numbers:
        say("This model is too large for plain Python to differentiate its parameters.")
        return
    say()
    say(
        f"The mean of {'the first ' * numbers['cut']}{count(numbers['averaged'], 'position')} is "
        f"{figures(numbers['mean'])}. The "
        "parameter with the largest gradient of each matrix, nudged by "
        f"{numbers['h_parameters']:g} (of the layers the first one's):"
    )
    say()
    rows = table("parameter", "value", "gradient", "change / 2h", "error", least=("value", "error"))
    for row in numbers["parameters"]:
        slopes = [f"{row[key]:.8f}" for key in ("gradient", "change")]
        rows.add_row(row["name"], f"{row['value']:.4f}", *slopes, f"{row['error']:.0e}")
    stdout().print(rows)
    say()
    say(f"{numbers['of']} again, for each h:")
    say()
    _show_nudges(numbers["nudges"])
    say()
    say(
        "central: from h more and h less; one-sided: from h more alone. Down the table the "
        "errors shrink like h^2 and like h, and then, where rounding decides, grow like 1 / h."
    )


def _nudges(loss: Callable[[float], float], slope: float) -> list[dict[str, float]]:
    """Return finite differences for each h, and their relative errors."""
    return [
        {
            **asdict(found),
            "one_sided_error": relative_error(found.one_sided, slope),
            "central_error": relative_error(found.central, slope),
        }
        for found in (difference(loss, h) for h in STEPS)
    ]


def _show_graph(w: float, x: float, b: float, h: float) -> None:
    """Print the Values of (w x + b)^2 with their gradients, beside the loss's answer to a nudge."""
    leaves = {"w": Value(w), "x": Value(x), "b": Value(b)}
    c = leaves["w"] * leaves["x"]
    d = c + leaves["b"]
    loss = d * d
    loss.backward()
    answers: list[Callable[[float], float]] = [
        lambda nudge: ((w + nudge) * x + b) ** 2,
        lambda nudge: (w * (x + nudge) + b) ** 2,
        lambda nudge: (w * x + b + nudge) ** 2,
        lambda nudge: (w * x + nudge + b) ** 2,
        lambda nudge: (w * x + b + nudge) ** 2,
        lambda nudge: (w * x + b) ** 2 + nudge,
    ]
    made = {**leaves, "c = w * x": c, "d = c + b": d, "loss = d * d": loss}
    rows = table("", "data", "derivatives", "gradient", "change / 2h", least=("data",))
    for (name, value), answer in zip(made.items(), answers):
        local = ", ".join(f"{derivative:g}" for derivative in value.derivatives)
        change = difference(answer, h).central
        rows.add_row(name, f"{value.data:g}", local, f"{value.grad:g}", f"{change:.4f}")
    stdout().print(rows)


def _show_logits(logits: Sequence[dict[str, Any]]) -> None:
    """Print logits, the target's first."""
    heads = ("p", "p - 1[target]", "loss, h less", "loss, h more", "change / 2h")
    rows = table("", *heads, least=("loss, h less", "loss, h more", "p"))
    for one in logits:
        slopes = [f"{one[key]:.7f}" for key in ("slope", "below", "above", "change")]
        rows.add_row(one["token"], f"{one['p']:.4f}", *slopes, style="bold" * (one is logits[0]))
    stdout().print(rows)


def _show_nudges(nudges: Sequence[dict[str, float]]) -> None:
    """Print the finite differences for each h with their errors."""
    values, errors = ("one-sided", "central"), ("error, one-sided", "error, central")
    rows = table("h", *values, *errors, left=0, least=values)
    for one in nudges:
        found = [f"{one[side]:.8f}" for side in ("one_sided", "central")]
        off = [f"{one[f'{side}_error']:.0e}" for side in ("one_sided", "central")]
        rows.add_row(f"{one['h']:.0e}", *found, *off)
    stdout().print(rows)
