"""How the lines of a file repeat, and which of them predict what a new line will cost.

In: the documents trained on and those held out. Out: texts to price, and what each stands for.

A new line either repeats a text of the file or is new. What a new text costs, the held-out texts
tell that stand in the file once: the model has not learnt from them. A line that repeats stands for
itself, held out or not, for so would it come again; only that one line fewer would have been learnt
from. A text that was learnt from once stands for a new one, which it no longer is: it is left out.
Where no two lines are alike, that leaves the held-out documents, each one of n.

Source: take a line away, and it is new if its text stood there once. So of n lines as many are new
as stand there once: Good, "The population frequencies of species and the estimation of population
parameters" (1953).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.data.alike import Alike
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats

Ints = NDArray[np.int64]

MOST = 50_000
"""Texts priced at most, of those held out and of those that repeat each."""

# What learning from a text once more gains falls with log(lines + one of these).
_HEAD_STARTS = (0, 1, 3, 10, 30, 100)


@dataclass(frozen=True)
class Repetition:
    """How the lines of a file repeat.

    Attributes:
        lines: how many there are, held out or not.
        once: those whose text stands there once.
        twice: the texts that stand there twice.
    """

    lines: int
    once: int
    twice: int


@dataclass(frozen=True, eq=False)
class Selection:
    """Texts to price, no two of them alike.

    Attributes:
        texts: those that are new first.
        lines_D: how many lines of the file each stands for; 0: it is new, that is, held out and
            there once.
        learnt_D: how many lines of it were trained on.
        repetition: of the file.
        whole: whether these are as many as can be.
    """

    texts: list[str]
    lines_D: Ints
    learnt_D: Ints
    repetition: Repetition
    whole: bool


def choose(
    trained: Sequence[str],
    held_out: Sequence[str],
    seed: int = 0,
    most: int = MOST,
    alike: tuple[Alike, Alike] | None = None,
) -> Selection:
    """Choose the texts that show what is usual.

    Args:
        trained: the documents trained on.
        held_out: the documents held out; none of them is among the others.
        seed: of what is drawn where there are too many.
        most: how many of either kind, at most.
        alike: which of either are the same, if that is known.

    >>> found = choose(["bob", "ada", "bob"], ["lea", "eva", "lea"])
    >>> found.texts, found.lines_D.tolist(), found.learnt_D.tolist()
    (['eva', 'bob', 'lea'], [0, 2, 2], [0, 2, 0])
    >>> found.repetition
    Repetition(lines=6, once=2, twice=2)
    """
    learnt, kept = alike or (Alike.of(Texts.of(texts)) for texts in (trained, held_out))
    times_U = np.concatenate([learnt.times_U, kept.times_U])  # of the one, then of the other
    firsts_U = np.concatenate([learnt.firsts_U, kept.firsts_U + len(trained)])
    before = len(learnt.times_U)
    rng = random.Random(seed)
    new = np.flatnonzero(kept.times_U == 1) + before
    repeating = np.flatnonzero(times_U > 1)
    lines = times_U[repeating]
    whole = most >= min(MOST, max(len(new), len(repeating)))
    if len(new) > most:
        new = new[rng.sample(range(len(new)), most)]
    if len(repeating) > most:
        # Lines are drawn, not texts: one that repeats often must not be missed.
        number_D = np.concatenate([learnt.number_D, kept.number_D + before])
        number_R = number_D[times_U[number_D] > 1]
        picked: list[int] = number_R[rng.sample(range(len(number_R)), most)].tolist()
        drawn = Counter(picked)
        repeating, lines = np.array([*drawn]), np.array([*drawn.values()])
    chosen = np.concatenate([new, repeating]).astype(np.int64)
    at = firsts_U[chosen]
    is_learnt = at < len(trained)
    of_trained = iter(Texts.of(trained).take(at[is_learnt]))
    of_held_out = iter(Texts.of(held_out).take(at[~is_learnt] - len(trained)))
    return Selection(
        [next(of_trained if its else of_held_out) for its in is_learnt.tolist()],
        np.concatenate([np.zeros(len(new)), lines]).astype(np.int64),
        np.where(chosen < before, times_U[chosen], 0).astype(np.int64),
        Repetition(
            len(trained) + len(held_out), int((times_U == 1).sum()), int((times_U == 2).sum())
        ),
        whole,
    )


def one_fewer(means_D: Floats, learnt_D: Ints) -> Floats:
    """Return what texts would cost, had one line of each not been learnt from.

    What a line gains is read off these texts: those learnt from more often cost less. That is
    fitted by -gain log(lines + start).

    >>> one_fewer(np.array([3.0, 2.5, 2.0, 1.5]), np.array([0, 2, 4, 8])).round(3).tolist()
    [3.0, 3.0, 2.208, 1.596]
    """
    often = learnt_D > 1
    lines_R, means_R = learnt_D[often].astype(np.float64), means_D[often]
    if len(set(lines_R.tolist())) < 2:
        return means_D
    fits: list[tuple[float, float, int]] = []
    for start in _HEAD_STARTS:
        log_R = np.log(lines_R + start)
        log_R -= log_R.mean()
        gain = -float(log_R @ means_R) / float(log_R @ log_R)
        left = float(((means_R - means_R.mean() + gain * log_R) ** 2).sum())
        fits.append((left, gain, start))
    _, gain, start = min(fits)
    more_D = np.zeros(len(means_D))
    more_D[often] = max(gain, 0.0) * np.log((lines_R + start) / (lines_R + start - 1.0))
    return means_D + more_D


def weights(lines_D: Ints, repetition: Repetition) -> Floats:
    """Return what each text weighs among all, if one that is new weighs 1.

    Those that are new, and the next line, stand for all lines whose text stands there once.

    >>> weights(np.array([0, 2, 2]), Repetition(lines=6, once=2, twice=2)).round(2).tolist()
    [1.0, 1.33, 1.33]
    """
    new, drawn = int((lines_D == 0).sum()), int(lines_D.sum())
    a_line = (new + 1) / (repetition.once + 1) * (repetition.lines - repetition.once)
    return np.where(lines_D == 0, 1.0, lines_D * a_line / max(drawn, 1))
