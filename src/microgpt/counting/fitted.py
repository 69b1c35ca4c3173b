"""What is fitted in a mixture on held-out documents: what a checkpoint keeps of it."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.config.bounds import check
from microgpt.counting.cache import TextCache
from microgpt.counting.loglinear import LogLinear


@dataclass(frozen=True)
class Fitted:
    """What is fitted in a mixture.

    Attributes:
        weight: of the counts in a linear mixture; None: it is log-linear.
        log_linear: the weights of a log-linear mixture; None: it is linear.
        cache: of the text that is read; None: there is none.

    Raises:
        UsageError: the weight is not in [0, 1).
    """

    weight: float | None = None
    log_linear: LogLinear | None = None
    cache: TextCache | None = None

    def __post_init__(self) -> None:
        if self.weight is not None:
            check("weight", self.weight)

    @property
    def tables(self) -> bytes:
        """The weights of a log-linear mixture and of the cache, for a hash; b"": there are none."""
        its = (self.log_linear, self.cache)
        return "".join(repr(one.weights) for one in its if one).encode()
