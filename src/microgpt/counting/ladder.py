"""What a loss is to be compared with: models that only count.

In: the documents to count, the documents to be measured on. Out: a `LossSum` for each rung of the
ladder: uniform ("blind"), unigram ("letters"), bigram ("pairs"), the best n-gram.
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
from microgpt.counting.ngram import NGram
from microgpt.counting.pairs import Counts
from microgpt.data.batch import Batch
from microgpt.data.tokenizer.unknown import readable
from microgpt.loss import LossSum
from microgpt.wording import ALONE, MIXED, THIS, name_of

if TYPE_CHECKING:
    from microgpt.data.tokenizer import Tokenizer

Floats = NDArray[np.float64]


def uniform(vocab_size: int) -> float:
    """Return the loss of guessing blindly among all token ids, ln V nats.

    >>> round(uniform(27), 4)
    3.2958
    """
    return math.log(vocab_size)


class Rung(NamedTuple):
    """A model of a ladder.

    Attributes:
        name: as people read it.
        sum: of its losses.
        is_this: whether it is the model that the others stand beside.
    """

    name: str
    sum: LossSum
    is_this: bool


@dataclass(frozen=True)
class Ladder:
    """What a loss is worth: the baselines and the model on the same documents.

    Attributes:
        what: the documents, in words.
        baselines: by name, from the worst.
        model: this model's.
        n: how many characters the n-gram's longest have; 0: there is none.
        gpt: the GPT's alone, where `model` is that of the GPT mixed with counts.
        mixes: whether it is mixed with any.
        why: the reason, where there are no baselines.
    """

    what: str
    baselines: dict[str, LossSum]
    model: LossSum
    n: int = 0
    gpt: LossSum | None = None
    mixes: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        """What this model is called: where none was held out the loss is the GPT's, as trained."""
        return (MIXED if self.gpt else ALONE) if self.mixes else THIS

    @property
    def rungs(self) -> list[Rung]:
        """All of them, the worst first."""
        rungs = [
            Rung(name_of(name, self.n), total, False) for name, total in self.baselines.items()
        ]
        rungs += [Rung(ALONE, self.gpt, False)] if self.gpt else []
        rungs.append(Rung(self.name, self.model, True))
        return sorted(rungs, key=lambda rung: -rung.sum.mean)

    def _repr_html_(self) -> str:
        """Show them in a notebook, each with a bar as long as its loss."""
        from microgpt import html

        return html.fragment("ladder", what=self.what, rungs=self.rungs)


# Positions whose n-grams are counted: more would take long, and memory without end. Where there are
# more, every second document is counted, or every third, and so on.
_MOST = 1 << 24

# Positions of held-out documents that a length is chosen on: each costs two searches a length.
_TRIED = 1 << 20


def ngram(counted: Batch, tokenizer: Tokenizer, held_out: Batch | None = None) -> NGram:
    """Count n-grams of the length that held-out documents cost least with.

    Args:
        counted: the documents trained on; of more than 16.8 million positions some.
        tokenizer: what made the ids.
        held_out: others, of more than a million positions some; None: every tenth of those trained
            on, which are then counted too.
    """
    V, bos = tokenizer.vocab_size, tokenizer.bos
    counted = enough(counted)
    if held_out is not None and len(held_out):
        return NGram.chosen(counted, V, bos, _some(held_out, _TRIED))
    tenth = np.arange(len(counted)) % 10 == 9
    if not tenth.any():
        return NGram.of(counted, V, bos, n=min(3, len(counted) + 1))
    others, kept = (counted.take(np.flatnonzero(which)) for which in (~tenth, tenth))
    return NGram.of(counted, V, bos, NGram.chosen(others, V, bos, _some(kept, _TRIED)).n)


def enough(batch: Batch) -> Batch:
    """Return as many of the documents as `ngram` counts."""
    return _some(batch, _MOST)


def _some(batch: Batch, positions: int) -> Batch:
    """Return all documents, or every second, or third: those have about so many positions."""
    step = -(-batch.positions // positions)
    return batch.take(np.arange(0, len(batch), step)) if step > 1 else batch


# Positions measured at once: a model that counts needs a dozen arrays of them.
_AT_ONCE = 1 << 20


def ladder(
    counted: Batch | Counts,
    measured: Batch,
    tokenizer: Tokenizer,
    counts: NGram | None = None,
    *,
    whole: bool = False,
) -> dict[str, LossSum]:
    """Return the losses of uniform, unigram, bigram and n-gram on the same documents.

    Characters that the vocabulary lacks cost `tokenizer.unknown_nats`, as they cost the model.

    Args:
        counted: the documents trained on, or what they were counted to.
        measured: the documents to compare on; unknown characters are negative ids.
        tokenizer: what made the ids.
        counts: the n-gram; None: there is no such rung.
        whole: whether that has counted all of the documents trained on, and none else.
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
    """Yield each model's name and loss on some documents: each distinct n-gram is priced once."""
    V, unknown = tokenizer.vocab_size, 0
    if piece.targets_N.dtype.kind != "u":
        unknown = int((piece.targets_N < 0).sum())
        piece = replace(piece, tokens_N=readable(piece, tokenizer).tokens_N)

    def total(losses_K: Floats, times_K: Times) -> LossSum:
        each = np.append(losses_K, tokenizer.unknown_nats), np.append(times_K, unknown)
        return LossSum(exact(*each), piece.positions)

    keys, times = counted(piece, 2, V, tokenizer.bos)
    distinct = Batch(keys // V, keys % V, np.array([0, len(keys)]))
    yield "uniform", total(np.full(len(keys), uniform(V)), times)
    yield "unigram", total(pairs.unigram(distinct), times)
    yield "bigram", total(pairs.bigram(distinct), times)
    if counts:
        yield "ngram", total(*counts.priced(piece))


# A float64 times this keeps its upper 26 bits: the rest, and products with numbers below 2^27, are
# exact.
_HALF = 2.0**27 + 1.0


def exact(values_K: Floats, times_K: Times) -> float:
    """Return the sum of values that each come a number of times, rounded once, as of all of them.

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
