"""Rows built column by column equal those that Python's formatting writes one by one."""

import random
from itertools import pairwise

import numpy as np
import pytest

from microgpt.scoring.rows.columns import Columns, Words

ALPHABETS = ("abc", "aé日😀", "a\ud800")


def built(texts: list[str], values: list[float], flags: list[bool]) -> tuple[bytes, list[int]]:
    """Return rows of a text, a number twice, a part of a text and a word, and their offsets."""
    columns = Columns(len(texts))
    words, value_D = Words.of(texts), np.array(values)
    columns.same("<")
    columns.each(words)
    columns.same("> ")
    columns.numbers(value_D, 4)
    columns.numbers(value_D, 1, 9)
    columns.same("|")
    columns.same("|")
    stops_D = np.minimum(words.offsets[:-1] + 1, words.offsets[1:])
    columns.cut(words, words.offsets[:-1], stops_D)
    columns.choose(Words.of(["", " odd"]), np.array(flags, dtype=bool))
    columns.same("\n")
    joined, offsets = columns.joined()
    return joined, offsets.tolist()


def written(text: str, value: float, flag: bool) -> bytes:
    """Return such a row, formatted by Python."""
    raw = text.encode("utf-8", "backslashreplace")
    numbers = f"{value:.4f}{value:9.1f}"
    return b"<%b> %b||%b%b\n" % (raw, numbers.encode(), raw[:1], b" odd" if flag else b"")


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("longest", [1, 12, 1000])
@pytest.mark.parametrize("most", [5.0, 998.0, 1e7])
def test_rows_are_those_that_python_writes(alphabet: str, longest: int, most: float) -> None:
    rng = random.Random(f"{alphabet} {longest} {most}".encode("utf-8", "backslashreplace"))
    rows = 2000 if longest < 1000 else 400
    texts = ["".join(rng.choices(alphabet, k=rng.randint(1, longest))) for _ in range(rows)]
    # Halves of the last decimal are left out: they are rounded from a product, or from the number.
    values = [(rng.randrange(int(most * 1e4)) + rng.uniform(-0.4, 0.4)) / 1e4 for _ in range(rows)]
    values = [abs(value) for value in values if abs(value * 10 % 1 - 0.5) > 1e-9]
    flags = [rng.random() < 0.1 for _ in values]
    expected = [*map(written, texts, values, flags)]
    joined, offsets = built(texts[: len(values)], values, flags)
    assert [joined[start:stop] for start, stop in pairwise(offsets)] == expected
    assert joined == b"".join(expected)


def test_there_may_be_no_rows() -> None:
    assert built([], [], []) == (b"", [0])


@pytest.mark.parametrize(
    "values", [[np.nan, np.inf, 2.0], [998.99999, 998.99994, 0.00004], [999.5, 1000.5]]
)
def test_strange_numbers_are_written_as_python_writes_them(values: list[float]) -> None:
    columns = Columns(len(values))
    columns.numbers(np.array(values), 4)
    columns.same(";")
    assert columns.joined()[0].decode() == "".join(f"{value:.4f};" for value in values)
