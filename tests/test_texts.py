"""Many texts in one buffer: equal to a list of strings; and finding duplicates among them."""

from __future__ import annotations

import random
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.data import alike, texts
from microgpt.data.alike import Alike, Known, among
from microgpt.data.gathering import Gathering
from microgpt.data.texts import Texts
from microgpt.scoring.price import groups

anything = st.lists(
    st.text(st.sampled_from("ab\n\r \0é\u2028😀\ud800"), max_size=5)
    | st.sampled_from(["", "ab", "ba", "a" * 300])
)


@given(anything, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-2, -1, 1, 3]))
def test_texts_are_the_list_of_them(some, first, stop, step) -> None:  # type: ignore[no-untyped-def]
    found = Texts.of(some)
    backwards = found.take(np.arange(len(some))[::-1])
    for its, expected in ((found, some), (backwards, some[::-1]), (found[2:], some[2:])):
        assert list(its) == expected
        assert its == expected
        assert [its[i] for i in range(-len(expected), len(expected))] == expected * 2
        assert its[first:stop:step] == expected[first:stop:step]
        assert its.lengths.tolist() == [*map(len, expected)]
        assert its.characters == sum(map(len, expected))
        each = [text.encode("utf-8", "surrogatepass") for text in expected]
        assert its.sizes.tolist() == [*map(len, each)]
        assert bytes(its.data) == b"".join(data + b"\n" for data in each)
        assert its.packed().is_packed
        codes, offsets = its.code_points()
        assert codes.tolist() == [ord(c) for text in expected for c in text + "\n"]
        assert np.diff(offsets).tolist() == [len(text) + 1 for text in expected]
    gathered = Gathering()
    gathered.add(some)
    gathered.add(backwards)
    assert gathered.done() == some + some[::-1]


def test_blocks_are_bounded_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_BYTES", 50)
    monkeypatch.setattr(texts, "_TEXTS", 7)
    rng = random.Random(3)
    some = ["é" * rng.choice([0, 1, 5, 40]) for _ in range(200)]
    found = Texts.of(some).take(np.array(rng.sample(range(200), 100)))
    blocks = list(found.blocks())
    assert [text for block in blocks for text in block] == list(found)
    assert all(len(b) <= 7 and (len(b.data) <= 50 or len(b) == 1) for b in blocks)


@given(anything, st.integers(1, 9))
def test_groups_of_an_array_of_texts_are_those_of_a_list(some, characters) -> None:  # type: ignore[no-untyped-def]
    expected = list(groups(some, characters))
    for its in (Texts.of(some), Texts.of(["ab", *some]).take(np.arange(1, len(some) + 1))):
        assert [list(group) for group in groups(its, characters)] == expected


def test_a_million_texts_are_no_million_objects() -> None:
    line = b"emma\n"
    n = 1_000_000
    buffer = np.frombuffer(line * n, dtype=np.uint8)
    found = Texts(buffer, np.arange(n + 1) * len(line))
    assert sys.getsizeof(found) < 1000
    assert found.take(np.arange(0, n, 2))[n // 2 - 1] == "emma"


@given(anything)
def test_alike_texts_have_one_number_that_of_the_first(some) -> None:  # type: ignore[no-untyped-def]
    found = Alike.of(Texts.of(some))
    numbers = {text: number for number, text in enumerate(dict.fromkeys(some))}
    assert found.number_D.tolist() == [numbers[text] for text in some]
    assert found.firsts_U.tolist() == [some.index(text) for text in numbers]
    assert found.times_U.tolist() == [*Counter(some).values()]
    known = Known(some)
    assert all(text in known for text in some)
    assert not any(text + "x" in known or None in known for text in some)


@given(anything, anything, st.integers(1, 60))
def test_among_says_what_a_list_would(some, others, size) -> None:  # type: ignore[no-untyped-def]
    # Line feeds stand inside texts, too; parts of texts are none.
    sought = [*some, *others, *(text[:1] for text in some), *(text + "\n" for text in some), "\n"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(texts, "_BYTES", size)
        assert among(sought, Texts.of(some)) == [text in some for text in sought]


def test_texts_that_only_have_the_same_hash_are_not_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    right = alike._hashes  # pyright: ignore[reportPrivateUsage]

    def poor(its: Texts, seed: int) -> alike.Hashes:
        return its.sizes.astype(np.uint64) if seed == 0 else right(its, seed)

    monkeypatch.setattr(alike, "_hashes", poor)
    some = ["bob", "ada", "bob", "eva", "x"]
    assert Alike.of(Texts.of(some)).number_D.tolist() == [0, 1, 0, 2, 3]
    assert "ada" in Known(some)
    assert "eve" not in Known(some)
