"""The GPT's definition: its table of parameters, and its forward pass in eight operations.

In: a config; an engine's operations on its own arrays. Out: logits. A tensor's name ends in its
shape: `B` rows, `T` positions, `S` positions attended to, `D` width (n_embd), `H` heads, `K` width
per head, `F` hidden width 4D, `V` vocabulary, `L` layers, `N` positions of a ragged batch. A weight
matrix is (out, in).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from microgpt.config import GPTConfig
from microgpt.model.dropout import Dropping
from microgpt.model.table import Parameter, flops, initial, joined, parameters, size, views

if TYPE_CHECKING:
    from microgpt.model.operations import Ops

__all__ = [
    "Parameter", "Past", "angles", "flops", "gpt", "hidden", "initial", "joined", "layer",
    "parameters", "size", "views",
]  # fmt: skip

A = TypeVar("A")

ROTARY_BASE = 100.0
"""A position rotates a head's fastest pair by 1 radian, its slowest by almost 1 / base."""

RMSNORM_EPSILON = 1e-5
"""Added to the mean square in every RMSNorm, so that a row of zeros is not divided by zero."""


def angles(head_width: int, position: int) -> list[float]:
    """Return the angles in radians by which rotary positions rotate each pair of a head.

    >>> [round(angle, 3) for angle in angles(8, position=2)]
    [2.0, 0.632, 0.2, 0.063]
    """
    half = head_width // 2
    return [position * ROTARY_BASE ** (-i / half) for i in range(half)]


@dataclass
class Past:
    """A decoder's cache: each layer's keys and values, and how many positions they cover."""

    layers: list[Any] = field(default_factory=list[Any])
    length: int = 0


def gpt(
    ops: Ops[A],
    config: GPTConfig,
    weights: Mapping[str, A],
    tokens_T: Sequence[int],
    past: Past | None = None,
    dropping: Dropping | None = None,
) -> A:
    """Compute the logits of the next token at every position.

    Args:
        ops: the operations of an engine.
        config: the model's shape.
        weights: the matrices by name.
        tokens_T: the tokens to read; the first is at position 0, or follows the past.
        past: the keys and values of earlier positions; those of these tokens are appended.
        dropping: the dropout masks of this training step; None: no dropout.

    Returns:
        logits_TV, unnormalised log-probabilities.

    Source: Radford et al., "Language models are unsupervised multitask learners" (2019), with
    RMSNorm (Zhang and Sennrich 2019) in place of LayerNorm, no biases, and a norm right after the
    embedding rather than before the head; Karpathy's microgpt. Rotary positions: Su et al.,
    "RoFormer" (2021); norms of queries and keys: Henry et al., "Query-key normalization for
    transformers" (2020); dropout: Srivastava et al. (2014).
    """
    x_TD = hidden(ops, config, weights, tokens_T, past, dropping)
    return ops.linear(x_TD, weights["lm_head"])


def hidden(
    ops: Ops[A],
    config: GPTConfig,
    weights: Mapping[str, A],
    tokens_T: Sequence[int],
    past: Past | None = None,
    dropping: Dropping | None = None,
    through: Callable[..., A] | None = None,
) -> A:
    """Compute x_TD, which `lm_head` turns into logits: for those who take the loss without them.

    The arguments are those of `gpt`, and `through`, which computes a layer in place of `layer`: an
    engine may compile it, or compute it again in the backward pass.
    """
    start = past.length if past else 0
    x_TD = ops.rmsnorm(ops.embed(tokens_T, weights["wte"], weights.get("wpe"), start))
    for i in range(config.n_layer):
        w = {name: weights[f"layer{i}.{name}"] for name in _LAYER}
        memory = past.layers[i] if past else None
        x_TD = (through or layer)(ops, config, w, x_TD, i, start, memory, dropping)
    if past:
        past.length += len(tokens_T)
    return ops.rmsnorm(x_TD) if config.final_norm else x_TD


def layer(
    ops: Ops[A],
    config: GPTConfig,
    w: Mapping[str, A],
    x_TD: A,
    i: int,
    start: int,
    memory: Any,
    dropping: Dropping | None,
) -> A:
    """Compute a layer: attention, then the MLP, each added to its input.

    `w` has its matrices by name, x_TD is its input, `i` its number from 0, `start` the position of
    the first row, `memory` its keys and values of earlier positions, or None. The other arguments
    are those of `gpt`.
    """
    h_TD = ops.rmsnorm(x_TD)
    q_TD = ops.linear(h_TD, w["attn_wq"])
    k_TD = ops.linear(h_TD, w["attn_wk"])
    v_TD = ops.linear(h_TD, w["attn_wv"])
    if config.qk_norm:
        q_TD, k_TD = (ops.rmsnorm(x, config.n_head) for x in (q_TD, k_TD))
    if config.position == "rotary":
        q_TD, k_TD = (ops.rotate(x, config.n_head, start) for x in (q_TD, k_TD))
    h_TD = ops.causal_attention(q_TD, k_TD, v_TD, config.n_head, memory)
    if dropping:
        h_TD = ops.dropout(h_TD, dropping, 2 * i)
    x_TD = ops.add(x_TD, ops.linear(h_TD, w["attn_wo"]))

    h_TF = ops.linear(ops.rmsnorm(x_TD), w["mlp_fc1"])
    h_TF = ops.relu(h_TF, squared=config.activation == "squared-relu")
    if dropping:
        h_TF = ops.dropout(h_TF, dropping, 2 * i + 1)
    return ops.add(x_TD, ops.linear(h_TF, w["mlp_fc2"]))


_LAYER = ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")
