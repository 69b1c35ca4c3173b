"""Rows built column by column: natively or in Python, they equal those that formatting writes."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.data.texts import Texts
from microgpt.engines import why_not_native
from microgpt.errors import UsageError
from microgpt.scoring.rows import columns as columns_module
from microgpt.scoring.rows.columns import Columns, CutTexts, Quoting, Words
from microgpt.scoring.rows.plain import PlainRows
from microgpt.wording import END
from tests.conftest import REQUIRED

WAYS = ("plain", "native")
ALPHABETS = ("abc", "aé日😀", "a\ud800")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How rows are laid out: in Python or natively."""
    if request.param == "plain":
        monkeypatch.setattr(columns_module, "native_rows", lambda: None)
    elif why_not_native() and "native" not in REQUIRED:
        pytest.skip(f"no native engine: {why_not_native()}")
    return request.param


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
    columns.cut(words.text, words.offsets[:-1], stops_D)
    columns.choose(Words.of(["", " odd"]), np.array(flags, dtype=bool))
    columns.same("\n")
    joined, offsets = columns.joined()
    return joined, offsets.tolist()


def written(text: str, value: float, flag: bool) -> bytes:
    """Return such a row, formatted by Python."""
    raw = text.encode("utf-8", "backslashreplace")
    numbers = f"{value:.4f}{value:9.1f}"
    return b"<%b> %b||%b%b\n" % (raw, numbers.encode(), raw[:1], b" odd" if flag else b"")


@pytest.mark.parametrize("alphabet", ["abc", "a\ud800"])
@pytest.mark.parametrize("longest", [1, 12, 1000])
@pytest.mark.parametrize("most", [5.0, 998.0, 1e7])
def test_rows_are_those_that_python_writes(
    way: str, alphabet: str, longest: int, most: float
) -> None:
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


def test_there_may_be_no_rows(way: str) -> None:
    assert built([], [], []) == (b"", [0])


@pytest.mark.parametrize(
    "values",
    [
        [np.nan, np.inf, 2.0],
        [998.99999, 998.99994, 0.00004],
        [999.5, 1000.5],
        [1e15, 1e300, 0.5],
        [-2.5, 1.0],
    ],
)
def test_strange_numbers_are_written_as_python_writes_them(way: str, values: list[float]) -> None:
    columns = Columns(len(values))
    columns.numbers(np.array(values), 4)
    columns.same(";")
    each = (f"{value:.4{'e' if 1e15 <= value < np.inf else 'f'}};" for value in values)
    assert columns.joined()[0].decode() == "".join(each)


def test_halves_of_the_last_decimal_are_rounded_to_even(way: str) -> None:
    columns = Columns(4)
    columns.numbers(np.array([0.125, 0.375, 2.5e-3, 12.5]), 2, 6)
    assert columns.joined()[0] == b"  0.12  0.38  0.00 12.50"


def test_a_number_a_trifle_below_zero_is_zero(way: str) -> None:
    columns = Columns(1)
    columns.numbers(np.array([-1e-9]), 4)
    assert columns.joined()[0] == b"0.0000"


def test_whole_numbers_are_padded_and_a_zero_may_have_a_word(way: str) -> None:
    columns = Columns(3)
    numbers_D = np.array([0, 7, 123_456_789_012])
    columns.whole(numbers_D)
    columns.same("|")
    columns.whole(numbers_D, 4, "  --")
    columns.same(";")
    assert columns.joined()[0] == b"0|  --;7|   7;123456789012|123456789012;"


def parts_of(texts: Sequence[str], cuts: Sequence[tuple[int, int]]) -> list[str]:
    """Return the parts of texts, each with an end, as Python cuts them."""
    return [f"{text}{END}"[start:stop] for text, (start, stop) in zip(texts, cuts)]


def quoted(parts: list[str], quoting: Quoting, delimiter: str) -> list[str]:
    """Return parts as the libraries json and csv write them."""
    if quoting == "json":
        return [json.dumps(part, ensure_ascii=False)[1:-1] for part in parts]
    if quoting == "none":
        return parts
    lines: list[str] = []
    for part in parts:
        file = io.StringIO(newline="")
        # The second cell: a row of an empty cell alone would be quoted.
        csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerow([part, "x"])
        lines.append(file.getvalue()[: -len(f"{delimiter}x\r\n")])
    return lines


