"""The logit lens: what the model would say if its residual stream were read out early.

In: an `Observed`, matrices by name. Out: logits after each place of the stream.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig
from microgpt.inside.observed import Observed
from microgpt.inside.operations import ArrayOps, Floats


def lens(
    config: GPTConfig, weights: Mapping[str, NDArray[np.float64]], seen: Observed
) -> list[Floats]:
    """Return logits_TV after each place: its stream through the last norm and `lm_head`.

    After the last place they are the model's own. Earlier places were not trained to be read so.

    Source: nostalgebraist, "interpreting GPT: the logit lens" (2020).

    >>> from microgpt import model
    >>> from microgpt.inside.observed import observe
    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> weights = model.views(np.zeros(model.size(config)), config)
    >>> lens(config, weights, observe(config, weights, [2]))[0]
    array([[0., 0., 0.]])
    """
    ops = ArrayOps()
    read = [ops.rmsnorm(x_TD) if config.final_norm else x_TD for x_TD in seen.stream_PTD]
    return [ops.linear(x_TD, weights["lm_head"]) for x_TD in read]
