"""Checks of what `linear_cross_entropy` is given, before anything is computed.

In: tensors and options. Out: nothing, or a UsageError in one sentence.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import torch
from torch import Tensor

from microgpt.errors import UsageError


def check(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    bias_V: Tensor | None,
    class_V: Tensor | None,
) -> None:
    """Raise UsageError unless the tensors fit together."""

    def shape(x: Tensor) -> str:
        return str(tuple(x.shape))

    if hidden_ND.ndim != 2 or weight_VD.ndim != 2 or hidden_ND.shape[1] != weight_VD.shape[1]:
        raise UsageError(
            "hidden and weight must be (N, D) and (V, D); "
            f"got {shape(hidden_ND)} and {shape(weight_VD)}."
        )
    V = len(weight_VD)
    is_whole = not targets_N.dtype.is_floating_point and targets_N.dtype != torch.bool
    if targets_N.shape != hidden_ND.shape[:1] or not is_whole:
        raise UsageError(
            f"targets must be N = {len(hidden_ND)} whole numbers; "
            f"got {shape(targets_N)} of {targets_N.dtype}."
        )
    for name, x_V in (("bias", bias_V), ("class_weights", class_V)):
        if x_V is not None and x_V.shape != (V,):
            raise UsageError(f"{name} must be (V,) = ({V},); got {shape(x_V)}.")
    if hidden_ND.dtype != weight_VD.dtype or not hidden_ND.dtype.is_floating_point:
        raise UsageError(
            "hidden and weight must be of one floating-point type; "
            f"got {hidden_ND.dtype} and {weight_VD.dtype}."
        )
    for name, x in (("weight", weight_VD), ("targets", targets_N), ("bias", bias_V),
                    ("class_weights", class_V)):  # fmt: skip
        if x is not None and x.device != hidden_ND.device:
            raise UsageError(
                f"{name} must be on hidden's device, {hidden_ND.device}; got {x.device}."
            )


def check_options(
    reduction: str,
    smoothing: float,
    softcap: float | None,
    z_loss: float,
    objective: str,
    size: int,
) -> None:
    """Raise UsageError if an option is out of its domain."""
    if reduction not in ("mean", "sum", "none"):
        raise UsageError(f'reduction must be one of mean, sum, none; got "{reduction}".')
    if objective not in ("cross-entropy", "linear", "quadratic"):
        raise UsageError(
            f'objective must be one of cross-entropy, linear, quadratic; got "{objective}".'
        )
    if not 0.0 <= smoothing <= 1.0:
        raise UsageError(f"label_smoothing must be in [0, 1]; got {smoothing:g}.")
    if smoothing and objective != "cross-entropy":
        raise UsageError(f"label_smoothing must be 0 with the objective {objective}.")
    if softcap is not None and not softcap > 0.0:
        raise UsageError(f"softcap must be a number above 0; got {softcap:g}.")
    if not z_loss >= 0.0:
        raise UsageError(f"z_loss must be a number from 0; got {z_loss:g}.")
    if size < 1:
        raise UsageError(f"chunk_bytes must be a whole number from 1; got {size}.")


def check_targets(
    targets_N: Tensor, is_counted: Tensor, vocab_size: int, ignore_index: int
) -> None:
    """Raise UsageError if a target is no token id, and name its position."""
    wrong = is_counted & ((targets_N < 0) | (targets_N >= vocab_size))
    if wrong.any():
        n = int(wrong.nonzero()[0])
        raise UsageError(
            f"target at position {n} must be in [0, {vocab_size}), or ignore_index={ignore_index}; "
            f"got {int(targets_N[n])}."
        )
