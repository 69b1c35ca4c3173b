"""The statistics of a data set, and what a training would make of it, in bounded memory.

In: a corpus, the share of documents to hold out. Out: the object that `data --json` prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from microgpt.counting.ladder import uniform
from microgpt.counting.pairs import unigrams
from microgpt.data.alike import Alike
from microgpt.data.corpus import Corpus
from microgpt.data.split import split
from microgpt.data.texts import Offsets, Texts
from microgpt.data.tokenizer import Characters, Masked, Tokenizer, encode_all
from microgpt.data.tokenizer.masks import Mask
from microgpt.data.tokenizer.spans import Finder
from microgpt.data.windows import Fit
from microgpt.errors import DataError

BLOCKS = (8, 16, 32, 64, 128, 256)
QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_SHOWN = 80
_EXAMPLES = 3


def statistics(
    read: Corpus, holdout: float, masks: Sequence[Mask] = (), reader: Tokenizer | None = None
) -> tuple[dict[str, Any], str]:
    """Return the object; and a warning if no document would be left to train on, else "".

    With masks, what they match is one character, in lengths and in the alphabet; and documents
    that are read the same are the same.

    Args:
        read: the documents.
        holdout: the share of them to hold out.
        masks: what is read as one symbol.
        reader: the tokenizer of a training, if it is not one of characters: blocks and losses are
            then of its tokens.

    >>> from microgpt.data.corpus import from_texts
    >>> found, _ = statistics(from_texts(["emma", "ava", "emma"]), 0.1)
    >>> found["documents"], found["duplicates"], found["most_common"]
    (3, 1, {'text': 'emma', 'times': 2})
    """
    documents, doubt = read.documents, ""
    try:
        train, held_out = map(len, split(read, holdout))
    except DataError as error:
        train, held_out, doubt = 0, len(documents), str(error)
    tokens = Masked.of(documents, masks, Characters.counted) if masks else Characters.of(documents)
    as_read = tokens.reading(documents)
    alike, lengths = Alike.of(as_read), documents.lengths
    characters = int(lengths.sum())
    if masks:
        lengths = np.diff(encode_all(tokens, documents).offsets) - 1
    most = int(alike.times_U.argmax())
    quantiles = np.quantile(lengths, QUANTILES, method="lower").tolist()
    record: dict[str, Any] = {
        "documents": len(documents),
        "duplicates": len(documents) - len(alike.firsts_U),
        "most_common": {
            "text": as_read[int(alike.firsts_U[most])][:_SHOWN],
            "times": int(alike.times_U[most]),
        },
        "blank": read.blank,
        "blank_characters": read.blank_characters,
        "broken": read.broken,
        "characters": characters,
        "bytes": int(documents.sizes.sum()),
        "fingerprint": read.fingerprint,
        "train": train,
        "held_out": held_out,
        "lengths": {f"{q:.0%}": int(length) for q, length in zip(QUANTILES, quantiles)},
        "alphabet": dict(tokens.frequencies),
        "blocks": [_block(lengths, size) for size in BLOCKS],
        "losses": _losses(tokens.frequencies, len(documents)),
    }
    if masks:
        record["masks"] = _masks(documents, masks, tokens)
    if reader is not None:
        record |= _read_by(reader, documents, characters)
    return record, doubt


def _read_by(reader: Tokenizer, documents: Texts, characters: int) -> dict[str, Any]:
    """Return what depends on the tokenizer."""
    times_V, parts = np.zeros(reader.vocab_size, dtype=np.int64), [np.zeros(0, np.int64)]
    for block in documents.blocks():
        encoded = reader.encode_many(block)
        parts.append(np.diff(encoded.offsets) - 1)
        times_V += np.bincount(encoded.stream[1:], minlength=reader.vocab_size)
    lengths = np.concatenate(parts)
    total = int(lengths.sum())
    quantiles = np.quantile(lengths, QUANTILES, method="lower").tolist()
    return {
        "tokens": {
            "unit": reader.unit,
            "vocab_size": reader.vocab_size,
            "tokens": total,
            "a_document": total / len(documents),
            "characters_a_token": characters / total,
            "lengths": {f"{q:.0%}": int(length) for q, length in zip(QUANTILES, quantiles)},
        },
        "blocks": [_block(lengths, size) for size in BLOCKS],
        "losses": _means(times_V.tolist()),
    }


def _masks(
    documents: Texts, masks: Sequence[Mask], tokens: Characters | Masked
) -> dict[str, dict[str, Any]]:
    """Return how often each mask matches, and what it matches first."""
    finder, found = Finder(masks), {mask.name: dict[str, None]() for mask in masks}
    for block in documents.blocks():
        spans = finder.find(block)
        for i, mask in enumerate(masks):
            examples = found[mask.name]
            examples.update(dict.fromkeys(spans.matched(i, _EXAMPLES * 4)))
        if all(len(examples) >= _EXAMPLES for examples in found.values()):
            break
    return {
        mask.name: {
            "times": tokens.frequencies.get(mask.symbol, 0),
            "examples": [*found[mask.name]][:_EXAMPLES],
        }
        for mask in masks
    }


def _block(lengths: Offsets, size: int) -> dict[str, int]:
    fit = Fit.of(lengths + 1, size)
    return {
        "block_size": size,
        "longer": fit.longer,
        "windows": fit.windows,
        "dropped_by_window": 0,
        "dropped_by_cut": fit.cut,
    }


def _losses(frequencies: Mapping[str, int], documents: int) -> dict[str, float]:
    """Return the mean losses of the uniform and the unigram model, in nats a position."""
    return _means([*frequencies.values(), documents])  # each document has one end


def _means(times_V: Sequence[int]) -> dict[str, float]:
    positions = sum(times_V)
    blind = Fraction(uniform(len(times_V))) * positions
    nats_V = (-np.log(unigrams(np.array(times_V, dtype=np.float64)))).tolist()
    nats = sum(Fraction(nats) * times for nats, times in zip(nats_V, times_V))
    # Exact sums, rounded once: `LossSum` sums the losses of all positions with the same result.
    return {"uniform": float(blind) / positions, "unigram": float(nats) / positions}
