"""The arithmetic coder: lossless, and as many bits as the choices' negative log-probability."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgpt.compress.coder import MOST_TOTAL, ArithmeticDecoder, ArithmeticEncoder

Choice = tuple[int, int, int]


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    """An interval of a total, the extremes among them."""
    total = draw(st.one_of(st.integers(1, MOST_TOTAL), st.sampled_from([1, 2, 3, MOST_TOTAL])))
    start = draw(st.one_of(st.integers(0, total - 1), st.sampled_from([0, total - 1])))
    widest = total - start
    size = draw(st.one_of(st.integers(1, widest), st.sampled_from([1, widest])))
    return start, size, total


def encoded(taken: list[Choice]) -> bytes:
    encoder = ArithmeticEncoder()
    for choice in taken:
        encoder.put(*choice)
    return encoder.finish()


def decode(code: bytes, taken: list[Choice]) -> None:
    """Decode; each choice must be the expected one."""
    decoder = ArithmeticDecoder(code)
    for start, size, total in taken:
        assert start <= decoder.at(total) < start + size
        decoder.take(start, size)
    assert decoder.spent


def bits(taken: list[Choice]) -> float:
    return math.fsum(math.log2(total / size) for _, size, total in taken)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(choices(), max_size=60))
def test_choices_come_back_in_as_many_bits_as_they_surprise(taken: list[Choice]) -> None:
    code = encoded(taken)
    decode(code, taken)
    assert len(code) < (bits(taken) + len(taken) / 2**39) / 8 + 1 + 1e-9


@pytest.mark.parametrize(
    "choice",
    [
        (0, 1, MOST_TOTAL), (MOST_TOTAL - 1, 1, MOST_TOTAL), (MOST_TOTAL // 2, 1, MOST_TOTAL),
        (0, MOST_TOTAL - 1, MOST_TOTAL), (1, MOST_TOTAL - 1, MOST_TOTAL), (0, 1, 1), (2, 1, 3),
        (MOST_TOTAL // 2 - 1, 2, MOST_TOTAL), (0, 2**48, 2**48 + 257),
    ],
)  # fmt: skip
def test_thousands_of_one_choice_come_back(choice: Choice) -> None:
    taken = [choice] * 3000
    code = encoded(taken)
    decode(code, taken)
    assert len(code) < bits(taken) / 8 + 1 + 1e-6


def test_a_carry_goes_through_a_thousand_full_words() -> None:
    # Narrower and narrower about a half, from 0.0111... to 0.1000...; and then its upper part.
    taken = [(2**31 - 1, 2, 2**32)] * 1000
    below, above = ([*taken, (half, 1, 2)] for half in (0, 1))
    assert encoded(below)[:3900] == b"\x7f" + b"\xff" * 3870 + encoded(below)[3871:3900]
    assert encoded(above)[:3871] == b"\x80" + b"\0" * 3870
    decode(encoded(below), below), decode(encoded(above), above)


def test_a_carry_at_the_very_end_is_made() -> None:
    rng, carried = random.Random(1), 0
    for _ in range(2000):
        taken = [(rng.randrange(3), 1, 3) for _ in range(rng.randrange(60, 90))]
        encoder = ArithmeticEncoder()
        for choice in taken:
            encoder.put(*choice)
        before = list(encoder._words)
        code = encoder.finish()
        carried += before != encoder._words
        decode(code, taken)
    assert carried > 0


def test_without_choices_there_are_no_bytes() -> None:
    assert encoded([]) == b""
    assert ArithmeticDecoder(b"").spent


def test_a_million_choices_cost_less_than_a_byte_more_than_their_surprise() -> None:
    rng = random.Random(2)
    taken = [(0, 2**48 - 1, 2**48) if rng.random() < 0.99 else (5, 2**40, 2**48)] * 1000
    taken = [choice for choice in taken for _ in range(100)]
    code = encoded(taken)
    assert bits(taken) / 8 - 16 < len(code) < bits(taken) / 8 + 1


def test_a_code_that_ends_too_early_is_refused_and_never_endless() -> None:
    decoder = ArithmeticDecoder(encoded([(7, 1, 10)] * 50)[:10])
    with pytest.raises(
        ValueError, match=r"^the code must be whole; it ended before its choices\.$"
    ):
        for _ in range(200):
            decoder.take(decoder.at(10), 1)


def test_a_number_that_is_in_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the code must be an encoder's; got a number in no "):
        ArithmeticDecoder(b"\xff" * 16).at(3)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(2, MOST_TOTAL))
def test_any_bytes_decode_to_something_or_are_refused(code: bytes, total: int) -> None:
    decoder = ArithmeticDecoder(code)
    for _ in range(1000):
        try:
            number = decoder.at(total)
            assert 0 <= number < total
            decoder.take(number, 1)
        except ValueError:
            return
    raise AssertionError("the code went on for ever")
