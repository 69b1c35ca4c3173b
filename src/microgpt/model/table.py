"""The table of parameters: names, shapes, order, standard deviations of the initial values.

In: a config. Out: one row a matrix; initial values in one flat buffer, in the table's order; views
of such a buffer by name. `model` explains the shape suffixes.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig


@dataclass(frozen=True)
class Parameter:
    """One row of the table: a matrix.

    Attributes:
        name: of the matrix.
        shape: (out, in).
        std: the standard deviation of its initial values.
        hidden: whether it belongs to a layer: Muon and weight decay apply to these only.
    """

    name: str
    shape: tuple[int, int]
    std: float
    hidden: bool = False

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.shape[0] * self.shape[1]


def parameters(config: GPTConfig, models: int = 1) -> list[Parameter]:
    """Return the table of parameters, the only place that sets names, shapes, order and std.

    Args:
        config: a model's settings.
        models: how many models of this shape lie end to end; of several each name begins with
            "model1.", "model2.", ...

    >>> [p.name for p in parameters(GPTConfig(vocab_size=27))][:4]
    ['wte', 'wpe', 'lm_head', 'layer0.attn_wq']
    >>> [p.name for p in parameters(GPTConfig(vocab_size=27), models=2)][9:11]
    ['model2.wte', 'model2.wpe']
    """
    if models > 1:
        return [
            dataclasses.replace(p, name=f"model{k}.{p.name}")
            for k in range(1, models + 1)
            for p in parameters(config)
        ]
    V, T, D, F = config.vocab_size, config.block_size, config.n_embd, 4 * config.n_embd
    std, fan_in = config.init_std, config.init == "fan-in"
    table = [Parameter("wte", (V, D), std)]
    if config.position == "learned":
        table += [Parameter("wpe", (T, D), std)]
    table += [Parameter("lm_head", (V, D), 0.0 if fan_in else std)]
    for i in range(config.n_layer):
        for name, rows, columns in (
            ("attn_wq", D, D),
            ("attn_wk", D, D),
            ("attn_wv", D, D),
            ("attn_wo", D, D),
            ("mlp_fc1", F, D),
            ("mlp_fc2", D, F),
        ):
            spread = columns**-0.5 if fan_in else std
            if config.zero_init and name in ("attn_wo", "mlp_fc2"):
                spread = 0.0
            table += [Parameter(f"layer{i}.{name}", (rows, columns), spread, hidden=True)]
    return table


def size(config: GPTConfig) -> int:
    """Count the parameters.

    >>> size(GPTConfig(vocab_size=27))
    4192
    """
    # All layers have the same size, so the whole table of a very deep model is not needed.
    short = (parameters(dataclasses.replace(config, n_layer=n)) for n in (1, 2))
    one, two = (sum(p.size for p in table) for table in short)
    return one + (config.n_layer - 1) * (two - one)


def flops(n_layer: int, n_embd: int, vocab_size: int) -> int:
    """Count the floating-point operations of a position's matrix products, forward and backward.

    ``6 (12 L D^2 + V D)``: two for each parameter forward, and twice that backward.

    >>> flops(n_layer=1, n_embd=16, vocab_size=27)
    21024
    """
    return 6 * (12 * n_layer * n_embd + vocab_size) * n_embd


_LARGE = 1 << 24
"""More parameters than these are drawn by numpy: drawing them one by one would take minutes."""


def initial(config: GPTConfig, rng: random.Random) -> NDArray[np.float64] | NDArray[np.float32]:
    """Draw all initial values from N(0, std), in the table's order.

    Values are drawn also where std is 0, so that later matrices do not depend on that setting. A
    large model's are drawn by numpy's PCG64, seeded by `rng`, in float32.
    """
    if size(config) > _LARGE:
        numpy_rng = np.random.default_rng(rng.getrandbits(64))
        drawn = numpy_rng.standard_normal(size(config), dtype=np.float32)
        for p, values in zip(parameters(config), views(drawn, config).values()):
            values *= np.float32(p.std)
        return drawn
    return np.array(
        [rng.gauss(0.0, p.std) for p in parameters(config) for _ in range(p.size)], dtype=np.float64
    )


def views(flat: NDArray[Any], config: GPTConfig, models: int = 1) -> dict[str, NDArray[Any]]:
    """Return the matrices of a flat buffer of `models` models by name; they share its memory.

    >>> config = GPTConfig(vocab_size=27)
    >>> views(np.zeros(size(config)), config)["lm_head"].shape
    (27, 16)
    """
    result: dict[str, NDArray[Any]] = {}
    start = 0
    for p in parameters(config, models):
        result[p.name] = np.reshape(flat[start : start + p.size], p.shape)
        start += p.size
    return result


def joined(buffers: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return flat buffers of one precision end to end: those of several models, or of matrices."""
    return np.concatenate(buffers)
