"""The computation graph of one loss of a text: folded, unfolded, down to single Values.

In: a run's name, a text, a path. Out: a part of the graph, at most 200 entries at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from starlette.routing import Route

from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import UsageError
from microgpt.inside.filing import Path
from microgpt.inside.graph import graph
from microgpt.inside.outline import Fold, Link, Outline
from microgpt.model import size
from microgpt.runs.model import Model
from microgpt.runs.reading import ReadText, reading
from microgpt.studio.answers import answering
from microgpt.studio.library import Library
from microgpt.studio.prices import LONGEST, check_length
from microgpt.wording import count

ENTRIES = 200
"""The most parts or Values in one answer."""

WORK = 2_000_000
"""The most parameters times positions: about as many products are in the graph, in plain Python."""


@dataclass(frozen=True)
class GraphAsked:
    """A question: what is in this part of the graph of this loss?

    Attributes:
        run: its name.
        text: read.
        position: whose loss; None: the mean of all.
        path: of the part; empty: the whole graph.
        first: the number of the first entry to list.
    """

    run: str
    text: str
    position: int | None = None
    path: list[str] | None = None
    first: int = 0


@dataclass(frozen=True)
class ValueAsked:
    """A question: what is this Value of the graph of this loss?"""

    run: str
    text: str
    number: int
    position: int | None = None


class Graphs:
    """Answers questions on graphs; the last graph is kept, because more are asked about it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[Model, str, int | None] | None = None
        self._last: tuple[ReadText, Outline] | None = None

    def part(self, model: Model, asked: GraphAsked) -> dict[str, Any]:
        """Return the entries of a part: the parts in it, or its Values.

        Raises:
            UsageError: the graph would be too large, or there is no such part.
        """
        read, outline = self._of(model, asked.text, asked.position)
        path = tuple(asked.path or ())
        folds = outline.folds(path)
        numbers = [] if folds else outline.under(path)
        if not folds and not numbers:
            raise UsageError(f"{' > '.join(path)}: the graph of this loss has no such part.")
        some = slice(max(asked.first, 0), max(asked.first, 0) + ENTRIES)
        losses = [node.data for node in outline.graph.losses]
        return {
            "loss": outline.graph.loss.data,
            "values": len(outline.all),
            "read": read.read,
            "coming": read.coming,
            "losses": losses,
            "path": path,
            "first": some.start,
            "count": len(folds or numbers),
            "folds": folds[some],
            "labels": [_label(fold.path, read, model) for fold in folds[some]],
            "nodes": [_node(outline, number) for number in numbers[some]],
            "boxes": [] if path else _boxes(outline),
            "arrows": [] if path else arrows(outline),
        }

    def value(self, model: Model, asked: ValueAsked) -> dict[str, Any]:
        """Return a Value, with what it was computed from and what was computed from it.

        Raises:
            UsageError: there is no such Value.
        """
        _, outline = self._of(model, asked.text, asked.position)
        if not 0 <= asked.number < len(outline.all):
            raise UsageError(
                f"number must be from 0 to {len(outline.all) - 1}; got {asked.number}."
            )
        inputs, uses = outline.inputs(asked.number), outline.uses(asked.number)
        grad = outline.all[asked.number].grad
        return {
            **_node(outline, asked.number),
            "path": outline.path(asked.number),
            "inputs": _links(outline, inputs, lambda link: link.derivative * grad),
            "inputs_count": len(inputs),
            "uses": _links(
                outline, uses, lambda link: link.derivative * outline.all[link.number].grad
            ),
            "uses_count": len(uses),
        }

    def _of(self, model: Model, text: str, position: int | None) -> tuple[ReadText, Outline]:
        with self._lock:
            if self._last is None or self._key != (model, text, position):
                self._last = None  # before the next one is made: one at a time is in memory
                self._last = _made(model, text, position)
                self._key = (model, text, position)
            return self._last


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    graphs = Graphs()
    return [
        answering("/api/graph", GraphAsked, lambda q: graphs.part(library.run(q.run), q)),
        answering("/api/value", ValueAsked, lambda q: graphs.value(library.run(q.run), q)),
    ]


def _made(model: Model, text: str, position: int | None) -> tuple[ReadText, Outline]:
    """Build a graph, if it is small enough.

    Raises:
        UsageError: it is not; or a character is unknown; or there is no such position.
    """
    check_length(text)
    model.check_single("a graph")
    config = model.settings.model
    read = reading(model, text, LONGEST)
    if read.positions > len(read.tokens):
        raise UsageError(
            f"The graph is that of one window, which has {config.block_size} positions; "
            f"got {read.positions}. Try a shorter text."
        )
    most = WORK // size(config)
    if len(read.tokens) > most:
        trained = count(size(config), "parameter")
        raise UsageError(
            f"With {trained} the graph would be too large: a text may have {max(most, 0)} "
            f"positions, its end included; got {len(read.tokens)}. "
            + ("Try a shorter text." if most > 1 else "Try a run with a smaller model.")
        )
    unknown = [symbol[:-1] for symbol, target in zip(read.coming, read.targets) if target < 0]
    if unknown:
        raise UsageError(
            f"{unknown[0]} is unknown to the model: its loss is fixed and has no graph."
        )
    if position is not None and not 0 <= position < len(read.tokens):
        raise UsageError(f"position must be from 0 to {len(read.tokens) - 1}; got {position}.")
    parameters = model.engine.state().parameters
    return read, Outline(graph(config, parameters, read.tokens, read.targets, position))


def _node(outline: Outline, number: int) -> dict[str, Any]:
    value = outline.all[number]
    return {
        "number": number,
        "operation": outline.operation(number),
        "data": value.data,
        "grad": value.grad,
    }


def _links(
    outline: Outline, links: list[Link], flow: Callable[[Link], float]
) -> list[dict[str, Any]]:
    """Return links with what flows back along them; of too many, those with the most."""
    if len(links) > ENTRIES // 2:
        links = sorted(links, key=lambda link: -abs(flow(link)))[: ENTRIES // 2]
    return [
        {
            **_node(outline, link.number),
            "path": outline.path(link.number),
            "derivative": link.derivative,
            "flow": flow(link),
        }
        for link in links
    ]


def _label(path: Path, read: ReadText, model: Model) -> str:
    """Return what a part is called, with the token that it is about."""
    name, _, number = path[-1].partition(" ")
    if name == "row" and path[1] in ("wte", "lm_head"):
        return f"{path[-1]}: {symbols(model.tokenizer)[int(number)]}"
    if name == "position":
        shown = read.coming if path[0] == "loss" else read.read
        return f"{path[-1]}: {shown[int(number)]}"
    return path[-1]


def _boxes(outline: Outline) -> list[Fold]:
    """Return the parts of the picture: layers by halves, the others whole."""
    return [
        box
        for fold in outline.folds(())
        for box in (outline.folds(fold.path) if fold.path[0].startswith("layer") else [fold])
    ]


def arrows(outline: Outline) -> list[tuple[str, str, int]]:
    """Return how many inputs lead from one box to another."""
    names = {path: " ".join(path) for path in (fold.path for fold in _boxes(outline))}
    found: dict[tuple[str, str], int] = {}
    for (source, target), number in outline.arrows(2).items():
        ends = (names.get(source, source[0]), names.get(target, target[0]))
        if ends[0] != ends[1]:
            found[ends] = found.get(ends, 0) + number
    return [(*ends, number) for ends, number in found.items()]
