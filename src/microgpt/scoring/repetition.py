"""Repetition: which texts of a file show the losses to expect of new lines, where lines repeat.

In: the training documents and the held-out ones. Out: texts to measure, and the weight of each.

A future line is either a new text or repeats a text of the file. The losses of new texts are
estimated from the held-out texts that occur once: the model was not trained on them. The loss of a
repeating line is estimated from the text itself, corrected as if it had been trained on one line
fewer. Training texts that occur once are left out: they would represent new texts, but the model
was trained on them. If no two lines are equal, the held-out documents remain, all of equal weight.

Source: of n lines, remove one: its text is new if it occurred once. So the share of new lines is
the share of texts that occur once: Good, "The population frequencies of species and the estimation
of population parameters" (1953).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.data.alike import Alike, apart
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats

Ints = NDArray[np.int64]

MOST = 50_000
"""The most new texts, and the most repeating texts, that are measured."""

# The loss of a repeating text is assumed to fall with log(lines + s), with s one of these.
_HEAD_STARTS = (0, 1, 3, 10, 30, 100)


@dataclass(frozen=True)
class Repetition:
    """How the lines of a file repeat.

    Attributes:
        lines: how many lines there are, held out or not.
        once: how many texts occur once.
        twice: how many texts occur twice.
    """

    lines: int
    once: int
    twice: int


@dataclass(frozen=True, eq=False)
class Selection:
    """Distinct texts to measure.

    Attributes:
        texts: the new ones first.
        lines_D: how many lines of the file each text represents; 0: the text is new, that is, held
            out and once in the file.
        learnt_D: how many lines with this text were trained on; 0: one was held out, and its loss
            needs no correction.
        repetition: of the file.
        whole: whether more texts could not be chosen: all were, or MOST.
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
    alike: Alike | None = None,
) -> Selection:
    """Choose the texts whose losses are the reference.

    Args:
        trained: the training documents.
        held_out: the held-out documents.
        seed: of the random choice, if there are too many texts.
        most: the most texts of each kind, new and repeating.
        alike: which are the same, training documents first, as `alike.same` returns it; None: those
            of equal text, and no held-out document equals a training document.

    >>> found = choose(["bob", "ada", "bob"], ["lea", "eva", "lea"])
    >>> found.texts, found.lines_D.tolist(), found.learnt_D.tolist()
    (['eva', 'bob', 'lea'], [0, 2, 2], [0, 2, 0])
    >>> found.repetition
    Repetition(lines=6, once=2, twice=2)
    """
    alike = alike or apart(trained, held_out)
    times_U, firsts_U = alike.times_U, alike.firsts_U
    learnt_U = np.bincount(alike.number_D[: len(trained)], minlength=len(times_U))
    learnt_U = learnt_U.astype(np.int32)
    rng = random.Random(seed)
    new = np.flatnonzero((times_U == 1) & (learnt_U == 0))
    repeating = np.flatnonzero(times_U > 1)
    lines = times_U[repeating]
    whole = most >= min(MOST, max(len(new), len(repeating)))
    if len(new) > most:
        new = new[rng.sample(range(len(new)), most)]
    if len(repeating) > most:
        # Lines are drawn, not texts, so that a frequent text is chosen with high probability.
        number_R = alike.number_D[times_U[alike.number_D] > 1]
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
        np.where(learnt_U == times_U, times_U, 0)[chosen].astype(np.int64),
        Repetition(
            len(trained) + len(held_out), int((times_U == 1).sum()), int((times_U == 2).sum())
        ),
        whole,
    )


def one_fewer(means_D: Floats, learnt_D: Ints) -> Floats:
    """Return the losses that texts would have, had each been trained on one line fewer.

    A text has a lower loss the more of its lines were trained on: a least-squares fit of
    -gain log(lines + start) to these texts estimates how much.

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
    """Return the weight of each text, where a new text has weight 1.

    The new texts, and the next line, represent all lines whose text occurs once.

    >>> weights(np.array([0, 2, 2]), Repetition(lines=6, once=2, twice=2)).round(2).tolist()
    [1.0, 1.33, 1.33]
    """
    new, drawn = int((lines_D == 0).sum()), int(lines_D.sum())
    a_line = (new + 1) / (repetition.once + 1) * (repetition.lines - repetition.once)
    return np.where(lines_D == 0, 1.0, lines_D * a_line / max(drawn, 1))
