"""`microgpt why RUN TEXT --step N`: one position of a text, through all of the model and back.

In: a run, a text, the position's number from 0. Out: what is computed there, in the order of its
computation: from the token's id to the loss, to the gradient, to an update on a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import UsageError
from microgpt.inside.observed import Observed, observe
from microgpt.inside.oneloss import first_step, gradients
from microgpt.inside.operations import ArrayOps, Floats
from microgpt.loss.many import Softmax
from microgpt.wording import clipped, count, figures

_FIRST, _LIKELY, _READ = 3, 5, 3
"""How many numbers of a vector are shown, how many tokens, and how many positions of a head."""


def numbers(on: Subject, step: int) -> dict[str, Any]:
    """Return what is computed at a position, ready for JSON.

    Raises:
        UsageError: the text, or its first window, has no such position.
    """
    read, T = on.read, len(on.read.tokens)
    if not 0 <= step < T:
        window = f", in its first window of {T} positions" if read.positions > T else ""
        raise UsageError(
            f'--step must be from 0 to {T - 1} for "{clipped(on.text, 30)}"{window}; got {step}.'
        )
    t, seen, target = step, on.seen, read.targets[step]
    names = symbols(on.run.tokenizer)
    record: dict[str, Any] = {
        "text": on.text, "step": step, "positions": T, "unit": on.run.tokenizer.unit,
        "read": read.read[: t + 1], "id": read.tokens[t],
        "comes": read.coming[t], "target": target if target >= 0 else None,
        "unknown": {"read": t > 0 and read.targets[t - 1] < 0, "comes": target < 0},
        "stand_in": names[read.tokens[t]],
        "vocab_size": on.config.vocab_size, "embedding": _embedding(on, t),
        "layers": [_layer(on, seen, i, t) for i in range(on.config.n_layer)],
        "final_norm": None, "mixed": on.run.mixture is not None,
    }  # fmt: skip
    if on.config.final_norm:
        record["final_norm"] = _vector(ArrayOps().rmsnorm(seen.stream_PTD[-1])[t])
    p_V, logits_V = Softmax(seen.logits_TV[t : t + 1]).p_BV[0], seen.logits_TV[t]
    shown = np.argsort(-p_V, kind="stable")[:_LIKELY].tolist()
    shown += [target] if target >= 0 and target not in shown else []
    record["tokens"] = [
        {"token": names[k], "id": k, "logit": float(logits_V[k]), "p": float(p_V[k]),
         "d_logit": float(p_V[k] - (k == target)) if target >= 0 else None}
        for k in shown
    ]  # fmt: skip
    return record if target < 0 else {**record, **_learned(on, t)}


def _learned(on: Subject, t: int) -> dict[str, Any]:
    """Return the loss, the gradient's length in every matrix, and what a step on it does."""
    d_weights = gradients(on.run.engine, on.read.tokens, on.read.targets, t)
    training = on.run.settings.training
    moved = first_step(on.weights, d_weights, training.lr, training.eps)
    after = observe(on.config, moved, on.read.tokens)
    known = np.array(on.read.targets) >= 0
    others = known & (np.arange(len(known)) != t)
    after_T = Softmax(after.logits_TV).losses(np.maximum(on.read.targets, 0))
    losses_2T = on.losses, after_T
    p, then = ({"p": math.exp(-x[t]), "nats": float(x[t])} for x in losses_2T)
    means = [float(x[others].mean()) if others.any() else None for x in losses_2T]
    return {
        "p": p["p"],
        "nats": p["nats"],
        "gradients": {name: float(np.linalg.norm(g)) for name, g in d_weights.items()},
        "update": {"lr": training.lr, **then, "others": {"before": means[0], "after": means[1]}},
    }


def _embedding(on: Subject, t: int) -> dict[str, Any]:
    """Return the rows of the token and of the position, their sum, and the sum after the norm."""
    rows = {f"wte row {on.read.tokens[t]}": on.weights["wte"][on.read.tokens[t]]}
    if "wpe" in on.weights:
        rows[f"wpe row {t}"] = on.weights["wpe"][t]
        rows["their sum"] = sum(rows.values(), np.zeros(on.config.n_embd))
    rows["RMSNorm"] = on.seen.stream_PTD[0, t]
    return {name: _vector(row) for name, row in rows.items()}


def _layer(on: Subject, seen: Observed, i: int, t: int) -> dict[str, Any]:
    """Return what the heads of a layer read, and what its parts add to the stream."""
    before, attention, after = (seen.stream_PTD[2 * i + k, t] for k in range(3))
    return {
        "heads": seen.attention_LHTT[i, :, t, : t + 1].tolist(),
        "attention": _vector(attention - before),
        "MLP": _vector(after - attention),
        "stream": _vector(after),
    }


def _vector(row_D: Floats) -> dict[str, Any]:
    return {"first": row_D[:_FIRST].tolist(), "length": float(np.linalg.norm(row_D))}


