"""What an attention head looks at: on average, in a sentence; and at one position, in numbers.

In: a head's shares over one text. Out: a `HeadLook`; an `Attending`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.inside.observed import Observed
from microgpt.inside.operations import Floats

MOSTLY = 0.5
"""A head looks mostly at a place that has at least this share on average."""

EVEN = 0.97
"""A head spreads evenly if its entropy is on average at least this share of the greatest."""


@dataclass(frozen=True)
class HeadLook:
    """Where a head looks on average over the positions from the third on.

    From the third position on, the start, the previous position and the position itself are three.

    Attributes:
        positions: how many are averaged over; 0: the text is too short, and the rest is 0.
        itself: the share of the position itself.
        previous: of the one before.
        start: of the first, where BOS is read.
        evenness: the entropy of the shares as a share of the greatest possible, in [0, 1].
    """

    positions: int
    itself: float
    previous: float
    start: float
    evenness: float

    @property
    def says(self) -> str:
        """A sentence without its subject, which is the head."""
        if not self.positions:
            return "has too few positions in this text to say where it looks"
        parts = {
            "the previous position": self.previous,
            "the start (BOS)": self.start,
            "the position itself": self.itself,
        }
        place, share = max(parts.items(), key=lambda part: part[1])
        if self.evenness >= EVEN:
            return "spreads evenly over all it has read"
        if share >= MOSTLY:
            return f"looks mostly at {place}: {100 * share:.0f} % on average"
        shares = ", ".join(f"{100 * share:.0f} % at {place}" for place, share in parts.items())
        return f"looks at no single place mostly: {shares}"


def look(shares_TT: Floats) -> HeadLook:
    """Average where a head looks.

    Args:
        shares_TT: row t has the share of every position; later ones are 0.

    >>> shares_TT = np.eye(4, k=-1)  # every position looks at the one before
    >>> shares_TT[0, 0] = 1.0
    >>> look(shares_TT).says
    'looks mostly at the previous position: 100 % on average'
    """
    t = np.arange(2, len(shares_TT))
    if not len(t):
        return HeadLook(0, 0.0, 0.0, 0.0, 0.0)
    rows = shares_TT[2:]
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    evenness = -(rows * logs).sum(axis=1) / np.log(t + 1)
    means = (shares_TT[t, t], shares_TT[t, t - 1], shares_TT[t, 0], evenness)
    return HeadLook(len(t), *(float(x.mean()) for x in means))


@dataclass(frozen=True, eq=False)
class Attending:
    """What the heads of one layer do at one position, which attends to S positions.

    Attributes:
        scores_HS: q k / sqrt(K), with the query of this position and the key of each.
        shares_HS: their softmax.
        averages_HK: the values of the positions, averaged by these shares.
        added_HD: what each head adds to the residual stream: its average times its columns of
            `attn_wo`. The heads' sum is what the attention adds.
    """

    scores_HS: Floats
    shares_HS: Floats
    averages_HK: Floats
    added_HD: Floats


def attending(
    seen: Observed, weights: Mapping[str, NDArray[np.float64]], layer: int, position: int
) -> Attending:
    """Return what the heads of a layer do at a position.

    >>> from microgpt import model
    >>> from microgpt.config import GPTConfig
    >>> from microgpt.inside.observed import observe
    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> weights = model.views(np.full(model.size(config), 0.5), config)
    >>> attending(observe(config, weights, [2, 0]), weights, layer=0, position=1).shares_HS
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    q_HK = seen.queries_LHTK[layer, :, position]
    k_HSK, v_HSK = (x[layer, :, : position + 1] for x in (seen.keys_LHTK, seen.values_LHTK))
    H, K = q_HK.shape
    scores_HS = np.einsum("hk,hsk->hs", q_HK, k_HSK) / K**0.5
    shares_HS = seen.attention_LHTT[layer, :, position, : position + 1]
    averages_HK = np.einsum("hs,hsk->hk", shares_HS, v_HSK)
    wo_DHK = np.reshape(weights[f"layer{layer}.attn_wo"], (-1, H, K))
    added_HD = np.einsum("dhk,hk->hd", wo_DHK, averages_HK)
    return Attending(scores_HS, shares_HS, averages_HK, added_HD)
