"""Tools of the examples: losses under a run or n-gram counts, groups of texts, a table."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from microgpt import Run
from microgpt.counting.ngram import NGram
from microgpt.scoring.price import Laid, Priced, Pricer

Test = Callable[[list[str]], NDArray[np.bool_]]
"""Says of texts which are flagged."""


def counted(run: Run, n: int) -> NGram:
    """Count n-grams in the documents that a run was trained on."""
    laid = Laid.of(run.documents[0], run.tokenizer, run.settings.model.block_size)
    return NGram.of(laid.batch, run.tokenizer.vocab_size, run.tokenizer.bos, n)


def price(run: Run, texts: Sequence[str], model: NGram | None = None) -> Priced:
    """Return texts' losses under a run or n-grams: `losses_N` of positions, `means_D` of texts."""
    engine = run.predictor if model is None else model
    return Pricer(engine, run.tokenizer, run.settings.model.block_size).price(texts)


def drawn(run: Run, model: NGram, number: int, seed: int, most: int = 60) -> list[str]:
    """Sample texts from n-grams, character by character, up to the end."""
    rng, bos = np.random.default_rng(seed), run.tokenizer.bos
    ids = np.full((number, most + model.n), bos)
    for t in range(model.n - 1, most + model.n - 1):
        p_BV = model.probabilities(ids[:, t - model.n + 1 : t])
        totals = np.cumsum(p_BV, axis=1)
        chosen = (totals < rng.random((number, 1)) * totals[:, -1:]).sum(axis=1)
        ended = (ids[:, t - 1] == bos) & (t >= model.n)
        ids[:, t] = np.where(ended, bos, chosen)
    rows = [row[model.n - 1 :] for row in ids.tolist()]
    return [run.tokenizer.decode(row[: row.index(bos)]) for row in rows]


def made(
    make: Callable[[random.Random], str],
    kinds: Sequence[Callable[[random.Random], str]],
    rng: random.Random,
) -> tuple[list[str], dict[str, list[str]]]:
    """Make training texts, and groups to flag: good ones, and odd ones of several kinds."""
    seen, new = ([make(rng) for _ in range(number)] for number in (12_000, 8000))
    known = set(seen)
    unseen = [text for text in new if text not in known]
    odd = {str(how.__doc__).rstrip(".").lower(): [how(rng) for _ in range(2000)] for how in kinds}
    return seen, {"good ones, new": new, "of these never seen": unseen, **odd}


def unheard(seen: Sequence[str], words_of: Callable[[str], list[str]]) -> Test:
    """Return the simplest alternative: flag texts with a word that is in no training text."""
    vocabulary = {word for text in seen for word in words_of(text)}
    return lambda texts: np.array([not vocabulary.issuperset(words_of(text)) for text in texts])


def flag_table(tests: Mapping[str, Test], groups: Mapping[str, list[str]]) -> None:
    """Print the share of each group of texts that each test flags."""
    rows = [
        [f"{what} ({len(texts):,})", *(f"{test(texts).mean():.1%}" for test in tests.values())]
        for what, texts in groups.items()
    ]
    table(["flagged", *tests], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under heads: the first column aligned left, the others right.

    >>> table(["model", "loss"], [["pairs", 2.53], ["5-grams", 2.09]])
    model    loss
    pairs    2.53
    5-grams  2.09
    """
    lines = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *others in lines:
        cells = [cell.rjust(size) for cell, size in zip(others, widths[1:])]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())
