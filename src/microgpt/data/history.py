"""What stands before a window of a long text when it is measured: the text itself.

In: whole texts, and where in them windows begin. Out: a `History`, which a batch carries for a
predictor that looks further back than its window, as a cache does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Offsets
from microgpt.data.windows import is_long

if TYPE_CHECKING:
    from microgpt.data.batch import Batch

MOST = 1 << 22
"""Texts of more positions in all have no history: it is in memory as a whole."""


@dataclass(frozen=True, eq=False)
class History:
    """The whole texts that the windows of a batch are of.

    Attributes:
        texts: the texts, end to end.
        starts_W: the position in `texts` at which each window begins; -1: its text is too short to
            have a history.
    """

    texts: Batch
    starts_W: Offsets

    @classmethod
    def of(cls, texts: Batch, starts_W: Offsets, block_size: int) -> History | None:
        """Return the history of windows; None: no text has more than APART blocks, or all have more
        than MOST positions.
        """
        lengths_D: Offsets = np.diff(texts.documents)
        is_long_D = is_long(lengths_D, block_size)
        if texts.positions > MOST or not is_long_D.any():
            return None
        document_W = np.searchsorted(texts.documents, starts_W, side="right") - 1
        return cls(texts, np.where(is_long_D[document_W], starts_W, -1))

    def take(self, some: slice | NDArray[np.integer[Any]]) -> History:
        """Return the history of some of the windows."""
        return replace(self, starts_W=self.starts_W[some])

    def places(self, windows: Offsets) -> Offsets:
        """Return the position in `texts` of each position of the windows, given by offsets; -1:
        there is no history.
        """
        lengths_W = np.diff(windows)
        places_N: Offsets = np.arange(int(windows[-1]), dtype=np.int64)
        places_N += np.repeat(self.starts_W - windows[:-1], lengths_W)
        places_N[np.repeat(self.starts_W < 0, lengths_W)] = -1
        return places_N
