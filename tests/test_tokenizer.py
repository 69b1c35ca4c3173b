"""Encoding and decoding are inverse; unknown characters are named and have a loss."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.data.tokenizer import UNKNOWN, Bytes, Characters, from_json, known_ids
from microgpt.errors import UsageError

ODD = ["\0\r\n\x85\u2028", "\ufeffé\u0301", "👩\u200d👩\u200d👧", "a" * 10_000, "\U0010ffff",
       "a\ud800b", "\udfff"]  # halves of a pair, as names of files may have them  # fmt: skip


@given(st.lists(st.text(), min_size=1), st.sampled_from(["first", "last"]))
def test_characters_decode_what_they_encode(documents, place) -> None:  # type: ignore[no-untyped-def]
    tokenizer = Characters.of([*documents, "a"], place)
    again = from_json(json.loads(json.dumps(tokenizer.to_json())))
    for document in documents:
        ids = tokenizer.encode(document)[0].tolist()
        assert tokenizer.decode(ids) == document
        assert again.encode(document)[0].tolist() == ids
        assert tokenizer.bos not in ids
        assert all(0 <= i < tokenizer.vocab_size for i in ids)


@given(st.text(), st.sampled_from(["first", "last"]))
def test_bytes_decode_what_they_encode(text, place) -> None:  # type: ignore[no-untyped-def]
    tokenizer = Bytes(place)
    ids, starts = tokenizer.encode(text)
    assert tokenizer.decode([tokenizer.bos, *ids, tokenizer.bos]) == text
    assert len(ids) == len(text.encode())
    assert starts.tolist() == [i for i, c in enumerate(text) for _ in c.encode()]


@given(st.lists(st.integers(0, 256)))
def test_any_bytes_a_model_makes_can_be_shown(ids) -> None:  # type: ignore[no-untyped-def]
    text = Bytes().decode(ids)
    good = bytes(i for i in ids if i < 256)
    assert text == good.decode("utf-8", "replace")


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_come_back(text: str) -> None:
    for tokenizer in (Characters.of([text]), Bytes()):
        assert tokenizer.decode(tokenizer.encode(text)[0]) == text


def test_ids_follow_the_code_points_and_bos_stands_at_an_end() -> None:
    last, first = Characters.of(["bca"]), Characters.of(["bca"], "first")
    assert (last.characters, last.encode("abc")[0].tolist(), last.bos) == ("abc", [0, 1, 2], 3)
    assert (first.encode("abc")[0].tolist(), first.bos, first.vocab_size) == ([1, 2, 3], 0, 4)


def test_an_unknown_character_is_named_with_what_is_known() -> None:
    tokenizer = Characters.of(["abcdz"])
    with pytest.raises(UsageError) as caught:
        known_ids(tokenizer, "aé", "prompt")
    assert str(caught.value) == (
        'the prompt has "é", which this model has never seen. It knows: a-d, z. '
        "Train on text with it, or use --tokenizer bytes."
    )
    assert tokenizer.encode("aéz")[0].tolist() == [0, UNKNOWN, 4]


def test_an_unknown_character_costs_what_good_and_turing_say() -> None:
    # Ten characters, three of them seen once: the next is new with 3 in 11 (one is to come).
    tokenizer = Characters.of(["aaaabbb", "cde"])
    others = 0x110000 - 0x800 - 5
    assert tokenizer.unknown_nats == pytest.approx(-math.log(3 / 11 / others))
    # None seen once: as if one had been.
    assert Characters.of(["aabb"]).p_unseen == pytest.approx(1 / 5)


def test_the_commonest_character_stands_in_for_an_unknown_one() -> None:
    assert Characters.of(["abbc"]).stand_in == 1
    assert Characters.of(["abbc"], "first").stand_in == 2


@pytest.mark.parametrize(
    "data", [{}, {"kind": "characters"}, {"kind": "morse"}, {"kind": "bytes"},
             {"kind": "characters", "characters": "ab", "counts": [1], "bos": "last"}],
)  # fmt: skip
def test_a_damaged_tokenizer_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"^(a tokenizer must have|it lacks|kind must be) "):
        from_json(data)
