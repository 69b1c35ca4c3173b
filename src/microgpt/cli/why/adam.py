"""`microgpt why adam`: how far a parameter moves, by Adam and by Muon.

In: nothing, or a run and a text. Out: moments, corrections and steps of a few parameters, by hand
and by the program; singular values of a matrix as Muon orthogonalises it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.data.batch import lay_out
from microgpt.engines.contract import State
from microgpt.errors import UsageError
from microgpt.inside.moments import adam, follow, gradient, singular_values
from microgpt.inside.operations import Floats
from microgpt.model import views
from microgpt.optim import ITERATIONS, Optimizer
from microgpt.training.task import open_for
from microgpt.wording import clipped, figures

_UPDATES = 4
# The matrix whose gradient is orthogonalised; its most singular values that are shown.
_MATRIX, _SINGULAR = "layer0.attn_wv", 8
# Below this share of the largest one a singular value is rounding.
_NOTHING = 1e-5
_BY = {
    True: "This run's optimizer for it is Muon:",
    False: "This run's optimizer is Adam; Muon would do:",
}


def example() -> None:
    """Print a parameter's first updates by Adam, and a small matrix orthogonalised by Muon."""
    simple = Optimizer(beta1=0.5, beta2=0.75)
    gradients = [1.0, 1.0, -1.0, 1.0]
    say("Adam divides the mean of the gradients by their usual size.", "bold")
    say("m and v are running means of g and of g^2, here with beta1 = 0.5, beta2 = 0.75, lr = 0.1.")
    say()
    _show_moments([asdict(one) for one in adam(simple, gradients, lr=0.1)])
    say()
    tiny = adam(simple, [g / 1000 for g in gradients], lr=0.1)
    say(
        "m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t): both begin at 0, and this makes up "
        "for it. step = lr m_hat / sqrt(v_hat). Gradients of one sign: a step of lr. Of both "
        "signs: m is small, v is not, and the step is short."
    )
    say(
        "The same gradients over 1,000 give the same steps: "
        f"{', '.join(f'{one.step:.4f}' for one in tiny)}. Plain gradient descent, lr g, would "
        f"make steps of {0.1 * tiny[0].gradient:g}."
    )
    say()
    say("Muon moves a matrix equally far in all directions.", "bold")
    say("A matrix stretches three directions by 3, by 1 and by 0.01: its singular values.")
    say()
    small = [3.0, 1.0, 0.01]
    _show_singular([small, *singular_values(np.eye(3) * small)])
    say()
    say(
        "Each iteration maps every singular value s to 3.4445 s - 4.7750 s^3 + 2.0315 s^5, by "
        "matrix products alone. After five, all are between 0.7 and 1.2, the weak one included."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return a few parameters' first updates on the text, by hand and by the program."""
    config, training = on.config, replace(on.run.settings.training, dropout=0.0)
    ids = [target for target in on.read.targets if target >= 0]
    if not ids:
        raise UsageError(
            f'text must have a character that the model knows; got "{clipped(on.text)}".'
        )
    bos, optimizer, lr = on.run.tokenizer.bos, Optimizer.of(training), training.lr
    document = ids[:-1] if ids[-1] == bos else ids
    batch = lay_out([document], bos, config.block_size).batch.head(1)
    engine = open_for(on.run.engine.name, config, training)
    engine.load(State.fresh(on.run.engine.state().parameters))
    slopes = gradient(engine, batch)
    chosen = _chosen(slopes, views(np.arange(len(slopes)), config))
    followed = follow(engine, config, batch, lr, _UPDATES, [*chosen.values()])
    record: dict[str, Any] = {
        "text": on.text, "unknown": len(ids) < len(on.read.targets), "engine": engine.name,
        "lr": lr, "beta1": optimizer.beta1, "beta2": optimizer.beta2,
        "losses": followed.loss_K.tolist(), "read": len(on.read.tokens),
        "positions": on.read.positions, "parameters": [],
    }  # fmt: skip
    for k, name in enumerate(chosen):
        values_K = followed.values_KP[:, k].tolist()
        by_hand = adam(optimizer, followed.gradients_KP[:, k].tolist(), lr, values_K[0])
        record["parameters"].append({
            "name": name, "before": values_K[0],
            "updates": [{**asdict(m), "by_program": x} for m, x in zip(by_hand, values_K[1:])],
        })  # fmt: skip
    matrix = views(slopes, config)[_MATRIX]
    record["matrix"] = {
        "name": _MATRIX, "shape": [*matrix.shape],
        "gradient": np.linalg.svd(matrix, compute_uv=False).tolist(),
        "iterations": singular_values(matrix), "by_program": None,
    }  # fmt: skip
    if optimizer.muon:
        rate = lr * optimizer.muon
        decayed = -rate * optimizer.weight_decay * on.weights[_MATRIX]
        made = (decayed - followed.change[_MATRIX]) / rate
        record["matrix"]["by_program"] = np.linalg.svd(made, compute_uv=False).tolist()
    return record


def tell(numbers: dict[str, Any]) -> None:
    """Print the updates and the singular values."""
    losses = ", ".join(figures(loss) for loss in numbers["losses"])
    say(
        f'"{clipped(numbers["text"], 30)}", trained on again and again: its loss before each '
        f"update is {losses}."
    )
    say(
        f"A copy of the run's GPT, with moments of 0, {numbers['engine']} engine; lr "
        f"{numbers['lr']:g}, beta1 {numbers['beta1']:g}, beta2 {numbers['beta2']:g}."
    )
    say_other_windows(numbers["read"], numbers["positions"])
    if numbers["unknown"]:
        say("Characters that it does not know are left out.")
    for one in numbers["parameters"]:
        say()
        say(f"{one['name']}, which was {one['before']:.6f}:")
        say()
        _show_moments(one["updates"])
    say()
    matrix = numbers["matrix"]
    rows, columns = matrix["shape"]
    of = matrix["gradient"]
    rank = sum(s > _NOTHING * of[0] for s in of)
    say(
        f"{matrix['name']}, {rows} x {columns}: {rank} of its gradient's {len(of)} singular values "
        f"are not 0, at most one for each position. {_BY[matrix['by_program'] is not None]}"
    )
    say()
    shown = [of, *matrix["iterations"], *filter(None, [matrix["by_program"]])]
    _show_singular([column[: min(rank, _SINGULAR)] for column in shown])
    say()
    say(_compared(numbers["parameters"], numbers["lr"]))


def _chosen(slopes: Floats, places: Mapping[str, Floats]) -> dict[str, int]:
    """Return places to follow by name: of the two ends of the model, large and middling slopes."""
    chosen: dict[str, int] = {}
    for name, middle in (("lm_head", False), ("lm_head", True), ("wte", False)):
        order = sorted(places[name].ravel().tolist(), key=lambda i: -abs(slopes[i]))
        used = [i for i in order if slopes[i]]
        index = (used or order)[len(used) // 2 if middle else 0]
        row, column = divmod(index - int(places[name][0, 0]), places[name].shape[1])
        chosen[f"{name}[{row}, {column}]"] = index
    return chosen


def _show_moments(updates: Sequence[dict[str, Any]]) -> None:
    """Print one parameter's updates."""
    keys = ["m", "v", "m_hat", "v_hat", "step", "value"]
    program = "by_program" in updates[0]
    heads = ["t", "g", *keys, *(["program"] if program else [])]
    rows = table(*heads, left=0, least=("v_hat", "m_hat", "v", "m"))
    for one in updates:
        numbers = [f"{one[key]:.5g}" for key in ("gradient", *keys[:4])]
        ends = [f"{one[key]:.6f}" for key in ("step", "value", *(["by_program"] * program))]
        rows.add_row(str(one["update"]), *numbers, *ends)
    stdout().print(rows)


def _show_singular(columns: Sequence[Sequence[float]]) -> None:
    """Print singular values: of a matrix, over its norm, after each iteration, by the program."""
    after = [f"after {k}" for k in range(1, ITERATIONS + 1)]
    heads = ["singular value", "over norm", *after, "program"][: len(columns)]
    rows = table(*heads, left=0, least=(*after[1:-1], "over norm", after[0]))
    for first, *others in zip(*columns):
        rows.add_row(f"{first:.3g}", *(f"{s:.4f}" for s in others))
    stdout().print(rows)


def _compared(followed: Sequence[dict[str, Any]], lr: float) -> str:
    """Say how long the first steps are, and what the columns are."""
    firsts = [one["updates"][0] for one in followed]
    sizes = [abs(first["gradient"]) for first in firsts]
    are_lr = all(abs(abs(first["step"]) - lr) < lr / 100 for first in firsts)
    ratio = ""
    if are_lr and min(sizes):
        ratio = (
            f"The largest of these first gradients is {max(sizes) / min(sizes):,.0f} times the "
            "smallest, and each first step is lr. "
        )
    return f"{ratio}value: by hand, step by step; program: what the engine made of it."
