"""The shuffle by arrays equals that of Python's `random`, and leaves the generator in its state."""

from __future__ import annotations

import random

import pytest

from microgpt.data import shuffle
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
