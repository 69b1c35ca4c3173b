"""What passes through a GPT as it reads a text: attention, MLPs, norms, the residual stream.

In: a config, matrices by name, tokens. Out: an `Observed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.inside.norms import Norm, norm_names
from microgpt.inside.operations import ArrayOps, Cache, Floats, by_head, exact


@dataclass(frozen=True, eq=False)
class Observed:
    """A forward pass that was looked at, in float64.

    Attributes:
        logits_TV: of the next token at every position.
        attention_LHTT: the shares of each layer and head: row t has the share of every position in
            what position t takes; it sums to 1, and is 0 for later positions.
        places: the names of the P = 2L + 1 places of the residual stream: "embedding", then of
            every layer "layer0 attention" and "layer0 MLP".
        stream_PTD: the residual stream after each of them.
        queries_LHTK: of each layer and head, as they are multiplied with the keys: after their norm
            and rotation, if the model has these.
        keys_LHTK: likewise.
        values_LHTK: what is averaged by the shares.
        hidden_LTF: the hidden numbers of each layer's MLP, after its relu.
        norms: every RMSNorm in the order of computation.
    """

    logits_TV: Floats
    attention_LHTT: Floats
    places: tuple[str, ...]
    stream_PTD: Floats
    queries_LHTK: Floats
    keys_LHTK: Floats
    values_LHTK: Floats
    hidden_LTF: Floats
    norms: tuple[Norm, ...]

    @property
    def norms_PT(self) -> Floats:
        """The length (Euclidean norm) of the residual stream after each place."""
        return np.linalg.norm(self.stream_PTD, axis=2)

    @property
    def added_PT(self) -> Floats:
        """The length of what each place has added to the stream; the embedding begins it."""
        before_PTD = np.concatenate([np.zeros_like(self.stream_PTD[:1]), self.stream_PTD[:-1]])
        return np.linalg.norm(self.stream_PTD - before_PTD, axis=2)


def observe(
    config: GPTConfig, weights: Mapping[str, NDArray[Any]], tokens_T: Sequence[int]
) -> Observed:
    """Run the model on one text, and keep what is inside.

    Args:
        config: the model's shape.
        weights: the matrices by name, as `model.views` returns them, of any precision.
        tokens_T: the tokens to read, at most block_size; the first is at position 0.

    Returns:
        Logits, attention, hidden numbers, norms, and the residual stream.

    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> seen = observe(config, model.views(np.zeros(model.size(config)), config), [2, 0, 1])
    >>> seen.attention_LHTT[0, 0]  # without weights every head spreads evenly
    array([[1.        , 0.        , 0.        ],
           [0.5       , 0.5       , 0.        ],
           [0.33333333, 0.33333333, 0.33333333]])
    >>> seen.places, seen.stream_PTD.shape
    (('embedding', 'layer0 attention', 'layer0 MLP'), (3, 3, 4))
    """
    ops = _Observing()
    logits_TV = model.gpt(ops, config, exact(weights), tokens_T)
    layers = range(config.n_layer)
    places = [f"layer{i} {part}" for i in layers for part in ("attention", "MLP")]
    q_LHTK, k_LHTK, v_LHTK = (np.array(of_layers) for of_layers in zip(*ops.projected))
    norms = (Norm(name, *rows) for name, rows in zip(norm_names(config), ops.normed))
    return Observed(
        logits_TV, np.array(ops.attention), ("embedding", *places), np.array(ops.stream), q_LHTK,
        k_LHTK, v_LHTK, np.array(ops.hidden), tuple(norms),
    )  # fmt: skip


class _Observing(ArrayOps):
    """The operations, which keep what passes through them."""

    def __init__(self) -> None:
        self.attention: list[Floats] = []
        self.stream: list[Floats] = []
        self.projected: list[tuple[Floats, Floats, Floats]] = []
        self.hidden: list[Floats] = []
        self.normed: list[tuple[Floats, Floats]] = []

    def rmsnorm(self, x_TD: Floats, groups: int = 1) -> Floats:
        self.normed.append((x_TD, super().rmsnorm(x_TD, groups)))
        return self.normed[-1][1]

    def causal_attention(
        self, q_TD: Floats, k_TD: Floats, v_TD: Floats, n_head: int, memory: Cache | None
    ) -> Floats:
        self.projected.append((by_head(q_TD, n_head), by_head(k_TD, n_head), by_head(v_TD, n_head)))
        return super().causal_attention(q_TD, k_TD, v_TD, n_head, memory)

    def shares(self, q_HTK: Floats, k_HSK: Floats) -> Floats:
        self.attention.append(super().shares(q_HTK, k_HSK))
        return self.attention[-1]

    def relu(self, x_TF: Floats, squared: bool) -> Floats:
        self.hidden.append(super().relu(x_TF, squared))
        return self.hidden[-1]

    def add(self, x_TD: Floats, y_TD: Floats) -> Floats:
        # The first addition is to the embedding; every other one to the sum before.
        if not self.stream:
            self.stream.append(x_TD)
        self.stream.append(super().add(x_TD, y_TD))
        return self.stream[-1]
