"""The model's operations as nodes of an ONNX graph: `model.gpt` itself writes the graph.

In: names of values. Out: the name of the result of nodes that were added. `model.operations`
defines each operation; here tokens are B rows of equal length, so that shapes begin with B.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.model.dropout import Dropping

Table = NDArray[np.float64]


class GraphOps:
    """The operations of the model, each of which adds nodes to a graph.

    Args:
        config: the model's shape.
        tokens_BT: the name of the graph's input.

    Attributes:
        nodes: in the order of computation.
        constants: by name.
    """

    def __init__(self, config: GPTConfig, tokens_BT: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._config, self._tokens_BT = config, tokens_BT

    def embed(self, tokens_T: Sequence[int], wte_VD: str, wpe_TD: str | None, start: int) -> str:
        x_BTD = self._node("Gather", wte_VD, self._tokens_BT)
        return x_BTD if wpe_TD is None else self.add(x_BTD, self._at_positions(wpe_TD))

    def rmsnorm(self, x_TD: str, groups: int = 1) -> str:
        x = self._parted(x_TD, groups) if groups > 1 else x_TD
        squares = self._node("ReduceMean", self._node("Mul", x, x), axes=[-1], keepdims=1)
        sums = self._node("Add", squares, self._real(model.RMSNORM_EPSILON))
        x = self._node("Div", x, self._node("Sqrt", sums))
        return self._joined(x) if groups > 1 else x

    def linear(self, x_TD: str, weight: str) -> str:
        return self._node("MatMul", x_TD, self._node("Transpose", weight, perm=[1, 0]))

    def rotate(self, x_TD: str, n_head: int, start: int) -> str:
        x_BTHK = self._parted(x_TD, n_head)
        cos, sin = map(self._at_positions, self._rotations)
        K = self._config.n_embd // n_head
        x, y = self._slice(x_BTHK, 0, K // 2), self._slice(x_BTHK, K // 2, K)
        left = self.add(self._node("Mul", x, cos), self._node("Mul", y, sin))
        right = self._node("Sub", self._node("Mul", y, cos), self._node("Mul", x, sin))
        return self._joined(self._node("Concat", left, right, axis=-1))

    def causal_attention(self, q_TD: str, k_TD: str, v_TD: str, n_head: int, memory: Any) -> str:
        q_BHTK, k_BHSK, v_BHSK = (
            self._node("Transpose", self._parted(x, n_head), perm=[0, 2, 1, 3])
            for x in (q_TD, k_TD, v_TD)
        )
        scores = self._node("MatMul", q_BHTK, self._node("Transpose", k_BHSK, perm=[0, 1, 3, 2]))
        scores = self._node("Div", scores, self._real((self._config.n_embd // n_head) ** 0.5))
        rows_T1 = self._node("Unsqueeze", self._positions_T, self._whole([1]))
        is_read_TS = self._node("GreaterOrEqual", rows_T1, self._positions_T)
        scores = self._node("Where", is_read_TS, scores, self._real(-np.inf))
        x_BHTK = self._node("MatMul", self._node("Softmax", scores, axis=-1), v_BHSK)
        return self._joined(self._node("Transpose", x_BHTK, perm=[0, 2, 1, 3]))

    def relu(self, x_TF: str, squared: bool) -> str:
        x_BTF = self._node("Relu", x_TF)
        return self._node("Mul", x_BTF, x_BTF) if squared else x_BTF

    def add(self, x_TD: str, y_TD: str) -> str:
        return self._node("Add", x_TD, y_TD)

    def dropout(self, x_TD: str, dropping: Dropping, place: int) -> NoReturn:
        raise NotImplementedError("a graph is not trained")

    def cross_entropy(self, logits_TV: str, targets_T: Sequence[int]) -> NoReturn:
        raise NotImplementedError("a graph returns logits")

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, unless it is there, and return the name of its result."""
        key = repr((operator, inputs, attributes))
        if key not in self._named:
            self._named[key] = name = f"{operator}_{len(self.nodes)}"
            self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return self._named[key]

    @cached_property
    def _named(self) -> dict[str, str]:
        """The result of each node by what it computes."""
        return {}

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = values
        return name

    def _real(self, value: float) -> str:
        return self._constant(f"real {value}", np.array(value, dtype="<f4"))

    def _whole(self, value: int | list[int]) -> str:
        return self._constant(f"whole {value}", np.array(value, dtype="<i8"))

    @property
    def _positions_T(self) -> str:
        """The positions of tokens, from 0."""
        length = self._node("Gather", self._node("Shape", self._tokens_BT), self._whole(1))
        return self._node("Range", self._whole(0), length, self._whole(1))

    def _at_positions(self, table: str) -> str:
        """Return the rows of a table for all positions: it has block_size, and more is an error."""
        return self._node("Gather", table, self._positions_T)

    @cached_property
    def _rotations(self) -> tuple[str, str]:
        """The cosines and the sines by which a position rotates each pair of every head."""
        K = self._config.n_embd // self._config.n_head
        angles: Table = np.array([[model.angles(K, t)] for t in range(self._config.block_size)])
        cos, sin = (part(angles).astype("<f4") for part in (np.cos, np.sin))
        return self._constant("cosines", cos), self._constant("sines", sin)

    def _parted(self, x_TD: str, parts: int) -> str:
        """Return x with rows in equal parts: a head's, for example."""
        return self._node("Reshape", x_TD, self._whole([0, 0, parts, -1]))

    def _joined(self, x: str) -> str:
        """Return x with whole rows again."""
        return self._node("Reshape", x, self._whole([0, 0, self._config.n_embd]))

    def _slice(self, x: str, start: int, stop: int) -> str:
        return self._node("Slice", x, *map(self._whole, ([start], [stop], [-1])))
