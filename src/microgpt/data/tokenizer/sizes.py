"""The bytes of tokens: losses in bits a byte can be compared between tokenizers.

In: a tokenizer, ids. Out: how many bytes of UTF-8 they stand for, the end of a text as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from microgpt.data.encoded import Ids

if TYPE_CHECKING:
    from microgpt.data.tokenizer import Tokenizer


class ByteCounter:
    """Counts the bytes of tokens.

    Args:
        tokenizer: made the ids.

    Attributes:
        is_one_each: whether each token is one byte: of ASCII characters, or of "bytes".

    >>> from microgpt.data.tokenizer import Characters
    >>> tokenizer = Characters.of(["né"])
    >>> ByteCounter(tokenizer).count(tokenizer.encode("né")[0])
    3
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        sizes = [len(piece) or 1 for piece in tokenizer.pieces]
        self.is_one_each = not tokenizer.symbols and max(sizes) == 1
        self._sizes_V = None if tokenizer.symbols else np.array(sizes, dtype=np.int64)

    def count(self, ids: Ids) -> int | None:
        """Return the bytes of ids; None: it is not known, of an unknown character or a mask."""
        if self._sizes_V is None or (ids.dtype.kind == "i" and ids.size and ids.min() < 0):
            return None
        return len(ids) if self.is_one_each else int(self._sizes_V[ids].sum())


def is_of_pieces(tokenizer: Tokenizer) -> bool:
    """Return whether tokens are pieces of text: what one costs depends on how long they are."""
    return tokenizer.unit == "token" and not tokenizer.symbols
