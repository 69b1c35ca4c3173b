"""A bet on the next token: what share of it lies on each token.

In: weights on some tokens, and how sure they are. Out: `Shares`, which sum to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microgpt.errors import UsageError

BACK = 0.01
"""The share that is kept back for tokens that were not bet on."""


@dataclass(frozen=True)
class Bet:
    """A bet.

    Attributes:
        weights: (id, weight) of each token that is bet on.
        sure: the share that lies on these together, in proportion to their weights; the rest lies
            on all other tokens, the same on each.
        keep: whether at least `BACK` stays for the others, however sure the bet is.
    """

    weights: Sequence[tuple[int, float]]
    sure: float
    keep: bool = True


@dataclass(frozen=True)
class Shares:
    """The shares of a bet.

    Attributes:
        on: of the tokens that are bet on.
        rest: of each other token.
    """

    on: Mapping[int, float]
    rest: float

    def of(self, token: int) -> float:
        """Return the share of a token."""
        return self.on.get(token, self.rest)


def shares(bet: Bet, vocab_size: int) -> Shares:
    """Return the share of each token.

    Raises:
        UsageError: there is no weight, or one that is none; `sure` is no share.

    >>> shares(Bet([(0, 3), (1, 1)], sure=0.8), vocab_size=4)
    Shares(on={0: 0.6000000000000001, 1: 0.2}, rest=0.09999999999999998)
    >>> shares(Bet([(0, 1)], sure=1.0), vocab_size=11).rest
    0.001
    """
    on = dict(bet.weights)
    total = math.fsum(on.values())
    if not on or len(on) < len(bet.weights) or not all(0 <= k < vocab_size for k in on):
        raise UsageError("A bet must be on one token or several different ones.")
    if not all(0 < weight <= 1e6 for weight in on.values()):
        raise UsageError("A weight must be a number above 0, at most 1,000,000.")
    if not 0 < bet.sure <= 1:
        raise UsageError(f"sure must be above 0 and at most 1; got {bet.sure}.")
    others = vocab_size - len(on)
    sure = min(bet.sure, 1 - BACK) if bet.keep else bet.sure
    if not others:
        sure = 1.0
    each = {token: sure * weight / total for token, weight in on.items()}
    # BACK itself where it is kept back: 1 - 0.99 is not quite 0.01.
    left = BACK if bet.keep and sure == 1 - BACK else 1 - sure
    return Shares(each, left / others if others else 0.0)
