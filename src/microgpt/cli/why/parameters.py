"""`microgpt why parameters`: the numbers of a model, and what they are before it learns.

In: nothing, or a run and a text. Out: the matrices with shapes, sizes and spread; and the loss and
the slope of models that have not learned yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, lay_out
from microgpt.data.tokenizer.unknown import readable
from microgpt.inside.first import first, spread
from microgpt.model import parameters, size
from microgpt.wording import count, printable

SPREADS = (0.0, 0.02, 0.08, 0.5, 2.0)
# Drawing more numbers than these several times would take seconds.
_MOST = 1_000_000
# Of a deeper model the first layer and the last one are shown.
_LAYERS = 3


def example() -> None:
    """Print the table of the original's model, and what it says before it learns."""
    config = GPTConfig(vocab_size=27)
    emma = lay_out([[4, 12, 12, 0]], bos=26, block_size=config.block_size).batch
    say("A model is a list of numbers. This is the original's, for 27 tokens:", "bold")
    say()
    _tell_matrices([*_matrices(config)])
    say()
    _tell_first({"text": "emma", "size": size(config), "first": _first(config, emma)})


def numbers(on: Subject) -> dict[str, Any]:
    """Return the matrices, and how models of this shape begin."""
    config, read = on.config, on.read
    batch = Batch(np.array(read.tokens), np.array(read.targets), np.array([0, len(read.tokens)]))
    batch = readable(batch, on.run.tokenizer)
    rows = {"wte": len(set(read.tokens)), "wpe": len(read.tokens)}
    matrices = [
        {
            **at,
            "std": float(on.weights[at["name"]].std()),
            "largest": float(np.abs(on.weights[at["name"]]).max()),
            "read": rows.get(at["name"], at["shape"][0]) * at["shape"][1],
        }
        for at in _matrices(config)
    ]
    return {
        "text": on.text, "size": size(config), "mixture": on.run.mixture is not None,
        "matrices": matrices, "first": _first(config, batch) if size(config) <= _MOST else [],
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print both tables."""
    text, whole = printable(numbers["text"]), numbers["size"]
    read = sum(at["read"] for at in numbers["matrices"])
    say(
        f'{count(whole, "parameter")}, {4 * whole:,} bytes in float32. Reading "{text}" uses '
        f"{read:,} of them: of the embeddings, only the rows of what is read."
    )
    say()
    _tell_matrices(numbers["matrices"])
    say()
    if numbers["mixture"]:
        say("These are the GPT's; the counts that this run mixes it with are no parameters.")
        say()
    if numbers["first"]:
        _tell_first(numbers)
    else:
        say(f"How it begins is shown for models of up to {count(_MOST, 'parameter')}.")


def _matrices(config: GPTConfig) -> Iterator[dict[str, Any]]:
    for p in parameters(config):
        layer = int(p.name.split(".")[0].removeprefix("layer")) if p.hidden else None
        yield {
            "name": p.name, "layer": layer, "shape": list(p.shape), "size": p.size,
            "std_first": p.std,
        }  # fmt: skip


def _first(config: GPTConfig, batch: Batch) -> list[dict[str, Any]]:
    """Return loss and slope before learning: with each spread, and as the config says."""
    kinds: list[tuple[float | None, GPTConfig]] = [(std, spread(config, std)) for std in SPREADS]
    kinds += [(None, config)] if config not in (kind for _, kind in kinds) else []
    found = [(std, first(kind, batch)) for std, kind in kinds]
    return [{"std": std, "loss": one.loss, "slope": one.slope} for std, one in found]


def _tell_matrices(matrices: list[dict[str, Any]]) -> None:
    now = "std" in matrices[0]
    heads = ["std now", "largest", "read here"] if now else []
    least = "largest", "read here", "shape"
    rows = table("matrix", "shape", "numbers", "std at first", *heads, least=least)
    last = matrices[-1]["layer"]
    for at in matrices:
        if at["layer"] and at["layer"] < last and last >= _LAYERS:
            if at["layer"] == 1 and at["name"].endswith("attn_wq"):
                rows.add_row(f"{count(last - 1, 'layer')} more")
            continue
        own = [f"{at['std']:.4f}", f"{at['largest']:.2f}", f"{at['read']:,}"] if now else []
        shape = " x ".join(map(str, at["shape"]))
        rows.add_row(at["name"], shape, f"{at['size']:,}", f"{at['std_first']:.4f}", *own)
    sums = [f"{sum(at.get(name, 0) for at in matrices):,}" for name in ("size", "read")]
    rows.add_row("all", "", sums[0], "", *(["", "", sums[1]] if now else []), style="bold")
    stdout().print(rows)


def _tell_first(numbers: dict[str, Any]) -> None:
    say(
        f'Before the first step: the loss of "{printable(numbers["text"])}", and the length of its '
        "gradient, with initial values of several spreads."
    )
    say()
    rows = table("std of all", "nats", "gradient")
    for at in numbers["first"]:
        name = "as this run" if at["std"] is None else f"{at['std']:g}"
        # Four digits: in more of them engines differ.
        rows.add_row(name, f"{at['loss']:.4g}", f"{at['slope']:.4g}")
    stdout().print(rows)
    say()
    say(
        "All zeros: no number has a slope, so no step changes any. Large numbers: sure of itself "
        "before it has seen a thing, and wrong."
    )
