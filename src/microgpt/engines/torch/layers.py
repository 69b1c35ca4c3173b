"""How a layer is computed: as it is written, compiled, or again in the backward pass.

In: what saves memory. Out: a function that computes a layer in place of `model.layer`.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from microgpt import model
from microgpt.engines.compute import Compute


def layers(compute: Compute) -> Callable[..., Tensor]:
    """Return what computes a layer: compiled, or again in the backward pass, if so asked."""
    through: Any = model.layer
    if compute.compile:
        through = torch.compile(through, dynamic=True)
    return partial(_again, through) if compute.recompute else through


def _again(through: Callable[..., Tensor], *arguments: Any) -> Tensor:
    from torch.utils.checkpoint import checkpoint

    result: Any = checkpoint(through, *arguments, use_reentrant=False, preserve_rng_state=False)
    return result
