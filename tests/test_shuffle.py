"""The shuffle by arrays equals that of Python's `random`, and leaves the generator in its state."""

from __future__ import annotations

import random

import numpy as np
import pytest

from microgpt.data import shuffle
from microgpt.data.batch import lay_out
from microgpt.data.plan import Plan
from microgpt.data.shuffle import shuffled

from .conftest import some

SIZES = [*range(40), 255, 256, 257, 4095, 4096, 4097, 32_768, 32_769, 70_001]


@pytest.mark.parametrize("seed", some([0, 42, 2**70], 1))
def test_it_is_what_random_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for least in (0, 1 << 15):
        monkeypatch.setattr(shuffle, "_MANY", least)
        shuffle._shuffled.cache_clear()  # pyright: ignore[reportPrivateUsage]
        for n in SIZES[least == 0 and 2 :]:
            by_list, by_arrays = random.Random(seed), random.Random(seed)
            for rng in (by_list, by_arrays):
                rng.gauss()  # which keeps a number for the next time
            expected = list(range(n))
            by_list.shuffle(expected)
            for _ in range(2):  # what has been drawn is kept
                again = random.Random()
                again.setstate(by_arrays.getstate())
                assert shuffled(n, again).tolist() == expected
                assert again.getstate() == by_list.getstate()


@pytest.mark.parametrize("swaps", [1, 1000, 30_000])
def test_it_is_the_same_however_many_swaps_are_made_at_once(
    swaps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shuffle, "_SWAPS", swaps)
    monkeypatch.setattr(shuffle, "_MANY", 1 << 12)
    monkeypatch.setattr(shuffle, "_DRAWS", 1 << 10)
    for n in (4096, 4097, 20_001, 65_536):
        shuffle._shuffled.cache_clear()  # pyright: ignore[reportPrivateUsage]
        expected, own = [*range(n)], random.Random(n)
        random.Random(n).shuffle(expected)
        assert shuffled(n, own).tolist() == expected
    shuffle._shuffled.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_later_epochs_are_those_of_numpy_s_permutation() -> None:
    data = lay_out([[i] for i in range(200)], bos=200, block_size=4).batch
    third = Plan(data, batch_size=200, seed=2**40 + 7).batches(2, 1)
    expected = np.random.RandomState([7, 2**8, 2]).permutation(200)
    assert third.targets_N[::2].tolist() == expected.tolist()
