"""Texts that are stored as token ids, and decoded a part at a time.

In: `Encoded` documents, perhaps in files that are mapped into memory, and the bytes of each id.
Out: `Decoded`, which is `Texts` to whoever reads it. Nothing is kept of what was decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast, overload

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch
from microgpt.data.encoded import Encoded, Ids
from microgpt.data.texts import Buffer, Offsets, Texts

if TYPE_CHECKING:
    from microgpt.data.tokenizer.contract import Tokenizer

Hashes = NDArray[np.uint64]

# Tokens that are decoded at once, and hashes that are compared at once.
_AT_ONCE = 1 << 20

# Of more documents, or of more tokens, a sample is compared and measured at a training's end.
_DOCUMENTS, _TOKENS = 1 << 20, 1 << 25


class Pieces:
    """The bytes of each id, and a line feed for BOS, end to end.

    Args:
        tokenizer: whose tokens, laid end to end, are the text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        pieces = [piece or b"\n" for piece in tokenizer.pieces]
        self._buffer = np.frombuffer(b"".join(pieces), dtype=np.uint8)
        self._sizes_V: Offsets = np.array([*map(len, pieces)], dtype=np.int64)
        self._starts_V: Offsets = np.cumsum(self._sizes_V) - self._sizes_V
        self.is_one_each = len(self._buffer) == len(pieces)

    def text(self, ids: Ids) -> Buffer:
        """Return the bytes of ids."""
        if self.is_one_each:
            return self._buffer[ids]
        sizes_N = self._sizes_V[ids]
        ends_N: Offsets = np.cumsum(sizes_N)
        if not len(ends_N):
            return self._buffer[:0]
        moved_N = np.repeat(self._starts_V[ids] - ends_N + sizes_N, sizes_N)
        return self._buffer[np.arange(int(ends_N[-1])) + moved_N]

    def sizes(self, ids: Ids, offsets: Offsets) -> Offsets:
        """Return the bytes of each text, its line feed included, given the offset of each."""
        if self.is_one_each or not len(ids):
            return np.diff(offsets)
        return np.add.reduceat(self._sizes_V[ids], offsets[:-1])


