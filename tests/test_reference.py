"""The reference losses: percentiles counted one by one, by length and by how lines repeat."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgpt.scoring.reference import ENOUGH, Reference
from microgpt.scoring.repetition import Repetition, choose, one_fewer, weights


def drawn(n: int, rng: np.random.Generator, longest: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Lengths, and means that vary less the longer a text is; no two alike."""
    lengths_D = rng.integers(1, longest + 1, n)
    return lengths_D, 2.0 + rng.gumbel(size=n) / np.sqrt(lengths_D)


def classes_of(lengths: list[int]) -> list[set[int]]:
    """Neighbouring lengths, until there are enough; the last join the class before."""
    classes: list[set[int]] = [set()]
    for length in sorted(set(lengths)):
        if sum(lengths.count(other) for other in classes[-1]) >= ENOUGH:
            classes.append(set())
        classes[-1].add(length)
    if len(classes) > 1 and sum(lengths.count(other) for other in classes[-1]) < ENOUGH:
        last = classes.pop()
        classes[-1] |= last
    return classes


@pytest.mark.parametrize("n", [1, 50, 199, 200, 399, 400, 401, 3000])
def test_percentiles_are_counted_among_documents_of_similar_length(n: int) -> None:
    lengths_D, means_D = drawn(n, np.random.default_rng(n))
    means_D = means_D.round(1)  # ties
    usual, classes = Reference(lengths_D, means_D), classes_of(lengths_D.tolist())
    assert len(usual) == usual.new == n
    for length in sorted(set(lengths_D.tolist())):
        its = next(some for some in classes if length in some)
        alike = [m for other, m in zip(lengths_D.tolist(), means_D.tolist()) if other in its]
        for mean in (-math.inf, 1.9, 2.0, 2.05, max(alike), math.inf):
            below = sum(other < mean for other in alike)
            (found,) = usual.percentiles(np.array([length]), np.array([mean])).tolist()
            assert found == pytest.approx(100.0 * below / (len(alike) + 1))
            assert found < 100.0


def test_classes_are_whole_lengths_with_enough_documents_and_cover_all_lengths() -> None:
    lengths_D, means_D = drawn(5000, np.random.default_rng(1), longest=40)
    usual = Reference(lengths_D, means_D)
    counts = np.bincount(usual.classes(lengths_D))
    assert len(counts) > 10
    assert counts.min() >= ENOUGH
    assert usual.classes(np.array([0, 1, 41, 10**9])).tolist() == [0, 0, *[len(counts) - 1] * 2]
    assert (np.diff(usual.classes(np.arange(50))) >= 0).all()
    many = usual.percentiles(lengths_D, means_D)
    one_by_one = [
        usual.percentiles(*(x[i : i + 1] for x in (lengths_D, means_D))) for i in range(99)
    ]
    assert many[:99].tolist() == np.concatenate(one_by_one).tolist()


def test_means_that_another_machine_rounds_otherwise_are_the_same() -> None:
    usual = Reference(np.full(9, 5), np.arange(9.0))
    means_D = np.array([4.0, 4.0 - 2e-5, 4.0 + 2e-5, 4.0001])
    assert usual.percentiles(np.full(4, 5), means_D).tolist() == [40.0, 40.0, 40.0, 50.0]


def test_a_text_that_repeats_counts_as_often_as_it_comes() -> None:
    # Of 1,000 lines 900 repeat, one of nine texts; of the hundred others nine were held out.
    lines_D = np.array([0] * 9 + [100] * 9)
    means_D = np.concatenate([np.arange(2.0, 11.0), np.arange(1.0, 10.0) / 10.0])
    usual = Reference(np.full(18, 5), means_D, lines_D, Repetition(1000, 100, 0))
    found = usual.percentiles(np.full(4, 5), np.array([0.05, 0.55, 1.5, 11.0]))
    # The next line is the 1,001st: it may be the 101st that is there once, and each of the nine
    # and the next are a tenth of these.
    expected = [0.0, 500 / 1001, 900 / 1001, (900 + 0.9 * 101) / 1001]
    assert found.tolist() == pytest.approx([100.0 * share for share in expected])


def test_however_often_a_text_repeats_it_is_one_text_of_its_class() -> None:
    # 40 texts of each of ten lengths: five lengths are a class, not one.
    lengths_D = np.repeat(np.arange(10), 40)
    lines_D = np.full(400, 50)
    usual = Reference(lengths_D, np.arange(400.0), lines_D, Repetition(20_000, 0, 0))
    assert usual.classes(np.arange(10)).tolist() == [0] * 5 + [1] * 5


def test_texts_are_chosen_by_how_they_repeat() -> None:
    trained = ["ab"] * 3 + ["cd"] + ["ef"] * 2
    held_out = ["gh", "ij", "ij", "kl"]
    found = choose(trained, held_out)
    told = dict(zip(found.texts, zip(found.lines_D.tolist(), found.learnt_D.tolist())))
    assert told == {"gh": (0, 0), "kl": (0, 0), "ab": (3, 3), "ef": (2, 2), "ij": (2, 0)}
    assert found.repetition == Repetition(lines=10, once=3, twice=2)
    assert found.whole


def test_where_there_are_too_many_lines_are_drawn_and_stand_for_all() -> None:
    trained = [str(n) for n in range(1000) for _ in range(2)] + ["often"] * 2000
    held_out = [f"h{n}" for n in range(500)]
    found = choose(trained, held_out, seed=3, most=100)
    assert not found.whole
    assert (found.lines_D == 0).sum() == 100
    assert found.lines_D.sum() == 100
    often = found.lines_D[found.texts.index("often")]
    assert 30 <= often <= 70  # half of the lines: 50, less or more 4 deviations
    assert found.learnt_D[found.texts.index("often")] == 2000
    # 4,000 lines repeat and 500 do not, which a fifth of them and the next stand for.
    weights_D = weights(found.lines_D, found.repetition)
    assert weights_D[:100].tolist() == [1.0] * 100
    assert weights_D.sum() == pytest.approx(100 + 4000 * 101 / 501)
    assert choose(trained, held_out, seed=3, most=1001).whole


def test_one_line_fewer_is_what_a_fit_of_losses_to_how_often_they_were_learnt_says() -> None:
    rng = np.random.default_rng(1)
    learnt_D = rng.integers(2, 60, 4000)
    for start, gain in ((0, 0.5), (10, 0.3)):

        def cost(lines_D: np.ndarray, start: int = start, gain: float = gain) -> np.ndarray:
            return 3.0 - gain * np.log(lines_D + start)

        noise_D = rng.normal(size=4000) * 0.1
        found_D = one_fewer(cost(learnt_D) + noise_D, learnt_D) - noise_D
        assert found_D == pytest.approx(cost(learnt_D - 1), abs=0.02)
    # What was held out, or costs no less for having been learnt from, stays as it is.
    assert one_fewer(np.arange(3.0), np.array([0, 0, 2])).tolist() == [0.0, 1.0, 2.0]
    assert one_fewer(np.arange(3.0), np.array([2, 3, 4])).tolist() == [0.0, 1.0, 2.0]
