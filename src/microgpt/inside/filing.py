"""Values filed in groups: each new one is found by walking back from what an operation returned.

In: a path, Values. Out: groups of Values by path.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from microgpt.autograd import Value

Path: TypeAlias = tuple[str, ...]


class Filing:
    """Groups of Values; a Value is in one group.

    >>> a, b, filing = Value(2.0), Value(3.0), Filing()
    >>> filing.file(("leaves",), [a, b])
    >>> c = a * b + a
    >>> filing.file(("sum",), [c])
    >>> [(path, len(values)) for path, values in filing.reaching(c).items()]
    [(('leaves',), 2), (('sum',), 2)]
    """

    def __init__(self) -> None:
        self._groups: dict[Path, list[Value]] = {}
        self._known: set[Value] = set()

    def file(self, path: Path, ends: Iterable[Value]) -> None:
        """File these Values, and those before them that are in no group."""
        for value in self.new(ends):
            self.put(path, value)

    def put(self, path: Path, value: Value) -> None:
        """File one Value that is in no group."""
        self._known.add(value)
        self._groups.setdefault(path, []).append(value)

    def new(self, ends: Iterable[Value]) -> list[Value]:
        """Return the Values that these depend on and that are in no group, inputs first."""
        return before(ends, self._known)

    def reaching(self, end: Value) -> dict[Path, list[Value]]:
        """Return the groups, without Values that `end` does not depend on."""
        used = set(before([end], set()))
        kept = {path: [v for v in values if v in used] for path, values in self._groups.items()}
        return {path: values for path, values in kept.items() if values}


def before(ends: Iterable[Value], known: set[Value]) -> list[Value]:
    """Return the Values that some depend on, and these, inputs first; known ones end the search."""
    found: dict[Value, None] = {}
    # An explicit stack: a deep graph would exceed the recursion limit.
    stack = [(end, False) for end in reversed(list(ends))]
    while stack:
        value, inputs_are_in = stack.pop()
        if inputs_are_in:
            found[value] = None
        elif value not in known and value not in found:
            stack.append((value, True))
            stack.extend(
                [(v, False) for v in reversed(value.inputs) if v not in known and v not in found]
            )
    return list(found)
