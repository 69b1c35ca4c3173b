"""`microgpt why tensors`: the same model on lists, in C++ and on tensors, and how far they differ.

In: nothing, or a run and a text. Out: what float32 rounds, and why the order of a sum shows; the
losses of each engine that is there, their differences, and the time of each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.table import Table

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.data.batch import Batch
from microgpt.engines import ENGINES, about, open_engine
from microgpt.errors import MicroGPTError, UsageError
from microgpt.inside.operations import Floats
from microgpt.loss.many import Softmax
from microgpt.model import size
from microgpt.wording import clipped, count, figures

MANY = 100
"""How many copies of the text are computed at once, to compare with one."""

_SLOW = 20_000_000
"""Parameters times positions that the scalar engine computes in about two seconds."""

_TERMS = 10_000


def example() -> None:
    """Print what float32 rounds, and a sum in three orders."""
    say("A float64 holds 53 binary digits of a number, a float32 has 24.", "bold")
    say()
    rows = table("", "float64", "float32")
    for name, x in (("1 / 10", 0.1), ("1 / 3", 1 / 3), ("1 + 1e-8", 1 + 1e-8)):
        rows.add_row(name, f"{x:.17f}", f"{np.float32(x):.17f}")
    stdout().print(rows)
    say()
    say("They agree in about seven decimal digits. A sum rounds after each term:")
    say()
    rows = table("1/1 + 1/2 + .. + 1/10,000", "float64", "float32")
    for name, order in orders().items():
        sums = (f"{order(1.0 / np.arange(1, _TERMS + 1, dtype=kind)):.9f}" for kind in _KINDS)
        rows.add_row(name, *sums)
    stdout().print(rows)
    say()
    say(
        "The same numbers in another order: the float32 sums differ from the seventh digit on. "
        "Each engine has its own order, so that their losses differ there, too."
    )


_KINDS = (np.float64, np.float32)


def orders() -> dict[str, Callable[[Any], float]]:
    """Return three orders of adding up an array, which round after each term.

    >>> [order(np.array([1.0, 2.0, 3.0] * 8)) for order in orders().values()]
    [48.0, 48.0, 48.0]
    """
    return {
        "first to last": lambda x: float(np.cumsum(x)[-1]),
        "last to first": lambda x: float(np.cumsum(x[::-1])[-1]),
        "eight sums, then theirs": lambda x: float(
            np.cumsum(np.cumsum(np.reshape(x, (-1, 8)), axis=0)[-1])[-1]
        ),
    }


def numbers(on: Subject) -> dict[str, Any]:
    """Return each engine's losses, and their times."""
    read = on.read
    targets_T = np.array(read.targets)
    known_T = targets_T >= 0
    batch = Batch(np.array(read.tokens), np.maximum(targets_T, 0), np.array([0, len(targets_T)]))
    exact_T = Softmax(on.seen.logits_TV).losses(batch.targets_N)
    engines = [_measured(on, name, batch) for name in reversed(ENGINES)]
    for engine in engines:
        if "nats" in engine:
            off_T = (np.array(engine["nats"]) - exact_T)[known_T]
            engine["off"] = float(np.abs(off_T).max(initial=0.0))
            engine["nats"] = _known(engine["nats"], known_T)
    return {
        "text": on.text, "unit": on.run.tokenizer.unit, "coming": read.coming,
        "parameters": size(on.config), "nats": _known(exact_T.tolist(), known_T),
        "engines": engines, "many": MANY, "mixed": on.run.mixture is not None,
    }  # fmt: skip


def _known(nats: list[float], known_T: Any) -> list[float | None]:
    return [x if known else None for x, known in zip(nats, known_T.tolist())]


def _measured(on: Subject, name: str, batch: Batch) -> dict[str, Any]:
    """Return an engine's losses, and the milliseconds of one text and of many at once."""
    record: dict[str, Any] = {"engine": name}
    if name == "scalar" and size(on.config) * batch.positions > _SLOW:
        return {**record, "missing": "too slow for this model and text"}
    try:
        engine, build = open_engine(name, on.config), about(name).build
    except (MicroGPTError, UsageError) as error:
        return {**record, "missing": str(error)}
    state = on.run.engine.state()
    engine.load(state)
    record |= {"build": build, "precision": str(engine.state().parameters.dtype)}
    record["nats"] = engine.losses(batch).tolist()
    record["ms"] = _milliseconds(lambda: engine.losses(batch))
    if about(name).is_fast:
        tiled = batch.take(np.zeros(MANY, np.int64))
        record["ms_of_many"] = _milliseconds(lambda: engine.losses(tiled))
    return record


def _milliseconds(compute: Callable[[], Floats]) -> float:
    """Return the least time of three."""
    least = math.inf
    for _ in range(3):
        began = time.perf_counter()
        compute()
        least = min(least, time.perf_counter() - began)
    return 1000 * least


def tell(numbers: dict[str, Any]) -> None:
    """Print the losses beside each other, and the times."""
    there = [engine for engine in numbers["engines"] if "nats" in engine]
    say(
        f'"{clipped(numbers["text"], 30)}": the loss of each position in float64, and what each '
        "engine differs by.",
        "bold",
    )
    if numbers["mixed"]:
        say("This is the GPT alone; the counts that it is mixed with are in no engine.")
    stdout().print(_losses(numbers, there))
    say()
    rows = table("", "precision", "a text, ms", f"{numbers['many']} texts, ms")
    for engine in there:
        many = figures(engine["ms_of_many"], 2) if "ms_of_many" in engine else ""
        rows.add_row(engine["engine"], engine["precision"], figures(engine["ms"], 2), many)
    stdout().print(rows)
    for engine in numbers["engines"]:
        if "missing" in engine:
            say(f"{engine['engine']}: {engine['missing']}")
    say()
    say(
        f"{count(numbers['parameters'], 'parameter')}. float32 has 24 binary digits, about seven "
        "decimal ones; the last of them depend on the order of sums."
    )


def _losses(numbers: dict[str, Any], there: list[dict[str, Any]]) -> Table:
    rows = table("", "loss", *(engine["engine"] for engine in there))
    for t, (name, nats) in enumerate(zip(numbers["coming"], numbers["nats"])):
        if nats is None:
            rows.add_row(name, "unknown")
            continue
        rows.add_row(name, f"{nats:.7f}", *(_off(engine["nats"][t] - nats) for engine in there))
    return rows


def _off(difference: float) -> str:
    return f"{difference:+.0e}" if difference else "0"
