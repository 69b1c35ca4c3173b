"""The model's operations over plain lists of floats, or of Values when gradients are wanted.

In: rows of scalars. Out: rows of scalars. `model.operations` defines each operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import cast

from microgpt import model
from microgpt.autograd import Scalar, Value, dot, exp, relu
from microgpt.loss import check_target, cross_entropy
from microgpt.model.dropout import Dropping

Row = list[Scalar]
Matrix = list[Row]
Memory = tuple[Matrix, Matrix]


class ScalarOps:
    """The eight operations of the model, and `cross_entropy`, over rows of scalars."""

    def embed(
        self, tokens_T: Sequence[int], wte_VD: Matrix, wpe_TD: Matrix | None, start: int
    ) -> Matrix:
        if wpe_TD is None:
            return [wte_VD[token] for token in tokens_T]
        return [
            [t + p for t, p in zip(wte_VD[token], wpe_TD[start + i])]
            for i, token in enumerate(tokens_T)
        ]

    def rmsnorm(self, x_TD: Matrix, groups: int = 1) -> Matrix:
        rows: Matrix = []
        for x_D in x_TD:
            row: Row = []
            width = len(x_D) // groups
            for g in range(0, len(x_D), width):
                x_K = x_D[g : g + width]
                scale = (dot(x_K, x_K) / width + model.RMSNORM_EPSILON) ** -0.5
                row += [x * scale for x in x_K]
            rows.append(row)
        return rows

    def rotate(self, x_TD: Matrix, n_head: int, start: int) -> Matrix:
        K = len(x_TD[0]) // n_head
        rows: Matrix = []
        for t, x_D in enumerate(x_TD):
            row: Row = []
            rotations = [(math.cos(a), math.sin(a)) for a in model.angles(K, start + t)]
            for h in range(0, n_head * K, K):
                pairs = list(zip(x_D[h : h + K // 2], x_D[h + K // 2 : h + K], rotations))
                row += [x * cos + y * sin for x, y, (cos, sin) in pairs]
                row += [y * cos - x * sin for x, y, (cos, sin) in pairs]
            rows.append(row)
        return rows

    def linear(self, x_TD: Matrix, weight: Matrix) -> Matrix:
        return [[dot(w, x) for w in weight] for x in x_TD]

    def causal_attention(
        self, q_TD: Matrix, k_TD: Matrix, v_TD: Matrix, n_head: int, memory: Memory | None
    ) -> Matrix:
        keys_SD, values_SD = memory or ([], [])
        K = len(q_TD[0]) // n_head
        rows: Matrix = []
        for q_D, k_D, v_D in zip(q_TD, k_TD, v_TD):
            # Later keys have not been appended yet: the attention is causal without a mask.
            keys_SD.append(k_D)
            values_SD.append(v_D)
            row: Row = []
            for h in range(0, n_head * K, K):
                q_K = q_D[h : h + K]
                p_S = softmax([dot(q_K, k[h : h + K]) / K**0.5 for k in keys_SD])
                row += [dot(p_S, column) for column in zip(*[v[h : h + K] for v in values_SD])]
            rows.append(row)
        return rows

    def full_attention(self, q_TD: Matrix, k_TD: Matrix, v_TD: Matrix, n_head: int) -> Matrix:
        """Average the values of all positions, later ones too: attention without its mask."""
        rows: Matrix = []
        for q_D in q_TD:
            # With the others in the cache, the last position attends to all.
            others = k_TD[:-1], v_TD[:-1]
            rows += self.causal_attention([q_D], k_TD[-1:], v_TD[-1:], n_head, others)
        return rows

    def relu(self, x_TF: Matrix, squared: bool) -> Matrix:
        rows = [[relu(x) for x in row] for row in x_TF]
        # A product, not ** 2: on overflow a product is inf, which stops training, and ** raises.
        return [[x * x for x in row] for row in rows] if squared else rows

    def dropout(self, x_TD: Matrix, dropping: Dropping, place: int) -> Matrix:
        scale = dropping.scale()
        return [
            [x * (scale * kept) for x, kept in zip(row, dropping.keeps(place, t, len(row)))]
            for t, row in enumerate(x_TD)
        ]

    def add(self, x_TD: Matrix, y_TD: Matrix) -> Matrix:
        return [[a + b for a, b in zip(x, y)] for x, y in zip(x_TD, y_TD)]

    def cross_entropy(self, logits_TV: Matrix, targets_T: Sequence[int]) -> Row:
        losses_T: Row = []
        for position, (logits_V, target) in enumerate(zip(logits_TV, targets_T)):
            check_target(target, len(logits_V), position)
            if isinstance(logits_V[0], Value):
                nodes_V = cast("list[Value]", logits_V)
                loss, d_logits_V = cross_entropy([z.data for z in nodes_V], target)
                losses_T.append(Value(loss, nodes_V, d_logits_V))
            else:
                losses_T.append(cross_entropy(cast("list[float]", logits_V), target)[0])
        return losses_T


def softmax(scores_S: Row) -> Row:
    """Return exp(score) / sum of exp(score); the largest score is subtracted first."""
    top = max([s.data if isinstance(s, Value) else s for s in scores_S])
    exps_S = [exp(s - top) for s in scores_S]
    # Not `sum`: since Python 3.12 it compensates rounding for floats, but not for Values.
    scale = reduce(lambda a, b: a + b, exps_S) ** -1
    return [e * scale for e in exps_S]