TEXTS = st.lists(
    st.tuples(
        st.text(st.sampled_from('ab,;"\\\n\r\t\x00\x1f\x7fé퟿\ud800\udfff日⏎😀'), max_size=8),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=6,
)


@given(TEXTS, st.sampled_from(["none", "json", "csv"]), st.sampled_from([",", ";", "é", END]))
def test_parts_are_quoted_as_the_libraries_quote_them_natively_too(
    found: list[tuple[str, int, int]], quoting: Quoting, delimiter: str
) -> None:
    texts = [text for text, _, _ in found]
    cuts = [(min(a, b, len(t)), min(max(a, b), len(t) + 1)) for t, a, b in found]
    parts = quoted(parts_of(texts, cuts), quoting, delimiter)
    expected = "\n".join([*parts, ""]).encode("utf-8", "backslashreplace")
    with pytest.MonkeyPatch.context() as patch:
        for way in WAYS:
            if way == "plain":
                patch.setattr(columns_module, "native_rows", lambda: None)
            columns = Columns(len(texts))
            starts_D, stops_D = np.array(cuts).T
            CutTexts(Texts.of(texts), quoting, delimiter).add(columns, starts_D, stops_D)
            columns.same("\n")
            assert columns.joined()[0] == expected, way
            patch.undo()


@given(
    st.lists(st.tuples(st.floats(0, 998.99), st.integers(0, 2**62), st.integers(0, 2)), max_size=9),
    st.integers(1, 6),
    st.integers(0, 20),
)
def test_numbers_and_words_are_the_same_bytes_in_both_ways(
    rows: list[tuple[float, int, int]], places: int, width: int
) -> None:
    if why_not_native():
        pytest.skip(f"no native engine: {why_not_native()}")
    from microgpt.engines.native import TextRows

    words = Words.of(["", "é", "a word"])
    found: list[tuple[bytes, list[int]]] = []
    for made in (PlainRows(len(rows)), TextRows(len(rows))):
        made.decimal(np.array([value for value, _, _ in rows]), places, width)
        made.same(b" ")
        made.whole(np.array([n for _, n, _ in rows], dtype=np.int64), width, b"none")
        made.choose(words.text, words.offsets, np.array([w for *_, w in rows], dtype=np.int64))
        joined, offsets = made.joined()
        found.append((joined, offsets.tolist()))
    assert found[0] == found[1]


def test_what_is_out_of_bounds_is_an_error_and_nothing_is_read() -> None:
    if why_not_native():
        pytest.skip(f"no native engine: {why_not_native()}")
    from microgpt.engines.native import TextRows

    words, one = Words.of(["ab", "c"]), np.ones(1, dtype=np.int64)
    rows = TextRows(1)
    with pytest.raises(UsageError, match=r"starts must be 1; got 2\."):
        rows.cut(words.text, np.array([0, 1]), one, None, b"", "none", b"")
    with pytest.raises(UsageError, match=r"there is no quoting \"xml\"\."):
        rows.cut(words.text, one, one, None, b"", "xml", b"")
    with pytest.raises(UsageError, match=r"places must be from 1 to 6; got 7\."):
        rows.decimal(np.ones(1), 7, 0)
    for wrong, said in (
        (lambda r: r.choose(words.text, words.offsets, 2 * one), "must be one of 2; got number 2"),
        (lambda r: r.cut(words.text, one, 9 * one, None, b"", "csv", b","), "got 1 to 9"),
        (lambda r: r.decimal(np.full(1, np.nan), 2, 0), "a number must be from 0 to 1e9; got nan"),
        (lambda r: r.whole(-one, 0, b""), "a whole number must be from 0; got -1"),
    ):
        rows = TextRows(1)
        wrong(rows)
        with pytest.raises(UsageError, match=said):
            rows.joined()
