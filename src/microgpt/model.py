"""The GPT, once: its table of parameters, its first numbers, its forward pass in seven operations.

In: a config; operations on whatever an engine computes with. Out: logits. The legend of all shape
suffixes: `B` rows, `T` positions, `S` positions attended to, `D` width (n_embd), `H` heads, `K`
width per head, `F` hidden width 4D, `V` vocabulary, `L` layers, `N` positions of a ragged batch. A
weight is (out, in).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig

if TYPE_CHECKING:
    from microgpt.engines.contract import Ops

A = TypeVar("A")


@dataclass(frozen=True)
class Parameter:
    """One row of the table: a matrix, its (out, in) shape and the spread of its first numbers."""

    name: str
    shape: tuple[int, int]
    std: float

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.shape[0] * self.shape[1]


def parameters(config: GPTConfig) -> list[Parameter]:
    """Return the table of parameters: the only place for names, shapes, order and spread.

    >>> [p.name for p in parameters(GPTConfig(vocab_size=27))][:4]
    ['wte', 'wpe', 'lm_head', 'layer0.attn_wq']
    """
    V, T, D, F = config.vocab_size, config.block_size, config.n_embd, 4 * config.n_embd
    std = config.init_std
    out_std = 0.0 if config.zero_init else std
    table = [Parameter("wte", (V, D), std), Parameter("wpe", (T, D), std)]
    table += [Parameter("lm_head", (V, D), std)]
    for i in range(config.n_layer):
        table += [
            Parameter(f"layer{i}.attn_wq", (D, D), std),
            Parameter(f"layer{i}.attn_wk", (D, D), std),
            Parameter(f"layer{i}.attn_wv", (D, D), std),
            Parameter(f"layer{i}.attn_wo", (D, D), out_std),
            Parameter(f"layer{i}.mlp_fc1", (F, D), std),
            Parameter(f"layer{i}.mlp_fc2", (D, F), out_std),
        ]
    return table


def size(config: GPTConfig) -> int:
    """Count the parameters.

    >>> size(GPTConfig(vocab_size=27))
    4192
    """
    # A table of a million layers is not made to be counted.
    short = (parameters(dataclasses.replace(config, n_layer=n)) for n in (1, 2))
    one, two = (sum(p.size for p in table) for table in short)
    return one + (config.n_layer - 1) * (two - one)


def initial(config: GPTConfig, rng: random.Random) -> NDArray[np.float64]:
    """Draw all first numbers, N(0, std), in the table's order; a std of 0 is drawn too."""
    return np.array(
        [rng.gauss(0.0, p.std) for p in parameters(config) for _ in range(p.size)], dtype=np.float64
    )


def views(flat: NDArray[np.float64], config: GPTConfig) -> dict[str, NDArray[np.float64]]:
    """Return the matrices of a flat buffer by name; they share its memory.

    >>> config = GPTConfig(vocab_size=27)
    >>> views(np.zeros(size(config)), config)["lm_head"].shape
    (27, 16)
    """
    result: dict[str, NDArray[np.float64]] = {}
    start = 0
    for p in parameters(config):
        result[p.name] = np.reshape(flat[start : start + p.size], p.shape)
        start += p.size
    return result


@dataclass
class Past:
    """What a decoder remembers: each layer's keys and values, and of how many positions."""

    layers: list[Any] = field(default_factory=list[Any])
    length: int = 0


def gpt(
    ops: Ops[A],
    config: GPTConfig,
    parameters: Mapping[str, A],
    tokens_T: Sequence[int],
    past: Past | None = None,
) -> A:
    """Compute the logits of the next token at every position.

    Args:
        ops: the seven operations of an engine.
        config: the model's shape.
        parameters: the matrices by name.
        tokens_T: what is read; position 0 is the document's first unless there is a past.
        past: positions read before; grows by these.

    Returns:
        logits_TV, unnormalised log-probabilities.

    Source: Radford et al., "Language models are unsupervised multitask learners" (2019), with
    RMSNorm (Zhang and Sennrich 2019) in place of LayerNorm, no biases, and a norm right after the
    embedding rather than before the head; Karpathy's microgpt.
    """
    start = past.length if past else 0
    x_TD = ops.rmsnorm(ops.embed(tokens_T, parameters["wte"], parameters["wpe"], start))
    for i in range(config.n_layer):
        w = {name: parameters[f"layer{i}.{name}"] for name in _LAYER}
        h_TD = ops.rmsnorm(x_TD)
        q_TD = ops.linear(h_TD, w["attn_wq"])
        k_TD = ops.linear(h_TD, w["attn_wk"])
        v_TD = ops.linear(h_TD, w["attn_wv"])
        memory = past.layers[i] if past else None
        h_TD = ops.causal_attention(q_TD, k_TD, v_TD, config.n_head, memory)
        x_TD = ops.add(x_TD, ops.linear(h_TD, w["attn_wo"]))

        h_TF = ops.linear(ops.rmsnorm(x_TD), w["mlp_fc1"])
        h_TF = ops.relu(h_TF, squared=config.activation == "squared-relu")
        x_TD = ops.add(x_TD, ops.linear(h_TF, w["mlp_fc2"]))
    if past:
        past.length += len(tokens_T)
    return ops.linear(x_TD, parameters["lm_head"])


_LAYER = ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")
