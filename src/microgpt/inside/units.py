"""The hidden numbers of an MLP, its units: which are above 0, and what each adds to the stream.

In: an `Observed`, matrices by name, a layer. Out: `Units`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.inside.observed import Observed
from microgpt.inside.operations import Floats


@dataclass(frozen=True, eq=False)
class Units:
    """The F units of one layer's MLP over a text.

    A unit adds its number times its column of `mlp_fc2` to the residual stream; the sum over the
    units is what the MLP adds.

    Attributes:
        hidden_TF: the number of each, after the relu.
        lengths_TF: the length of what each adds.
        raised_FV: how much a unit's column alone moves each token's logit, if `lm_head` reads it
            without the layers and the norm between them.
    """

    hidden_TF: Floats
    lengths_TF: Floats
    raised_FV: Floats

    @property
    def active_T(self) -> NDArray[np.int64]:
        """How many are above 0 at each position."""
        return np.count_nonzero(self.hidden_TF, axis=1)

    @property
    def silent(self) -> int:
        """How many are 0 at every position."""
        return int((~self.hidden_TF.any(axis=0)).sum())

    @property
    def most_T(self) -> NDArray[np.int64]:
        """The unit that adds most at each position; of equal ones the first."""
        return self.lengths_TF.argmax(axis=1)


def units(seen: Observed, weights: Mapping[str, NDArray[np.float64]], layer: int) -> Units:
    """Return the units of a layer's MLP.

    >>> from microgpt import model
    >>> from microgpt.config import GPTConfig
    >>> from microgpt.inside.observed import observe
    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=1, n_embd=1)
    >>> weights = model.views(np.ones(model.size(config)), config)
    >>> found = units(observe(config, weights, [2, 0]), weights, layer=0)
    >>> found.active_T, found.silent
    (array([4, 4]), 0)
    """
    fc2_DF = weights[f"layer{layer}.mlp_fc2"]
    hidden_TF = seen.hidden_LTF[layer]
    lengths_TF = hidden_TF * np.linalg.norm(fc2_DF, axis=0)
    return Units(hidden_TF, lengths_TF, np.transpose(weights["lm_head"] @ fc2_DF))