def tell(numbers: dict[str, Any]) -> None:
    """Print it in the order of its computation."""
    read, comes, unknown = numbers["read"], numbers["comes"], numbers["unknown"]
    say(
        f'"{clipped(numbers["text"], 30)}", position {numbers["step"]} (of 0 to '
        f"{numbers['positions'] - 1}): after {' '.join(read[-8:])} comes {comes}.",
        "bold",
    )
    if numbers["mixed"]:
        say("This is the GPT alone; the counts that it is mixed with have no gradient.")
    which = f"unknown; {numbers['stand_in']} is read, " if unknown["read"] else ""
    _title(f"Token {read[-1]}", f"{which}id {numbers['id']}")
    _vectors(numbers["embedding"])
    if not any(name.startswith("wpe") for name in numbers["embedding"]):
        say("The position has no row: it rotates the queries and keys below.")
    for i, layer in enumerate(numbers["layers"]):
        _title(f"Layer {i}", "the share of each token@position, by head")
        _heads(layer["heads"], read)
        rows = {f"{part} adds": layer[part] for part in ("attention", "MLP")}
        rows["the stream"] = layer["stream"]
        if numbers["final_norm"] and layer is numbers["layers"][-1]:
            rows["RMSNorm"] = numbers["final_norm"]
        _vectors(rows)
    _title("Logits", "softmax makes p of them")
    _tokens(numbers)
    if unknown["comes"]:
        say(f"{comes} is unknown to this model: it has no logit, no p and no gradient.")
        return
    p = _chance(numbers["p"])
    _title("Loss", f"-log p = -log {p} = {figures(numbers['nats'])} nats")
    slope = -math.expm1(-numbers["nats"])
    say(f"Its gradient is p - 1 = {-slope:.4f} at the target's logit, p at every other one.")
    _title("Gradient", "its length in some matrices")
    _matrices(numbers["gradients"], len(numbers["layers"]))
    update = numbers["update"]
    _title("Update", f"a first step of Adam on this loss alone, lr {update['lr']:g}")
    _update(numbers, update)
    say("On a copy in memory: each number with a gradient moves by lr, against its sign.")


def _title(what: str, note: str) -> None:
    say()
    say(f"{what}: {note}", "bold")


def _vectors(rows: dict[str, Any]) -> None:
    shown = table("", "first numbers", "length")
    for name, row in rows.items():
        first = " ".join(f"{x:+.3f}" for x in row["first"])
        shown.add_row(name, f"{first} ..", f"{row['length']:.3f}")
    stdout().print(shown)


def _heads(shares_HT: Sequence[Sequence[float]], read: Sequence[str]) -> None:
    rows = table("head", "reads most", left=2)
    for h, shares_T in enumerate(shares_HT):
        order = sorted(range(len(shares_T)), key=lambda s: -shares_T[s])
        parts = [f"{shares_T[s]:.3f} {read[s]}@{s}" for s in order[:_READ]]
        rest = len(order) - _READ
        if rest > 0:
            parts.append(f"{sum(shares_T[s] for s in order[_READ:]):.3f} {count(rest, 'other')}")
        rows.add_row(str(h), "  ".join(parts))
    stdout().print(rows)


def _tokens(numbers: dict[str, Any]) -> None:
    rows = table("", "logit", "p", "gradient")
    for at in numbers["tokens"]:
        came = at["id"] == numbers["target"]
        slope = "" if at["d_logit"] is None else f"{at['d_logit']:+.4f}"
        name = f"{at['token']}, the target" if came else at["token"]
        style = "bold" if came else ""
        rows.add_row(name, f"{at['logit']:.4f}", _chance(at["p"]), slope, style=style)
    rows.add_row(f"all {numbers['vocab_size']:,}", "", "1", "0" if "p" in numbers else "")
    stdout().print(rows)


def _matrices(lengths: dict[str, float], layers: int) -> None:
    """Print those of the embedding, of the first and the last layer, and of the head."""
    ends = {f"layer{i}.{part}" for i in (0, layers - 1) for part in ("attn_wq", "mlp_fc1")}
    rows = table("", "length")
    for name in [n for n in lengths if n in {"wte", "wpe", "lm_head", *ends}]:
        rows.add_row(name, figures(lengths[name]))
    stdout().print(rows)


def _update(numbers: dict[str, Any], update: dict[str, Any]) -> None:
    rows = table("", "before", "after")
    rows.add_row(f"p of {numbers['comes']}", _chance(numbers["p"]), _chance(update["p"]))
    rows.add_row("its loss", figures(numbers["nats"]), figures(update["nats"]))
    others = update["others"]
    if others["before"] is not None:
        means = (figures(others[when]) for when in ("before", "after"))
        rows.add_row("mean of the others", *means)
    stdout().print(rows)


def _chance(p: float) -> str:
    return f"{p:.4f}" if p >= 0.001 else f"{p:.2e}"
