"""The ladder: the losses of count-based baselines, beside which a model's loss is shown.

In: the training documents, and documents to measure on. Out: a `LossSum` for each rung: uniform
("blind"), unigram ("letters"), bigram ("pairs"), n-gram.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import Counts as Times
from microgpt.counting.count import counted
from microgpt.counting.named import alone, mixed
from microgpt.counting.ngram import NGram
from microgpt.counting.pairs import Counts
from microgpt.data.batch import Batch
from microgpt.data.tokenizer.unknown import readable
from microgpt.data.windows import windows
from microgpt.loss import LossSum
from microgpt.wording import THIS, name_of

if TYPE_CHECKING:
    from microgpt.data.tokenizer import Tokenizer

Floats = NDArray[np.float64]


def uniform(vocab_size: int) -> float:
    """Return the loss of a uniform guess among V token ids: ln V nats a position.

    >>> round(uniform(27), 4)
    3.2958
    """
    return math.log(vocab_size)


class Rung(NamedTuple):
    """A baseline or a model in a ladder.

    Attributes:
        name: its name for people.
        sum: of its losses.
        is_this: whether it is the model, and not a baseline.
    """

    name: str
    sum: LossSum
    is_this: bool


@dataclass(frozen=True)
class Ladder:
    """The losses of the baselines and of a model on the same documents.

    Attributes:
        what: the documents, in words.
        baselines: the losses of the baselines, by name, highest first.
        model: the loss of the model.
        n: the length of the n-gram baseline's longest n-grams, in tokens; 0: there is no n-gram.
        gpt: the GPT's own loss, if `model` is that of a mixture with counts.
        mixes: whether the GPT is mixed with counts, even if `model` is the GPT's own loss.
        why: why there are no baselines, a sentence; else "".
        models: how many GPTs the model averages.
    """

    what: str
    baselines: dict[str, LossSum]
    model: LossSum
    n: int = 0
    gpt: LossSum | None = None
    mixes: bool = False
    why: str = ""
    models: int = 1

    @property
    def name(self) -> str:
        """The model's name beside its loss; if no document was held out, it is the GPT's alone."""
        named = mixed(self.models) if self.gpt else alone(self.models)
        return named if self.mixes else THIS

    @property
    def rungs(self) -> list[Rung]:
        """All rungs, the highest loss first."""
        rungs = [
            Rung(name_of(name, self.n), total, False) for name, total in self.baselines.items()
        ]
        rungs += [Rung(alone(self.models), self.gpt, False)] if self.gpt else []
        rungs.append(Rung(self.name, self.model, True))
        return sorted(rungs, key=lambda rung: -rung.sum.mean)

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: each loss with a bar of its length."""
        from microgpt import html

        return html.fragment("ladder", what=self.what, rungs=self.rungs)


# The most positions whose n-grams are counted, to bound time and memory. Of more positions, every
# second document is counted, or every third, and so on.
_MOST = 1 << 24

# Longer documents are counted in parts of this many positions where only some are counted.
_PART = 1 << 12

# The most held-out positions on which n is chosen: each takes two binary searches for each n.
_TRIED = 1 << 20


def ngram(counted: Batch, tokenizer: Tokenizer, held_out: Batch | None = None) -> NGram:
    """Return the n-gram model whose n has the lowest held-out loss.

    Args:
        counted: the training documents; of more than 16.8 million positions, a part is counted.
        tokenizer: made the ids.
        held_out: documents to choose n on; of more than a million positions, a part is used. None:
            n is chosen on every tenth training document, and these are counted afterwards.
    """
    V, bos = tokenizer.vocab_size, tokenizer.bos
    if held_out is not None and len(held_out):
        return NGram.chosen(enough(counted), V, bos, _some(held_out, _TRIED))
    counted = _in_parts(enough(counted))
    tenth = np.arange(len(counted)) % 10 == 9
    if not tenth.any():
        return NGram.of(counted, V, bos, n=min(3, len(counted) + 1))
    others, kept = (counted.take(np.flatnonzero(which)) for which in (~tenth, tenth))
    return NGram.chosen(others, V, bos, _some(kept, _TRIED)).also(kept)