class Decoded(Texts):
    """A sequence of strings, each decoded when it is indexed.

    Args:
        parts: the documents, perhaps in several arrays, one part after the other.
        tokenizer: made their ids; its tokens laid end to end are the text.
        hashes: of each document, as `split.hashes` has them; None: they are not known.
        pieces: of the tokenizer, if they are made already.

    >>> from microgpt.data.tokenizer import Characters, encode_all
    >>> tokenizer = Characters.of(["emma", "zoë"])
    >>> texts = Decoded([encode_all(tokenizer, ["emma", "zoë", "me"])], tokenizer)
    >>> texts[1], list(texts[1:]), texts.sizes.tolist()
    ('zoë', ['zoë', 'me'], [4, 4, 2])
    """

    def __init__(
        self,
        parts: Sequence[Encoded],
        tokenizer: Tokenizer,
        hashes: Sequence[Hashes] | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        super().__init__(np.zeros(0, np.uint8), np.zeros(1, np.int64))
        self._parts, self._hashes = [*parts], hashes and [*hashes]
        self.tokenizer, self._pieces = tokenizer, pieces or Pieces(tokenizer)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if step != 1:
                return self.take(np.arange(first, stop, step))
            return self._range(first, stop)
        place = range(len(self))[index]  # resolves a negative index, raises IndexError
        return self._range(place, place + 1).packed()[0]

    @property
    def is_packed(self) -> bool:
        """False: they are decoded first."""
        return False

    @property
    def encoded(self) -> Encoded | None:
        """The token ids, if they lie in one array; else None."""
        if len(self._parts) != 1:
            return None
        (part,) = self._parts
        first, stop = (int(at) for at in part.offsets[[0, -1]])
        if (first, stop) == (0, len(part.stream) - 1):
            return part
        return Encoded(part.stream[first : stop + 1], part.offsets - first)

    @property
    def hashes(self) -> Hashes | None:
        """The hash of each document; None: they are not known."""
        if self._hashes is None:
            return None
        if len(self._hashes) == 1:
            return self._hashes[0]
        return np.concatenate([np.zeros(0, np.uint64), *self._hashes])

    @property
    def sizes(self) -> Offsets:
        """Bytes of each text."""
        parts: list[Offsets] = [np.zeros(0, np.int64)]
        for block in self._blocks():
            for ids, offsets in map(_inside, block._parts):
                parts.append(self._pieces.sizes(ids, offsets) - 1)
        return np.concatenate(parts)

    def take(self, at: NDArray[np.integer]) -> Texts:
        """Return the texts at these indices, in this order; their ids are copied."""
        if len(self._parts) != 1:
            places: list[int] = at.tolist()
            return Texts.of([self[place] for place in places])
        (part,) = self._parts
        batch = Batch(part.stream[:-1], part.stream[1:], part.offsets).take(at)
        stream = np.concatenate([part.stream[:1], batch.targets_N])
        return self._of([Encoded(stream, batch.documents)], None)

    @property
    def tokens(self) -> int:
        """How many token ids all of them have, BOS behind each included."""
        return sum(int(part.offsets[-1] - part.offsets[0]) for part in self._parts)

    def sample(self, share: float) -> Texts:
        """Return about a share of the texts, of equal ones all or none; their ids are copied.

        By the lower half of their hashes: the upper half decides which are held out.
        """
        if self.hashes is None:
            return self
        least = np.uint64(share * 2.0**32)
        places = [at + np.flatnonzero((some & np.uint64(0xFFFFFFFF)) < least)
                  for at, some in self.hashed()]  # fmt: skip
        return self.take(np.concatenate([np.zeros(0, np.int64), *places]))

    def hashed(self) -> Iterator[tuple[int, Hashes]]:
        """Yield the hashes, a million at a time, with the index of the first text of each."""
        hashes = self.hashes
        for first in range(0, 0 if hashes is None else len(self), _AT_ONCE):
            yield first, cast("Hashes", hashes)[first : first + _AT_ONCE]

    def packed(self) -> Texts:
        """Decode all of them."""
        buffers: list[Buffer] = [np.zeros(0, np.uint8)]
        end = 0
        starts: list[Offsets] = [np.zeros(1, np.int64)]
        for ids, offsets in map(_inside, self._parts):
            buffers.append(self._pieces.text(ids))
            starts.append(np.cumsum(self._pieces.sizes(ids, offsets)) + end)
            end += len(buffers[-1])
        return Texts(np.concatenate(buffers), np.concatenate(starts).astype(np.int64))

    def blocks(self) -> Iterator[Texts]:
        """Yield the texts in packed blocks of about a million tokens."""
        for block in self._blocks():
            yield block.packed()

    def _blocks(self) -> Iterator[Decoded]:
        """Yield them in parts of about a million tokens."""
        for part in self._parts:
            first = 0
            while first < len(part):
                most = int(part.offsets[first]) + _AT_ONCE
                stop = int(np.searchsorted(part.offsets, most, side="right")) - 1
                stop = max(stop, first + 1)
                yield self._of([Encoded(part.stream, part.offsets[first : stop + 1])], None)
                first = stop

    def _range(self, first: int, stop: int) -> Decoded:
        """Return the texts from one place to another."""
        parts, hashes, before = list[Encoded](), list[Hashes](), 0
        for i, part in enumerate(self._parts):
            low, high = (min(max(at - before, 0), len(part)) for at in (first, stop))
            before += len(part)
            if low < high:
                parts.append(Encoded(part.stream, part.offsets[low : high + 1]))
                hashes += [self._hashes[i][low:high]] if self._hashes else []
        return self._of(parts or [_nothing(self._parts)], hashes if self._hashes else None)

    def _of(self, parts: Sequence[Encoded], hashes: Sequence[Hashes] | None) -> Decoded:
        return Decoded(parts, self.tokenizer, hashes, self._pieces)


def sampled(documents: tuple[Sequence[str], Sequence[str]]) -> tuple[Sequence[str], Sequence[str]]:
    """Return some of very many stored documents, by their hashes: of equal ones all, or none.

    Args:
        documents: those trained on and those held out; returned as they are, if they are few, or
            not stored.
    """
    trained, held_out = documents
    if not (isinstance(trained, Decoded) and isinstance(held_out, Decoded)):
        return documents
    total = len(trained) + len(held_out)
    share = min(_DOCUMENTS / max(total, 1), _TOKENS / max(trained.tokens + held_out.tokens, 1))
    return documents if share >= 1.0 else (trained.sample(share), held_out.sample(share))


def _inside(part: Encoded) -> tuple[Ids, Offsets]:
    """Return the ids of documents, BOS behind each, and the offset of each among these."""
    first, stop = (int(at) for at in part.offsets[[0, -1]])
    return part.stream[1 + first : 1 + stop], part.offsets - first


def _nothing(parts: Sequence[Encoded]) -> Encoded:
    return Encoded(parts[0].stream, parts[0].offsets[:1])
