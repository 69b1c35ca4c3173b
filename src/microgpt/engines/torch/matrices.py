"""Matrices that several ranks share out, and gather while something computes with them.

In: a part of the table of parameters. Out: a module of PyTorch's, which `fully_shard` cuts.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from torch import nn

from microgpt.model.table import Parameter


class Matrices(nn.Module):
    """Matrices that are gathered together, while something computes with them.

    Args:
        table: their names and shapes.
        like: their type and device.
        inner: others, which are gathered when they are called.
    """

    def __init__(
        self, table: Iterable[Parameter], like: dict[str, Any], inner: Iterable[Matrices] = ()
    ) -> None:
        super().__init__()
        self._names = {p.name.split(".")[-1]: p for p in table}
        for name, p in self._names.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(p.shape, **like)))
        self.inner = nn.ModuleList(inner)

    def forward(self, compute: Callable[..., Any], *given: Any) -> Any:
        """Compute with the matrices by name, and whatever is given."""
        return compute({name: getattr(self, name) for name in self._names}, *given)

    def parts(self) -> Iterator[tuple[Parameter, Any]]:
        """Yield each matrix with this rank's part of it, those of `inner` too."""
        for name, p in self._names.items():
            yield p, getattr(self, name)
        for inner in self.inner:
            yield from cast(Matrices, inner).parts()