def enough(batch: Batch) -> Batch:
    """Return the documents that `ngram` counts: all of them, or every k-th of many."""
    return _some(_in_parts(batch), _MOST) if batch.positions > _MOST else batch


def _in_parts(batch: Batch) -> Batch:
    """Split long documents, so that a share of the documents is a share of the text."""
    return replace(batch, documents=windows(batch.documents, _PART))


def _some(batch: Batch, positions: int) -> Batch:
    """Return every document, or every k-th, so that they have about `positions` positions."""
    step = -(-batch.positions // positions)
    return batch.take(np.arange(0, len(batch), step)) if step > 1 else batch


# Positions measured at once: a count-based model needs a dozen arrays of that size.
_AT_ONCE = 1 << 20


def ladder(
    counted: Batch | Counts,
    measured: Batch,
    tokenizer: Tokenizer,
    counts: NGram | None = None,
    *,
    whole: bool = False,
) -> dict[str, LossSum]:
    """Return the losses of uniform, unigram, bigram and n-gram models on the same documents.

    The loss of an unknown character is `tokenizer.unknown_nats`, as it is for a GPT.

    Args:
        counted: the training documents, or their bigram counts.
        measured: the documents to measure on; the ids of unknown characters are negative.
        tokenizer: made the ids.
        counts: the n-gram model; None: no such rung.
        whole: whether `counts` has counted exactly the training documents: bigram counts are then
            summed from it.
    """
    if isinstance(counted, Counts):
        pairs = counted
    elif counts and whole and counts.n > 1:
        pairs = Counts.of_ngram(counts)
    else:
        pairs = Counts.of(counted, tokenizer.vocab_size)
    sums: dict[str, LossSum] = {}
    for _, piece in measured.pieces(_AT_ONCE):
        for name, total in _measured(piece, pairs, counts, tokenizer):
            sums[name] = sums.get(name, LossSum()) + total
    return sums


def _measured(
    piece: Batch, pairs: Counts, counts: NGram | None, tokenizer: Tokenizer
) -> Iterator[tuple[str, LossSum]]:
    """Yield the name and the loss of each baseline on some documents.

    Each distinct n-gram is measured once, and its loss multiplied by its count.
    """
    V, unknown = tokenizer.vocab_size, 0
    if piece.targets_N.dtype.kind != "u":
        unknown = int((piece.counted(piece.targets_N) < 0).sum())
        piece = replace(piece, tokens_N=readable(piece, tokenizer).tokens_N)

    def total(losses_K: Floats, times_K: Times) -> LossSum:
        each = np.append(losses_K, tokenizer.unknown_nats), np.append(times_K, unknown)
        return LossSum(exact(*each), piece.n_counted)

    keys, times = counted(piece, 2, V, tokenizer.bos)
    distinct = Batch(keys // V, keys % V, np.array([0, len(keys)]))
    yield "uniform", total(np.full(len(keys), uniform(V)), times)
    yield "unigram", total(pairs.unigram(distinct), times)
    yield "bigram", total(pairs.bigram(distinct), times)
    if counts:
        yield "ngram", total(*counts.priced(piece))


# Multiplying by this splits a float64 into an upper half of 26 bits and a rest, so that products of
# either with integers below 2^27 are exact.
_HALF = 2.0**27 + 1.0


def exact(values_K: Floats, times_K: Times) -> float:
    """Return the exact sum of values, each times_K times, rounded once.

    Source: the splitting of Veltkamp and Dekker, "A floating-point technique for extending the
    available precision", Numer. Math. 18 (1971).

    >>> tenths = np.array([0.1, 0.2]), np.array([7, 3])
    >>> exact(*tenths) == math.fsum([0.1] * 7 + [0.2] * 3)
    True
    """
    upper_K: Floats = values_K * _HALF
    upper_K -= upper_K - values_K
    lower_K: Floats = values_K - upper_K
    return math.fsum(np.concatenate([upper_K * times_K, lower_K * times_K]).tolist())
