"""`microgpt why residual`: how the parts work together: each adds to one row of numbers.

In: nothing, or a run and a text. Out: the stream after each place, and the loss if one read it out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import FittedTable, table
from microgpt.cli.why.place import Record, say_window, short, window
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.lens import lens
from microgpt.loss.many import Softmax
from microgpt.wording import figures

ADDED = (("embedding", (3.0, 0.0)), ("attention", (0.0, 4.0)), ("MLP", (-3.0, 0.0)))
"""What the places of the example add to a stream of two numbers."""

SLOPE, DEPTHS = 0.1, (1, 4, 12)
"""The derivative of each part in the example, and how many parts there are."""

FEW = 5
"""The loss at each position is shown for models with at most so many places."""


def example() -> None:
    """Print a stream of two numbers, and what becomes of a gradient with the additions."""
    say("A stream of two numbers. Each part adds to it; nothing is replaced.", "bold")
    say()
    rows = table("", "adds", "length", "stream", "its length")
    stream_D = np.zeros(2)
    for name, added in ADDED:
        stream_D = stream_D + np.array(added)
        length = np.linalg.norm(stream_D)
        rows.add_row(name, _row(added), f"{math.hypot(*added):g}", _row(stream_D), f"{length:g}")
    stdout().print(rows)
    say()
    say(
        "Lengths do not add up: a part can turn the stream, or take away from it. Here the MLP "
        "removes what the embedding put in."
    )
    say()
    say(f"A gradient on its way back through parts f whose derivative is {SLOPE}:", "bold")
    say()
    rows = table("parts", "each f(x)", "each x + f(x)", left=0)
    for depth in DEPTHS:
        rows.add_row(f"{depth}", f"{SLOPE**depth:.0e}", f"{(1 + SLOPE) ** depth:.2f}")
    stdout().print(rows)
    say()
    say("The derivative of x + f(x) is 1 + f'(x): through the 1 the gradient arrives whole.")


def numbers(on: Subject) -> dict[str, Any]:
    """Return the length of the stream after each place, and what one would read there."""
    seen, names = on.seen, symbols(on.run.tokenizer)
    targets_T = np.array(on.read.targets)
    places: list[Record] = []
    for p, logits_TV in enumerate(lens(on.config, on.weights, seen)):
        softmax = Softmax(logits_TV)
        losses_T = softmax.losses(np.maximum(targets_T, 0))
        known_T = losses_T[targets_T >= 0]
        places.append(
            {
                "place": short(seen.places[p]),
                "lengths": seen.norms_PT[p].tolist(), "adds": seen.added_PT[p].tolist(),
                "losses": [x if t >= 0 else None for x, t in zip(losses_T.tolist(), targets_T)],
                "loss": float(known_T.mean()) if len(known_T) else None,
                "likeliest": [names[i] for i in softmax.likely_B.tolist()],
            }
        )  # fmt: skip
    return {**window(on), "places": places}


def tell(numbers: dict[str, Any]) -> None:
    """Print a row for each place; of a model with few places also one for each position."""
    say_window("The residual stream", numbers)
    places = numbers["places"]
    rows = table("after", "adds", "length", "loss if read out here")
    for place in places:
        adds, length = (sum(place[name]) / len(place[name]) for name in ("adds", "lengths"))
        rows.add_row(place["place"], figures(adds, 2), figures(length, 2), _nats(place["loss"]))
    stdout().print(rows)
    say()
    if len(places) <= FEW:
        say("The loss at each position, read out after each place", "bold")
        say()
        stdout().print(_positions(numbers))
        say()
    say(
        "adds, length: of what the place adds, and of the stream after it, means over positions. "
        "read out: the stream there through the last norm and lm_head, as after the last place, "
        "where it is the model's own loss. Earlier places were not trained to be read so."
    )


def _positions(numbers: Record) -> FittedTable:
    places = numbers["places"]
    names = [place["place"] for place in places]
    rows = table("read", "comes", *names, left=2, least=names[1:-1])
    for t, (read, coming) in enumerate(zip(numbers["read"], numbers["coming"])):
        rows.add_row(read, coming, *(_nats(place["losses"][t]) for place in places))
    return rows


def _nats(loss: float | None) -> str:
    return "" if loss is None else figures(loss, 2)


def _row(numbers: Any) -> str:
    return " ".join(f"{x:g}" for x in numbers)
