"""`microgpt why embeddings`: how a token becomes numbers, and how the model knows its place.

In: nothing, or a run and a text. Out: rows of the embeddings, the most alike tokens, and what a
distance does to the product of a query and a key; the loss without places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.observed import Observed, observe
from microgpt.inside.operations import ArrayOps
from microgpt.inside.places import product, queries_and_keys, rotated, without_places
from microgpt.inside.plane import neighbours
from microgpt.loss import LossSum
from microgpt.loss.many import Softmax
from microgpt.runs.reading import BOS
from microgpt.wording import figures, printable

# How many numbers of a row are shown, and how many tokens most like one.
_SHOWN, _ALIKE = 4, 4
DISTANCES = (0, 1, 2, 3, 4, 6, 8)
FAR = 30


def example() -> None:
    """Print learned and rotary positions on two numbers a token."""
    wte_VD = np.array([[0.5, -0.2], [0.1, 0.4], [-0.3, 0.3]])
    wpe_TD = np.array([[0.0, 0.1], [0.2, 0.0], [-0.1, 0.1]])
    names, tokens_T = ("a", "b", BOS), [2, 0, 0]
    say("A token's id chooses a row of the matrix wte. With it the model computes.", "bold")
    say("Three tokens, two numbers each. a stands twice in aa, and has the same row twice:")
    say()
    rows = table("position", "reads", "row of wte", "row of wpe", "sum", left=2)
    for t, token in enumerate(tokens_T):
        own, place = wte_VD[token], wpe_TD[t]
        rows.add_row(f"{t}", names[token], *map(_first, (own, place, own + place)))
    stdout().print(rows)
    say()
    say(
        "Learned positions: the row of wpe at the token's position is added, so the two a differ. "
        "All these numbers are learned."
    )
    say()
    say("Rotary positions add nothing. They rotate queries and keys by the position.", "bold")
    say("A query (1, 0) and a key (1, 0): rotated by t and s radians, and their product.")
    say()
    one = np.array([1.0, 0.0])
    rows = table("t", "s", "query", "key", "product", left=0)
    for t, s in ((1, 1), (3, 1), (12, 10), (4, 1)):
        cells = _first(rotated(one, t)), _first(rotated(one, s))
        rows.add_row(f"{t}", f"{s}", *cells, f"{product(one, one, t, s):.4f}")
    stdout().print(rows)
    say()
    say("The product depends on the distance t - s alone: 2 back is 2 back, wherever it is.")


def numbers(on: Subject) -> dict[str, Any]:
    """Return the rows of a text's tokens, what is most like them, and what places do."""
    config, weights, read = on.config, on.weights, on.read
    names = [*symbols(on.run.tokenizer)]
    names[on.run.tokenizer.bos] = BOS
    wte_VD, wpe_TD = weights["wte"], weights.get("wpe")
    embedded_TD = ArrayOps().embed(read.tokens, wte_VD, wpe_TD, 0)
    x_TD = ArrayOps().rmsnorm(embedded_TD)
    loss = _loss(on.seen, read.targets)
    blind = observe(*without_places(config, weights), read.tokens)
    record: dict[str, Any] = {
        "text": on.text, "n": read.positions, "n_embd": config.n_embd, "position": config.position,
        "mixture": on.run.mixture is not None,
        "positions": [
            {
                "read": name, "token": token, "wte": wte_VD[token].tolist(),
                "wpe": None if wpe_TD is None else wpe_TD[t].tolist(),
                "length": float(np.linalg.norm(embedded_TD[t])), "x": x_TD[t].tolist(),
            }
            for t, (name, token) in enumerate(zip(read.read, read.tokens))
        ],
        "alike": [
            {"token": names[i], "most": [(names[k], c) for k, c in neighbours(wte_VD, i, _ALIKE)]}
            for i in dict.fromkeys(read.tokens)
        ],
        "loss": loss,
        "loss_without_places": _loss(blind, read.targets),
    }  # fmt: skip
    if config.position == "rotary":
        before = max(len(read.tokens) - 2, 0)
        q_HTK, k_HTK = queries_and_keys(config, weights, read.tokens)
        q_K, k_K = q_HTK[0, -1], k_HTK[0, before]
        record["query"], record["key"] = read.read[-1], read.read[before]
        record["products"] = [
            {"distance": d, "near": product(q_K, k_K, d, 0), "far": product(q_K, k_K, d + FAR, FAR)}
            for d in DISTANCES
        ]
    return record


def tell(numbers: dict[str, Any]) -> None:
    """Print the rows, the most alike tokens, and what places do."""
    say(
        f'"{printable(numbers["text"])}": each token has a row of wte, of n_embd = '
        f"{numbers['n_embd']} numbers. The first {_SHOWN} are shown; length: of all of them."
    )
    say()
    learned = numbers["position"] == "learned"
    heads = ["row of wte", *(["row of wpe"] if learned else []), "length", "after RMSNorm"]
    least = ("row of wpe", "after RMSNorm", "position")
    rows = table("position", "reads", *heads, left=2, least=least)
    for t, at in enumerate(numbers["positions"]):
        own = [_first(at["wte"]), *([_first(at["wpe"])] if learned else [])]
        cells = *own, f"{at['length']:.2f}", _first(at["x"])
        rows.add_row(f"{t}", Text(at["read"], "bold"), *cells)
    stdout().print(rows)
    say_other_windows(len(numbers["positions"]), numbers["n"])
    say()
    rows = table("token", "most alike rows of wte: cosine", left=2)
    for at in numbers["alike"]:
        most = "  ".join(f"{name} {cosine:.2f}" for name, cosine in at["most"])
        rows.add_row(Text(at["token"], "bold"), most)
    stdout().print(rows)
    say()
    if numbers["mixture"]:
        say("This is the GPT alone: the counts that this run mixes it with have no embeddings.")
        say()
    if not learned:
        _tell_products(numbers)
    if numbers["loss"] is None:
        say("No loss: the model knows none of these targets.")
        return
    say(
        f"The GPT's loss on this text: {figures(numbers['loss'])} nats. With the same parameters, "
        f"but without places: {figures(numbers['loss_without_places'])}. It then knows which "
        "tokens came, but hardly where."
    )


def _tell_products(numbers: dict[str, Any]) -> None:
    say(
        f"Rotary positions: the query of {numbers['query']} (layer 0, head 0) times the key of "
        f"{numbers['key']}, as if they stood at several distances, and {FAR} positions later."
    )
    say()
    rows = table("distance", "product", f"{FAR} later", left=0)
    for at in numbers["products"]:
        rows.add_row(f"{at['distance']}", figures(at["near"]), figures(at["far"]))
    stdout().print(rows)
    say()


def _loss(seen: Observed, targets: Sequence[int]) -> float | None:
    """Return the mean loss of known targets, in nats; None: there are none."""
    targets_T = np.array(targets)
    known_T = targets_T >= 0
    if not known_T.any():
        return None
    return LossSum.of(Softmax(seen.logits_TV[known_T]).losses(targets_T[known_T])).mean


def _first(row: Sequence[float] | NDArray[np.float64]) -> str:
    return " ".join(f"{value:5.2f}" for value in row[:_SHOWN]).replace("-0.00", " 0.00")
