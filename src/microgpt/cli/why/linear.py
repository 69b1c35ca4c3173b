"""`microgpt why linear`: a matrix times a vector, one output number opened term by term.

In: nothing, or a run and a text. Out: the products that add up to a logit; how many
multiplications each matrix takes; what two matrices without a ReLU between them are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from microgpt import model
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.operations import ArrayOps
from microgpt.wording import count, figures, printable

# The largest products are shown, and the sum of the others; and the matrices of the first layer.
_SHOWN = 8


def example() -> None:
    """Print a matrix of two rows times a vector of three numbers."""
    x_D, weight = np.array([2.0, -1.0, 0.5]), np.array([[1.0, 3.0, 4.0], [0.5, -2.0, 0.0]])
    say("A linear layer is a matrix times a vector. Each output number is a dot product:", "bold")
    say("multiply each input with a number of one row of the matrix, and add the products.")
    say()
    say(f"x = {_vector(x_D)}, and a matrix of shape (2, 3): 2 outputs of 3 inputs, 6 products.")
    say()
    rows = table("row", "products, added", "output", left=3)
    for row_D in weight:
        terms = " + ".join(f"({w:g})({x:g})" for w, x in zip(row_D, x_D))
        rows.add_row(_vector(row_D), terms, f"{row_D @ x_D:g}")
    stdout().print(rows)
    say()
    say("What goes in twice as large comes out twice as large; what is added, is added:")
    say()
    rows = table("input", "output", left=2)
    for name, vector in (("x", x_D), ("2 x", 2 * x_D), ("-x", -x_D)):
        rows.add_row(name, _vector(weight @ vector))
    stdout().print(rows)
    say()
    say(
        "So x and -x never get the same answer, unless it is 0. And two such layers in a row are "
        "one: the product of both matrices. That is why an MLP has a ReLU between its two."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return a logit's terms, the multiplications, and what the ReLU changes."""
    config, weights, read = on.config, on.weights, on.read
    x_D = model.hidden(ArrayOps(), config, weights, read.tokens)[-1]
    logits_V = on.seen.logits_TV[-1]
    target = read.targets[-1] if read.targets[-1] >= 0 else int(logits_V.argmax())
    products_D = weights["lm_head"][target] * x_D
    terms = [
        {
            "input": i, "x": float(x_D[i]), "weight": float(weights["lm_head"][target, i]),
            "product": float(products_D[i]),
        }
        for i in np.argsort(-np.abs(products_D), kind="stable").tolist()
    ]  # fmt: skip
    return {
        "text": on.text, "n": read.positions, "at": len(read.tokens) - 1, "read": read.read[-1],
        "coming": symbols(on.run.tokenizer)[target], "logit": float(logits_V[target]),
        "mixture": on.run.mixture is not None, "terms": terms, "positions": len(read.tokens),
        "matrices": [
            {"name": p.name, "out": p.shape[0], "in": p.shape[1], "multiplications": p.size}
            for p in model.parameters(config)
            if p.name not in ("wte", "wpe")
        ],
        "mlp": _mlp(on),
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print the terms of the logit, the multiplications, and what the ReLU changes."""
    terms, matrices, T = numbers["terms"], numbers["matrices"], numbers["positions"]
    say(
        f'"{printable(numbers["text"])}": at position {numbers["at"]}, having read '
        f"{numbers['read']}, the logit of {numbers['coming']} is one output of lm_head: "
        f"{count(len(terms), 'product')}, added."
    )
    if numbers["mixture"]:
        say("It is the GPT's: the counts that this run mixes it with have no logits.")
    say_other_windows(T, numbers["n"])
    say()
    _tell_terms(terms, numbers["logit"])
    say()
    rows = table("matrix", "out", "in", "multiplications")
    layer = [at for at in matrices if at["name"].startswith("layer0.")]
    layers = (len(matrices) - 1) // len(layer)
    for at in layer:
        rows.add_row(at["name"], *(f"{at[name]:,}" for name in ("out", "in", "multiplications")))
    every = sum(at["multiplications"] for at in matrices)
    if layers > 1:
        others = (layers - 1) * sum(at["multiplications"] for at in layer)
        rows.add_row(f"{count(layers - 1, 'layer')} more", "", "", f"{others:,}")
    head = matrices[0]
    rows.add_row("lm_head", *(f"{head[name]:,}" for name in ("out", "in", "multiplications")))
    rows.add_row("a position", "", "", f"{every:,}", style="bold")
    rows.add_row(count(T, "position"), "", "", f"{every * T:,}", style="bold")
    stdout().print(rows)
    say()
    mlp = numbers["mlp"]
    say(
        f"layer0.mlp_fc2 times layer0.mlp_fc1 is one matrix of {mlp['width']} x {mlp['width']}. On "
        f"this text it gives what both give without the {mlp['activation']} between them, which "
        f"changes these numbers by up to {figures(mlp['relu'], 2)}."
    )


def _mlp(on: Subject) -> dict[str, Any]:
    """Return how far the first MLP is from one matrix: without its ReLU, and with it."""
    ops, D = ArrayOps(), on.config.n_embd
    first_FD, second_DF = (on.weights[f"layer0.mlp_{name}"] for name in ("fc1", "fc2"))
    x_TD = ops.rmsnorm(on.seen.stream_PTD[1])
    h_TF = ops.linear(x_TD, first_FD)
    both_TD = ops.linear(h_TF, second_DF)
    one_TD = ops.linear(x_TD, second_DF @ first_FD)
    squared = on.config.activation == "squared-relu"
    relu_TD = ops.linear(ops.relu(h_TF, squared), second_DF)
    return {
        "width": D, "activation": on.config.activation,
        "joined": float(np.abs(one_TD - both_TD).max()),
        "relu": float(np.abs(relu_TD - both_TD).max()),
    }  # fmt: skip


def _tell_terms(terms: list[dict[str, Any]], logit: float) -> None:
    rows = table("input", "x", "weight", "product", "sum", least=("sum",))
    so_far = 0.0
    for at in terms[:_SHOWN]:
        so_far += at["product"]
        cells = (figures(at[name]) for name in ("x", "weight", "product"))
        rows.add_row(Text(f"{at['input']}", "bold"), *cells, figures(so_far))
    if len(terms) > _SHOWN:
        rest = sum(at["product"] for at in terms[_SHOWN:])
        others = count(len(terms) - _SHOWN, "other")
        rows.add_row(others, "", "", figures(rest), figures(so_far + rest))
    rows.add_row("logit", "", "", figures(logit), style="bold")
    stdout().print(rows)


def _vector(row_D: NDArray[np.float64]) -> str:
    return f"({', '.join(f'{value:g}' for value in row_D)})"
