"""The RMSNorms of a GPT: where they are, and the size of each row before and after.

In: rows. Out: a `Norm`; sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.config import GPTConfig
from microgpt.inside.operations import Floats


@dataclass(frozen=True, eq=False)
class Norm:
    """One RMSNorm over a text.

    Attributes:
        name: what it is of, such as "embedding", "layer0 attention" or "layer0 MLP": a norm of a
            layer is of what its attention or its MLP reads.
        before_TD: the rows that went in.
        after_TD: the rows that came out.
    """

    name: str
    before_TD: Floats
    after_TD: Floats


def sizes(x_TD: Floats) -> Floats:
    """Return sizes_T: the root of the mean square of each row.

    >>> sizes(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([3.53553391, 0.        ])
    """
    return np.sqrt(np.mean(x_TD * x_TD, axis=1))


def norm_names(config: GPTConfig) -> list[str]:
    """Return the names of a model's norms, in the order of their computation.

    >>> norm_names(GPTConfig(vocab_size=27))
    ['embedding', 'layer0 attention', 'layer0 MLP']
    """
    within = ("attention", *(("queries", "keys") if config.qk_norm else ()), "MLP")
    layers = [f"layer{i} {part}" for i in range(config.n_layer) for part in within]
    return ["embedding", *layers, *(["output"] if config.final_norm else [])]
