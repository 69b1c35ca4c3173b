"""Rows of text laid out in Python, for where the native module is missing: the same bytes.

In: the columns, from left to right. Out: the rows. `native/rows.hpp` says what each column is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise, repeat
from json.encoder import encode_basestring

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Ints = NDArray[np.int64]
Utf8 = NDArray[np.uint8]


class PlainRows:
    """Rows to which columns are added.

    Args:
        rows: how many.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: list[Iterable[bytes]] = [repeat(b"", rows)]

    def same(self, word: bytes) -> None:
        """Add the same word to every row."""
        self._columns.append(repeat(word, self._rows))

    def choose(self, text: Utf8, offsets: Ints, which_D: Ints | None) -> None:
        """Add word which_D[d] of a text to row d; without which_D, word d."""
        data = text.tobytes()
        words = [data[start:stop] for start, stop in pairwise(offsets.tolist())]
        self._columns.append(words if which_D is None else map(words.__getitem__, which_D.tolist()))

    def cut(
        self,
        text: Utf8,
        starts_D: Ints,
        stops_D: Ints,
        ended_D: NDArray[np.bool_] | None,
        end: bytes,
        quoting: str,
        delimiter: bytes,
    ) -> None:
        """Add the bytes from starts_D to stops_D of a text; `end` is behind them where ended_D."""
        data, behind, between = text.tobytes(), end.decode(), delimiter.decode()
        ended: list[bool] = [False] * self._rows if ended_D is None else ended_D.tolist()

        def part(start: int, stop: int, *, is_ended: bool) -> bytes:
            found = data[start:stop].decode("utf-8", "surrogatepass")
            if quoting == "json":
                found = encode_basestring(found)[1:-1]
            found += behind if is_ended else ""
            if quoting == "csv" and any(special in found for special in ('"', "\r", "\n", between)):
                found = '"' + found.replace('"', '""') + '"'
            return found.encode("utf-8", "backslashreplace")

        cuts = zip(starts_D.tolist(), stops_D.tolist(), ended)
        self._columns.append(part(start, stop, is_ended=is_ended) for start, stop, is_ended in cuts)

    def decimal(self, values_D: Floats, places: int, width: int) -> None:
        """Add a number from 0 with decimals; its product with 10^places is rounded half to even."""
        units_D: Ints = np.rint(values_D * 10**places).astype(np.int64)
        parts = (divmod(units, 10**places) for units in units_D.tolist())
        self._columns.append(f"{f'{w}.{f:0{places}}':>{width}}".encode() for w, f in parts)

    def whole(self, numbers_D: Ints, width: int, zero: bytes) -> None:
        """Add a whole number; if there is a `zero`, that stands in place of 0."""
        none = zero or f"{0:>{width}}".encode()
        self._columns.append(f"{n:>{width}}".encode() if n else none for n in numbers_D.tolist())

    def joined(self) -> tuple[bytes, Ints]:
        """Return all rows end to end, and the offset of each and of the end of the last."""
        rows = [b"".join(row) for row in zip(*self._columns)]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return b"".join(rows), np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
