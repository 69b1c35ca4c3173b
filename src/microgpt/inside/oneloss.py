"""The loss of one position alone: its gradient in every matrix, and one step of Adam on it.

In: an engine with its parameters, what a text's positions read and predict. Out: gradients by
matrix; the matrices after the step, as copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from microgpt.data.batch import Batch
from microgpt.engines.contract import Engine, Tensors
from microgpt.inside.operations import Floats


def gradients(
    engine: Engine, tokens_T: Sequence[int], targets_T: Sequence[int], position: int
) -> Tensors:
    """Return by name the gradients of one position's loss, -log p[target].

    An engine adds up the gradients of all positions, and a position does not depend on later ones:
    so the gradient of its loss is the sum with it, minus the sum up to the one before.

    Args:
        engine: whose objective is -log p, as an engine that a run is read with.
        tokens_T: what is read.
        targets_T: what comes; targets before the position may be negative (unknown).
        position: whose loss, from 0.

    >>> from microgpt.config import GPTConfig
    >>> from microgpt.engines import open_engine
    >>> engine = open_engine("scalar", GPTConfig(vocab_size=3, n_layer=1, n_head=1, n_embd=2))
    >>> sorted(gradients(engine, [2, 0], [0, 1], position=1))[:3]
    ['layer0.attn_wk', 'layer0.attn_wo', 'layer0.attn_wq']
    """

    def summed(positions: int) -> Tensors:
        targets_N = np.maximum(targets_T[:positions], 0)  # any target: it is subtracted again
        tokens_N = np.asarray(tokens_T[:positions])
        return engine.gradients(Batch(tokens_N, targets_N, np.array([0, positions])))

    here = summed(position + 1)
    if not position:
        return here
    before = summed(position)
    return {name: gradient - before[name] for name, gradient in here.items()}


def first_step(
    weights: Mapping[str, Floats], gradients: Tensors, lr: float, eps: float
) -> dict[str, Floats]:
    """Return the matrices after Adam's first step, when its moments have seen one gradient only.

    Then m_hat is the gradient g and v_hat its square, so that the step is ``lr g / (|g| + eps)``:
    almost lr for every number, whatever the size of its gradient.

    Args:
        weights: the matrices before, by name.
        gradients: with respect to each.
        lr: the learning rate.
        eps: added to the divisor.

    >>> weights, slopes = {"w": np.array([1.0, 1.0])}, {"w": np.array([250.0, -0.004])}
    >>> first_step(weights, slopes, lr=0.01, eps=1e-8)["w"].round(4)
    array([0.99, 1.01])
    """
    return {
        name: weight - lr * gradients[name] / (np.abs(gradients[name]) + eps)
        for name, weight in weights.items()
    }
