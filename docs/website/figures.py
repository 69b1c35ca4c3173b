"""The live figures: the studio's own modules, and what they show, as files beside the pages.

In: `<div class="figure" data-figure="NAME"></div>` in a page, which GitHub shows as nothing. Out: a
script that opens it, a style sheet, and the data: a model that `microgpt train` would make, and the
graph of the losses of a tiny one. They are trained here: the same each time, and in no commit.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import microgpt
from microgpt import Run, engines, html, page
from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import MicroGPTError
from microgpt.export.data import data
from microgpt.export.linked import linked
from microgpt.export.weights import weights
from microgpt.inside.graph import graph
from microgpt.inside.outline import Outline
from microgpt.runs.reading import reading
from microgpt.studio.graphs import arrows

FIGURES = {"curve": "model", "temperature": "model", "attention": "model", "graph": "graphs"}
"""Each figure, and the data that it shows."""

TEXT = "emma"
"""The text whose losses have graphs."""

_PLACE = re.compile(r'<div class="figure" data-figure="([^"]*)"></div>')
_WITHOUT = (
    r'<div class="figure" data-figure="\1">'
    "<noscript>This needs JavaScript.</noscript></div>"
)
_STYLES = ("page", "chart", "sample", "inside", "figure")
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{((?:[^{}]*\{[^{}]*\})*)\s*\}")


def placed(text: str, name: str) -> str:
    """Let a page load what its figures need.

    Args:
        text: the page's Markdown.
        name: of the page, from which the way to the files follows.

    Raises:
        ValueError: there is no such figure.

    >>> print(placed('<div class="figure" data-figure="curve"></div>', "learn/loss"))
    <div class="figure" data-figure="curve"><noscript>This needs JavaScript.</noscript></div>
    <BLANKLINE>
    <script defer src="../_static/figures/model.js"></script>
    <script defer src="../_static/figures/figures.js"></script>
    <BLANKLINE>
    """
    named = _PLACE.findall(text)
    for other in named:
        if other not in FIGURES:
            raise ValueError(
                f"{name}: a figure must be one of {', '.join(FIGURES)}; got {other!r}."
            )
    if not named:
        return text
    files = dict.fromkeys([*(FIGURES[other] for other in named), "figures"])
    folder = "../" * name.count("/") + "_static/figures"
    scripts = (f'<script defer src="{folder}/{file}.js"></script>\n' for file in files)
    return f"{_PLACE.sub(_WITHOUT, text)}\n\n{''.join(scripts)}"


def write(folder: Path) -> None:
    """Write the files that all figures need.

    Args:
        folder: for these; it is made.

    Raises:
        MicroGPTError: the native engine, which trains the model in seconds, is not there.
    """
    if why := engines.why_not_native():
        raise MicroGPTError(f"The figures need the native engine, which is not there: {why}")
    folder.mkdir(parents=True)
    modules = {name: page.text(name) for name in page.names() if name.endswith(".js")}
    (folder / "figures.js").write_text(
        f"(() => {{\n{linked('figure/main.js', modules)}\n}})();\n", "utf-8"
    )
    (folder / "figures.css").write_text(style(), "utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        large = microgpt.train(out=Path(scratch, "names-1"))
        small = microgpt.train(
            preset="microgpt", n_embd=4, n_head=2, block_size=8, steps=1000,
            out=Path(scratch, "small"),
        )  # fmt: skip
        _put(folder, "model", data(large, weights(large, [], 32), []))
        _put(folder, "graphs", graphs(small, TEXT))


def style() -> str:
    """Return the style sheet inside a figure.

    A reader may choose dark pages where the system's are light: what is dark is an attribute here.
    """
    sheets = [html.page_style(), *(page.text(f"style/{name}.css") for name in _STYLES)]
    dark = '.microgpt[data-scheme="dark"]'
    return _DARK.sub(lambda found: found[1].replace(".microgpt", dark), "".join(sheets))


def graphs(run: Run, text: str) -> dict[str, Any]:
    """Return the graphs of a text's losses, as `page/inside/kept.js` reads them.

    Args:
        run: of a model so small that its whole graphs fit into a page.
        text: of known characters, which must fit into the block.
    """
    config, parameters = run.settings.model, run.engine.state().parameters
    read = reading(run, text, config.block_size)
    found = [
        Outline(graph(config, parameters, read.tokens, read.targets, position))
        for position in (None, *range(len(read.tokens)))
    ]
    mean, *each = map(_written, found)
    return {
        "text": text,
        "symbols": symbols(run.tokenizer),
        "read": read.read,
        "coming": read.coming,
        "losses": [_short(loss.data) for loss in found[0].graph.losses],
        "mean": mean,
        "each": each,
    }


def _written(outline: Outline) -> dict[str, Any]:
    """Return a graph's Values, in the order of their numbers."""
    operations = [outline.operation(number) for number in range(len(outline.all))]
    names = {name: i for i, name in enumerate(dict.fromkeys(operations))}
    links = [outline.inputs(number) for number in range(len(outline.all))]
    return {
        "loss": _short(outline.graph.loss.data),
        "groups": [(path, len(values)) for path, values in outline.graph.groups.items()],
        "data": [_short(value.data) for value in outline.all],
        "grads": [_short(value.grad) for value in outline.all],
        "names": [*names],
        "operations": [names[operation] for operation in operations],
        "inputs": [
            [x for link in its for x in (link.number, _short(link.derivative))] for its in links
        ],
        "arrows": arrows(outline),
    }


def _short(x: float) -> float:
    """Round to six digits: a page shows three."""
    return float(f"{x:.6g}")


def _put(folder: Path, name: str, value: Any) -> None:
    """Write a script that lays data out for the figures: a page from the disk may read no other."""
    text = json.dumps(value, separators=(",", ":"))
    script = f"(globalThis.microgptFigures ??= {{}}).{name} = {text};\n"
    (folder / f"{name}.js").write_text(script, "utf-8")
