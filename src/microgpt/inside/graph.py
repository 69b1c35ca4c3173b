"""The computation graph of a loss on the scalar engine: every Value, filed by what made it.

In: a config, parameters, a text's tokens and targets. Out: a `Graph` after the backward pass. The
engine's own operations compute it; `_FilingOps` stands between them and `model.gpt`, and after each
operation files the Values that are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from microgpt import engines, model
from microgpt.autograd import Value, without_collector
from microgpt.config import GPTConfig
from microgpt.inside.filing import Filing, Path
from microgpt.model.dropout import Dropping

Rows: TypeAlias = "list[list[Value]]"

PARAMETERS = "parameters"
"""The first name in the path of every parameter; then come its matrix and its row."""


@dataclass(frozen=True, eq=False)
class Graph:
    """The graph of one loss, after its backward pass: each Value has its gradient.

    Attributes:
        loss: the Value at its end.
        losses: of all positions; those that `loss` does not depend on are in no group.
        groups: all Values that the loss depends on, each in one group, in the order in which they
            were computed. A group's path says which part of the model made it, such as
            ("layer0", "attention", "scores", "position 3", "head 1").
        parameters: all parameters by matrix, also those that the loss does not depend on.
    """

    loss: Value
    losses: list[Value]
    groups: dict[Path, list[Value]]
    parameters: dict[str, Rows]


def graph(
    config: GPTConfig,
    parameters: NDArray[Any],
    tokens_T: Sequence[int],
    targets_T: Sequence[int],
    position: int | None = None,
) -> Graph:
    """Compute a loss on the scalar engine, and its gradient with respect to every Value.

    Args:
        config: the model's shape.
        parameters: all of them, in the order of `model.parameters`.
        tokens_T: what is read, at most block_size.
        targets_T: what comes at each position.
        position: whose loss; None: the mean of all.

    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> found = graph(config, np.zeros(model.size(config)), [2, 0], [0, 1])
    >>> round(found.loss.data, 4)  # ln 3: without weights all three tokens are equally likely
    1.0986
    >>> [*found.groups][-1]
    ('loss', 'mean')
    """
    matrices = {
        name: [[Value(x) for x in row] for row in matrix.tolist()]
        for name, matrix in model.views(np.asarray(parameters, np.float64), config).items()
    }
    filing = Filing()
    for name, rows in matrices.items():
        for i, row in enumerate(rows):
            filing.file((PARAMETERS, name, f"row {i}"), row)
    ops = _FilingOps(filing, matrices, config.n_layer)
    with without_collector():
        logits_TV = model.gpt(ops, config, matrices, tokens_T)
        losses_T = ops.cross_entropy(logits_TV, targets_T)
        if position is None:
            loss = reduce(add, losses_T) * (1 / len(losses_T))
            filing.file(("loss", "mean"), [loss])
        else:
            loss = losses_T[position]
        loss.backward()
    return Graph(loss, losses_T, filing.reaching(loss), matrices)


class _FilingOps:
    """The scalar engine's operations; the Values that each call makes are filed.

    Where in the model an operation is called follows from the additions to the residual stream
    before it, two a layer; which matrix a linear layer has, from the matrix.
    """

    def __init__(self, filing: Filing, matrices: dict[str, Rows], n_layer: int) -> None:
        self._ops = engines.scalar_operations()
        self._filing, self._n_layer = filing, n_layer
        self._names = {id(rows): name for name, rows in matrices.items()}
        self._adds = 0
        self._is_embedding = True
        self._is_normed = False

    def embed(self, tokens_T: Sequence[int], wte_VD: Rows, wpe_TD: Rows | None, start: int) -> Rows:
        x_TD = self._ops.embed(tokens_T, wte_VD, wpe_TD, start)
        return self._filed("token + position", x_TD)

    def rmsnorm(self, x_TD: Rows, groups: int = 1) -> Rows:
        name = "norm of queries and keys" if self._is_normed else "norm"
        x_TD = self._filed(name, self._ops.rmsnorm(x_TD, groups))
        self._is_normed = not self._is_embedding
        self._is_embedding = False
        return x_TD

    def linear(self, x_TD: Rows, weight: Rows) -> Rows:
        name = self._names[id(weight)].rpartition(".")[2]
        return self._filed(f"times {name}", self._ops.linear(x_TD, weight))

    def rotate(self, x_TD: Rows, n_head: int, start: int) -> Rows:
        return self._filed("rotation by position", self._ops.rotate(x_TD, n_head, start))

    def causal_attention(
        self, q_TD: Rows, k_TD: Rows, v_TD: Rows, n_head: int, memory: Any
    ) -> Rows:
        x_TD: Rows = self._ops.causal_attention(q_TD, k_TD, v_TD, n_head, memory)
        K = len(x_TD[0]) // n_head
        for t, row in enumerate(x_TD):
            for h in range(n_head):
                self._attention(row[h * K : (h + 1) * K], f"position {t}", f"head {h}")
        return x_TD

    def _attention(self, averages_K: list[Value], *place: str) -> None:
        """File the Values of one head at one position by what they are."""
        # Scores are products of queries and keys, which have been filed before; a score divided by
        # sqrt(K) has a product alone for its input; what stands between is the softmax.
        new = self._filing.new(averages_K)
        made, averages = set(new), set(averages_K)
        products = {v for v in new if v not in averages and made.isdisjoint(v.inputs)}
        for value in new:
            if value in averages:
                part = "average of values"
            elif value in products or (len(value.inputs) == 1 and value.inputs[0] in products):
                part = "scores"
            else:
                part = "softmax"
            self._filing.put((*self._place(), part, *place), value)

    def relu(self, x_TF: Rows, squared: bool) -> Rows:
        return self._filed("relu", self._ops.relu(x_TF, squared))

    def dropout(self, x_TD: Rows, dropping: Dropping, place: int) -> Rows:
        return self._filed("dropout", self._ops.dropout(x_TD, dropping, place))

    def add(self, x_TD: Rows, y_TD: Rows) -> Rows:
        x_TD = self._filed("added to the stream", self._ops.add(x_TD, y_TD))
        self._adds += 1
        self._is_normed = False
        return x_TD

    def cross_entropy(self, logits_TV: Rows, targets_T: Sequence[int]) -> list[Value]:
        losses_T = cast("list[Value]", self._ops.cross_entropy(logits_TV, targets_T))
        for t, loss in enumerate(losses_T):
            self._filing.file(("loss", "-log p", f"position {t}"), [loss])
        return losses_T

    def _filed(self, part: str, x_TD: Rows) -> Rows:
        """File the new Values of each row."""
        place = self._place()
        for t, row in enumerate(x_TD):
            self._filing.file((*place, part, f"position {t}"), row)
        return x_TD

    def _place(self) -> Path:
        """Return the part of the model that computes now."""
        layer, half = divmod(self._adds, 2)
        if self._is_embedding:
            return ("embedding",)
        if layer == self._n_layer:
            return ("output",)
        return (f"layer{layer}", "MLP" if half else "attention")
