"""One pass over all tiles of logits: the losses, and perhaps the gradients in the same pass.

In: a `Head`. Out: the loss of each position, its log-sum-exp, and what else was asked for.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from microgpt.torch.gradients import Gradients, Wanted, again
from microgpt.torch.head import Head
from microgpt.torch.statistics import Statistics


class OnePass:
    """One pass over all tiles.

    Args:
        head: the last layer.
        wants: which gradients are wanted in the same pass.
        with_statistics: whether entropy and hits are wanted.

    Attributes:
        losses_N: the loss of each position.
        nats_N: -log p[target].
        lse_N: log-sum-exp.
        gradients: those that are wanted.
    """

    def __init__(self, head: Head, wants: Wanted, *, with_statistics: bool) -> None:
        self._head, self._with_statistics = head, with_statistics
        N, (rows, columns) = len(head.hidden_ND), head.tile
        like: dict[str, Any] = {"dtype": head.wide, "device": head.hidden_ND.device}
        self.losses_N, self.nats_N, self.lse_N, self._entropy_N = (
            torch.zeros(N, **like) for _ in range(4)
        )
        self._hit_N = torch.zeros(N, dtype=torch.bool, device=head.hidden_ND.device)
        is_whole = columns == len(head.weight_VD)
        self.gradients = Gradients(head, wants) if any(wants) and is_whole else None
        buffer = torch.empty(rows, columns, **like) if is_whole else None
        for its in head.rows():
            self._row(its, buffer)
        if self.gradients:
            self.gradients.finish(slice(0, columns))
        elif any(wants):
            self.gradients = again(head, self.nats_N, self.lse_N, None, wants)

    @property
    def statistics(self) -> Statistics:
        """What was computed on the way."""
        counted_N = torch.ones_like(self._hit_N)
        return Statistics(self.nats_N, self.lse_N, self._entropy_N, self._hit_N, counted_N)

    def _row(self, rows: slice, buffer: Tensor | None) -> None:
        """Compute some positions; if their tile has all tokens, their gradients, too."""
        head, target_P = self._head, self._head.target_N[rows]
        row = _Row(head, target_P, with_statistics=self._with_statistics)
        z_PC = e_PC = target_P
        for columns in head.columns():
            z_PC = head.logits(rows, columns, buffer)
            e_PC = row.add(z_PC, columns)
        log_P = row.sum_P.log()
        # Both parts are at least 0, so that nothing cancels.
        self.nats_N[rows] = nats_P = (row.top_P - row.at_P) + log_P
        self.lse_N[rows] = lse_P = row.top_P + log_P
        self.losses_N[rows] = head.losses(nats_P, lse_P, row.all_P, rows)
        if self._with_statistics:
            self._entropy_N[rows] = lse_P - row.expected_P / row.sum_P
            self._hit_N[rows] = row.likely_P == target_P
        if self.gradients:
            whole, p_PC = slice(0, len(head.weight_VD)), e_PC.div_(row.sum_P.unsqueeze(1))
            counts = head.coefficients(nats_P, lse_P, rows)
            self.gradients.add(head.slope(z_PC, p_PC, counts, rows, whole), rows, whole)


class _Row:
    """The sums of some positions over all tokens, joined from tile to tile.

    Attributes:
        top_P: the largest logit.
        sum_P: the sum of exp(z - top).
        at_P: the target's logit.
        all_P: the sum of all logits, weighted by class; None: targets are not smoothed.
        expected_P: the sum of z exp(z - top).
        likely_P: the likeliest token.
    """

    def __init__(self, head: Head, target_P: Tensor, *, with_statistics: bool) -> None:
        self._head, self._target_P, self._with_statistics = head, target_P, with_statistics
        P, like = len(target_P), {"dtype": head.wide, "device": target_P.device}
        zeros: list[Tensor] = [torch.zeros(P, **like) for _ in range(4)]  # type: ignore[arg-type]
        self.sum_P, self.at_P, self.expected_P, all_P = zeros
        self.all_P = all_P if head.terms.label_smoothing else None
        self._least = torch.finfo(head.wide).min
        self.top_P = torch.full_like(all_P, -torch.inf)
        self.likely_P = torch.zeros_like(target_P)

    def add(self, z_PC: Tensor, columns: slice) -> Tensor:
        """Add a tile; return exp(z - top), which overwrites the tile unless it is read again."""
        head, before_P = self._head, self.top_P
        if self.all_P is not None:
            self.all_P += head.smoothed(z_PC, columns)
        highest_P, where_P = z_PC.max(1)
        self.top_P = torch.maximum(before_P, highest_P)
        self.likely_P = torch.where(highest_P > before_P, where_P + columns.start, self.likely_P)
        at_P = self._target_P - columns.start
        is_inside_P = (at_P >= 0) & (at_P < z_PC.shape[1])
        found_P = z_PC.gather(1, at_P.clamp(0, z_PC.shape[1] - 1).unsqueeze(1)).squeeze(1)
        self.at_P = torch.where(is_inside_P, found_P, self.at_P)
        # Where all logits are -inf so far, there is no largest one to subtract.
        shift_P = self.top_P.clamp(min=self._least)
        is_read_again = head.terms.softcap or self._with_statistics
        e_PC = z_PC - shift_P.unsqueeze(1) if is_read_again else z_PC.sub_(shift_P.unsqueeze(1))
        e_PC.exp_()
        before = (before_P.clamp(min=self._least) - shift_P).exp()
        self.sum_P = self.sum_P * before + e_PC.sum(1)
        if self._with_statistics:
            own_P = (e_PC * z_PC.clamp(min=self._least)).sum(1)
            self.expected_P = self.expected_P * before + own_P
        return e_PC
