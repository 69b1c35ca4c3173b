"""How rare a text is beside held-out ones, and whether it is flagged: what a loss is worth."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from microgpt.cli.show import stderr
from microgpt.engines.contract import Floats
from microgpt.errors import MicroGPTError, UsageError
from microgpt.evaluate.price import Pricer
from microgpt.evaluate.reference import Reference, Thresholds
from microgpt.run import Run

# So many held-out documents tell what is usual.
_MOST = 50_000


class Judge:
    """Holds means against those of a run's held-out documents.

    Args:
        run: of which they are.
        rate: the share of good texts to flag; None: none.

    Attributes:
        usual: nats a position of usual text.
        reference: None where there are no held-out documents, or not any more.
        thresholds: where a rate was given.

    Raises:
        UsageError: a rate, and nothing to set a threshold by.
    """

    def __init__(self, run: Run, rate: float | None) -> None:
        self.reference: Reference | None = None
        self.thresholds: Thresholds | None = None
        self.usual = run.log.tail(50).mean
        why = f"{run.folder} held none out. Train with --holdout 0.1."
        held_out: list[str] = []
        try:
            if run.settings.training.holdout:
                held_out = run.documents[1]
        except MicroGPTError as error:
            why = str(error)
        if held_out:
            if len(held_out) > _MOST:
                held_out = random.Random(run.settings.training.seed).sample(held_out, _MOST)
            priced = Pricer(run.engine, run.tokenizer, run.settings.model.block_size).price(
                held_out
            )
            self.reference = Reference(priced.laid.lengths_D, priced.means_D)
            self.usual = float(priced.nats_D.sum() / priced.positions_D.sum())
        if rate is not None:
            if not self.reference:
                raise UsageError(f"flag-rate needs held-out documents: {why}")
            self.thresholds = self.reference.thresholds(rate)
            t = self.thresholds
            stderr().print(
                f"Of good lines {t.expected:.2%} will be flagged ({t.low:.2%} to {t.high:.2%}, 95 "
                f"times of 100), judging by {t.documents:,} held-out documents of similar lengths."
            )
        if not np.isfinite(self.usual):
            self.usual = 0.0

    def percentiles(self, lengths_D: NDArray[np.int64], means_D: Floats) -> Floats | None:
        """Return how many of 100 held-out documents of similar length cost less."""
        return self.reference.percentiles(lengths_D, means_D) if self.reference else None

    def flags(self, lengths_D: NDArray[np.int64], means_D: Floats) -> NDArray[np.bool_] | None:
        """Say which texts are above their threshold."""
        if not self.thresholds or not self.reference:
            return None
        return means_D > self.thresholds.means_C[self.reference.classes(lengths_D)]
