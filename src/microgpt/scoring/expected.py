"""What each position is expected to cost, before it is known what comes: the model's own entropy.

In: a predictor, windows. Out: nats at each position, - sum p log p over all tokens. A digit of a
serial number costs ln 10, and is expected to; a letter that is wrong in a word costs as much, where
nearly nothing was expected.
"""

from __future__ import annotations

import numpy as np

from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor
from microgpt.scoring.logits import blocks


def expected(predictor: Predictor, batch: Batch, vocab_size: int) -> Floats:
    """Return the entropy of what is predicted at each position that counts."""
    found_N = np.zeros(batch.n_counted)
    for its, logits_NV in blocks(predictor, batch, vocab_size):
        shifted_NV = logits_NV - logits_NV.max(axis=1, keepdims=True)
        p_NV = np.exp(shifted_NV)
        total_N = p_NV.sum(axis=1)
        # -log p is log(total) - shifted.
        found_N[its] = np.log(total_N) - np.einsum("nv,nv->n", p_NV, shifted_NV) / total_N
    return found_N
