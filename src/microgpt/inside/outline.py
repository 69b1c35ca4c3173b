"""A computation graph as an outline: folded by parts of the model, down to single Values.

In: a `Graph`. Out: the `Fold`s under a path; a `Link` for each Value that one was computed from, or
that was computed from it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from microgpt.autograd import Value
from microgpt.inside.filing import Path
from microgpt.inside.graph import Graph


@dataclass(frozen=True)
class Fold:
    """A part of the graph that is folded.

    Attributes:
        path: of the part.
        values: how many Values it has.
        gradient: the length of their gradients together: the root of the sum of their squares.
        largest: the largest of their gradients, its sign left out.
        unfolds: whether there are parts in it; else it has Values.
    """

    path: Path
    values: int
    gradient: float
    largest: float
    unfolds: bool


@dataclass(frozen=True)
class Link:
    """An input of a Value, or a Value that it is an input of.

    Attributes:
        number: of the other Value.
        derivative: of the later of the two with respect to the earlier.
    """

    number: int
    derivative: float


class Outline:
    """A graph whose Values are numbered in the order of their computation.

    >>> import numpy as np
    >>> from microgpt import model
    >>> from microgpt.config import GPTConfig
    >>> from microgpt.inside.graph import graph
    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> outline = Outline(graph(config, np.zeros(model.size(config)), [2, 0], [0, 1]))
    >>> [fold.path[-1] for fold in outline.folds(())]
    ['parameters', 'embedding', 'layer0', 'output', 'loss']
    >>> sum(fold.values for fold in outline.folds(())) == len(outline.all)
    True
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.all = [value for group in graph.groups.values() for value in group]
        self._paths = [path for path, group in graph.groups.items() for _ in group]

    @cached_property
    def numbers(self) -> dict[Value, int]:
        """The number of each Value."""
        return {value: i for i, value in enumerate(self.all)}

    def operation(self, number: int) -> str:
        """Return how a Value was computed from its inputs."""
        return operation(self.all[number], is_relu="relu" in self._paths[number])

    def path(self, number: int) -> Path:
        """Return where a Value is filed."""
        return self._paths[number]

    def folds(self, path: Path) -> list[Fold]:
        """Return the parts directly under a path, in the order of their computation."""
        depth = len(path)
        parts: dict[Path, list[Value]] = {}
        deeper: set[Path] = set()
        for own, group in self.graph.groups.items():
            if own[:depth] != path:
                continue
            part = own[: depth + 1]
            parts.setdefault(part, []).extend(group)
            if len(own) > depth + 1:
                deeper.add(part)
        return [
            Fold(
                part,
                len(values),
                math.sqrt(sum(v.grad * v.grad for v in values)),
                max(abs(v.grad) for v in values),
                part in deeper,
            )
            for part, values in parts.items()
            if len(part) > depth
        ]

    def under(self, path: Path) -> list[int]:
        """Return the numbers of all Values under a path."""
        return [i for i, own in enumerate(self._paths) if own[: len(path)] == path]

    def inputs(self, number: int) -> list[Link]:
        """Return what a Value was computed from."""
        value = self.all[number]
        return [Link(self.numbers[v], d) for v, d in zip(value.inputs, value.derivatives)]

    def uses(self, number: int) -> list[Link]:
        """Return the Values that were computed from one.

        Its gradient is the sum of theirs, each times its derivative.
        """
        value = self.all[number]
        return [
            Link(i, derivative)
            for i, later in enumerate(self.all[number + 1 :], number + 1)
            if value in later.inputs
            for v, derivative in zip(later.inputs, later.derivatives)
            if v is value
        ]

    def arrows(self, depth: int) -> dict[tuple[Path, Path], int]:
        """Count the inputs that lead from one part to another, parts being paths of this depth."""
        homes = {value: path[:depth] for value, path in zip(self.all, self._paths)}
        counts: dict[Path, Counter[Path]] = {path: Counter() for path in homes.values()}
        for value, own in homes.items():
            counts[own].update(map(homes.__getitem__, value.inputs))
        return {
            (other, own): count
            for own, others in counts.items()
            for other, count in others.items()
            if other != own
        }


def operation(value: Value, *, is_relu: bool = False) -> str:
    """Return how a Value was computed from its inputs a, b, ..., found from its numbers.

    A Value keeps its inputs and its derivative with respect to each, not the operation's name.

    Args:
        value: of a graph.
        is_relu: whether it is in a part that has relus, which look like a * 1 or a * 0.

    >>> a, b = Value(2.0), Value(3.0)
    >>> [operation(v) for v in (a, a + b, a * b, a + 1.0, a - 0.5, a * 4.0, a**-0.5, a.exp())]
    ['a parameter', 'a + b', 'a * b', 'a + 1', 'a - 0.5', 'a * 4', 'a ** -0.5', 'exp(a)']
    """
    data, slopes = value.data, value.derivatives
    xs = tuple(v.data for v in value.inputs)
    half = len(xs) // 2
    if not xs:
        return "a parameter"
    if len(xs) == 1:
        return "relu(a)" if is_relu else _of_one(data, xs[0], slopes[0])
    if slopes == (1.0, 1.0) and data == xs[0] + xs[1]:
        return "a + b"
    if slopes == (*xs[half:], *xs[:half]):
        return "a * b" if half == 1 else f"dot product of {half} pairs"
    return "-log p: the loss of these logits"


def _of_one(data: float, x: float, slope: float) -> str:
    """Return how a number was computed from another, with this slope."""
    if slope == data == math.exp(x):
        return "exp(a)"
    if slope == 1.0 and data != x:
        return f"a {'-' if data < x else '+'} {abs(data - x):.6g}"
    if data == x * slope:
        return f"a * {slope:.6g}"
    return f"a ** {slope * x / data:.6g}"
