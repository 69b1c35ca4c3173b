"""The cross-entropy of a model's last layer, without its logits.

In: what the layer reads, its matrix, the targets. Out: the loss, with gradients.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any, Literal, overload

import torch
from torch import Tensor

from microgpt.config import ObjectiveName
from microgpt.torch.checks import check, check_options, check_targets
from microgpt.torch.chunked import LossOfEach, SumOfLosses
from microgpt.torch.head import Head, Terms
from microgpt.torch.statistics import Statistics

Reduction = Literal["mean", "sum", "none"]

CHUNK_BYTES = 1 << 26
"""Bytes of a tile of logits, unless the caller says otherwise: 64 MiB."""


@overload
def linear_cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, *, bias_V: Tensor | None = ...,
    reduction: Reduction = ..., ignore_index: int = ..., label_smoothing: float = ...,
    class_weights_V: Tensor | None = ..., softcap: float | None = ..., z_loss: float = ...,
    objective: ObjectiveName = ..., chunk_bytes: int = ..., statistics: Literal[False] = ...,
) -> Tensor: ...  # fmt: skip


@overload
def linear_cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, *, bias_V: Tensor | None = ...,
    reduction: Reduction = ..., ignore_index: int = ..., label_smoothing: float = ...,
    class_weights_V: Tensor | None = ..., softcap: float | None = ..., z_loss: float = ...,
    objective: ObjectiveName = ..., chunk_bytes: int = ..., statistics: Literal[True],
) -> tuple[Tensor, Statistics]: ...  # fmt: skip


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    *,
    bias_V: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    class_weights_V: Tensor | None = None,
    softcap: float | None = None,
    z_loss: float = 0.0,
    objective: ObjectiveName = "cross-entropy",
    chunk_bytes: int = CHUNK_BYTES,
    statistics: bool = False,
) -> Tensor | tuple[Tensor, Statistics]:
    """Return the cross-entropy of ``hidden_ND @ weight_VD.T + bias_V``, in nats.

    ::

        z      = softcap * tanh((hidden @ weight.T + bias) / softcap)
        lse    = log(sum_i exp(z_i))
        nats   = lse - z_target
        loss   = class_weight_target * (1 - s) * nats
               + s / V * sum_i class_weight_i * (lse - z_i)     (s: label_smoothing)
               + z_loss * lse^2

    The N V logits are never in memory: a tile of them is computed, and thrown away when its part of
    the loss and of the gradients is made. With the reductions "sum" and "mean" gradients are made
    in the same pass; they can go backward once. With "none" the logits are computed again in the
    backward pass, for whatever gradient each position's loss has. Call it outside of functions that
    `torch.compile` compiles: it is a loop over tiles, which would be compiled one by one.

    Args:
        hidden_ND: what the last layer reads, of float64, float32, bfloat16 or float16. Under
            autocast it and the matrix are cast as a linear layer's are.
        weight_VD: the layer's matrix, of the same type, on the same device.
        targets_N: token ids in [0, V), or ignore_index.
        bias_V: added to the logits.
        reduction: "mean" of the positions that are not ignored, weighted by their class weights;
            "sum"; or "none", the loss of each position. The mean of no positions is 0.
        ignore_index: a target whose position does not count.
        label_smoothing: the share of the target that is spread evenly over all tokens, in [0, 1].
        class_weights_V: what a position counts, by its target.
        softcap: a bound on the logits, above 0; None: there is none.
        z_loss: the weight of lse^2, which keeps the logits from drifting.
        objective: which function of p[target] the loss is in place of nats: see
            `microgpt.loss.OBJECTIVES`.
        chunk_bytes: of a tile of logits, at most.
        statistics: whether to return what was computed on the way, too.

    Returns:
        The loss, in float32 (float64 for float64), and perhaps its `Statistics`.

    Raises:
        UsageError: shapes, types or devices do not fit together, a target is no token id (the
            message names its position), an option is out of its domain; or, in the backward pass, a
            second derivative is asked for.

    Source: the log-sum-exp joined from tile to tile, Milakov and Gimelshein, "Online normalizer
    calculation for softmax" (2018); gradients in the pass of the loss, Hsu et al., "Liger kernel"
    (2024); label smoothing, Szegedy et al., "Rethinking the inception architecture" (2016); z_loss,
    Chowdhery et al., "PaLM" (2022); softcap, Gemma team, "Gemma 2" (2024).

    >>> hidden_ND, weight_VD = torch.zeros(3, 8), torch.zeros(5, 8, requires_grad=True)
    >>> loss, found = linear_cross_entropy(
    ...     hidden_ND, weight_VD, torch.tensor([0, 4, -100]), statistics=True
    ... )
    >>> round(loss.item(), 4), found.sum.positions
    (1.6094, 2)
    """
    hidden_ND, weight_VD, bias_V = _cast(hidden_ND, weight_VD, bias_V)
    check(hidden_ND, weight_VD, targets_N, bias_V, class_weights_V)
    check_options(reduction, label_smoothing, softcap, z_loss, objective, chunk_bytes)
    is_counted = targets_N != ignore_index
    check_targets(targets_N, is_counted, len(weight_VD), ignore_index)
    # What an ignored position holds may be anything, NaN too: it has no part in any product.
    counted_M = None if is_counted.all() else is_counted.nonzero().squeeze(1)
    if counted_M is not None:
        hidden_ND = hidden_ND.index_select(0, counted_M)
    target_M = (targets_N if counted_M is None else targets_N[counted_M]).long()
    wide = torch.float64 if hidden_ND.dtype == torch.float64 else torch.float32
    factor_M = torch.ones_like(target_M, dtype=wide)
    if class_weights_V is not None:
        class_weights_V = class_weights_V.to(wide)
        factor_M = class_weights_V[target_M]
    terms = Terms(label_smoothing, softcap, z_loss, objective)
    head = Head(
        hidden_ND.detach(), weight_VD.detach(), bias_V, target_M, factor_M, class_weights_V, terms,
        chunk_bytes,
    )  # fmt: skip
    made: list[Any] = [None] if statistics else []
    with torch.autocast(hidden_ND.device.type, enabled=False):
        function = LossOfEach if reduction == "none" else SumOfLosses
        loss: Tensor = function.apply(hidden_ND, weight_VD, bias_V, head, made)  # type: ignore
    if reduction == "mean":
        loss = loss / factor_M.sum().clamp(min=torch.finfo(wide).tiny)
    elif reduction == "none" and counted_M is not None:
        loss = loss.new_zeros(len(targets_N)).index_copy(0, counted_M, loss)
    if not statistics:
        return loss
    found = made[0].statistics
    return loss, found if counted_M is None else found.at(counted_M, len(targets_N))


def summed(
    hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, objective: ObjectiveName
) -> tuple[Tensor, Tensor]:
    """Return the sum of an objective, which can go backward once, and nats_N, without checks.

    It is what the torch engine trains with: its targets are checked before they reach a device.
    """
    hidden_ND, weight_VD, _ = _cast(hidden_ND, weight_VD, None)
    wide = torch.float64 if hidden_ND.dtype == torch.float64 else torch.float32
    factor_N = torch.ones_like(target_N, dtype=wide)
    head = Head(
        hidden_ND.detach(), weight_VD.detach(), None, target_N, factor_N, None,
        Terms(objective=objective), CHUNK_BYTES,
    )  # fmt: skip
    found: list[Any] = []
    with torch.autocast(hidden_ND.device.type, enabled=False):
        loss: Tensor = SumOfLosses.apply(hidden_ND, weight_VD, None, head, found)  # type: ignore
    return loss, found[0].nats_N


def _cast(
    hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cast as a linear layer does under autocast."""
    kind = hidden_ND.device.type
    if not torch.is_autocast_enabled(kind) or hidden_ND.dtype == torch.float64:
        return hidden_ND, weight_VD, bias_V
    dtype = torch.get_autocast_dtype(kind)
    return hidden_ND.to(dtype), weight_VD.to(dtype), bias_V
