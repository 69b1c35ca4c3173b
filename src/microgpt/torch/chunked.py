"""The loss as functions of autograd: the sum of all, and the loss of each position.

In: hidden, weight, bias, a `Head`. Out: the sum, whose gradients are made in
the same pass; or the loss of each, whose gradients are made of logits that are computed again.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from microgpt.errors import UsageError
from microgpt.torch.gradients import Found, again
from microgpt.torch.head import Head
from microgpt.torch.onepass import OnePass


class SumOfLosses(torch.autograd.Function):
    """The sum of all losses; its gradients are made in the same pass, and scaled when they are
    wanted.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, head: Head, found: list[Any]
    ) -> Tensor:
        """Return the sum; put the `OnePass` into `found`."""
        head = _on(head, hidden, weight, bias)
        made = OnePass(head, ctx.needs_input_grad[:3], with_statistics=bool(found))
        found[:] = [made]
        if made.gradients:
            ctx.gradients = made.gradients.result(None if bias is None else bias.dtype)
            made.gradients = None
        return made.losses_N.sum()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        """Return the gradients."""
        _refuse_second()
        gradients: Found | None = vars(ctx).pop("gradients", None)
        if gradients is None:
            raise UsageError(
                "the sum or mean of linear_cross_entropy can go backward once, because it keeps no "
                "copy of its gradients; got a second time. Try reduction='none', or call it again."
            )
        scale = grad_outputs[0]
        return *(one if one is None else one.mul_(scale) for one in gradients), None, None


class LossOfEach(torch.autograd.Function):
    """The loss of each position; its gradients are made of logits that are computed again."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, head: Head, found: list[Any]
    ) -> Tensor:
        """Return the losses; put the `OnePass` into `found`."""
        made = OnePass(
            _on(head, hidden, weight, bias), (False, False, False), with_statistics=bool(found)
        )
        found[:] = [made]
        ctx.save_for_backward(hidden, weight, bias, made.nats_N, made.lse_N)
        ctx.head = head
        return made.losses_N

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        """Return the gradients."""
        _refuse_second()
        hidden, weight, bias, nats_N, lse_N = ctx.saved_tensors
        head = _on(ctx.head, hidden, weight, bias)
        wants = ctx.needs_input_grad[:3]
        made = again(head, nats_N, lse_N, grad_outputs[0], wants)
        return *made.result(None if bias is None else bias.dtype), None, None


def _on(head: Head, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Head:
    """Return the head on these tensors."""
    return replace(head, hidden_ND=hidden, weight_VD=weight, bias_V=bias)


def _refuse_second() -> None:
    """Raise UsageError if a derivative of the gradient is wanted."""
    if torch.is_grad_enabled():
        raise UsageError(
            "linear_cross_entropy must go backward without create_graph: it has no second "
            "derivative. Try torch.nn.functional.cross_entropy of the logits."
        )
