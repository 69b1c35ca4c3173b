"""How numbers and names are said to people, on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterable

from microgpt.alphabet import printable
from microgpt.loss import LossSum
from microgpt.tokenizer import Bytes, Tokenizer

END = "⏎"
"""Stands for the end of a document."""

STEP, STRONGEST = 1.2, 5
"""A `level` is so many nats more than the one below, up to the strongest."""


def name_of(baseline: str, n: int) -> str:
    """Return what a baseline is called among people.

    >>> name_of("uniform", n=5), name_of("ngram", n=5), name_of("xz", n=5)
    ('blind', '5-grams', 'xz')
    """
    names = {"uniform": "blind", "unigram": "letters", "bigram": "pairs", "ngram": f"{n}-grams"}
    return names.get(baseline, baseline)


def short(number: float) -> str:
    """Write a large number in three digits.

    >>> short(950), short(12_345), short(4_100_000)
    ('950', '12.3k', '4.1M')
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def unit_of(tokens: Tokenizer) -> str:
    """Return what a position is called."""
    return "byte" if isinstance(tokens, Bytes) else "character"


def count(number: int, noun: str, many: str = "") -> str:
    """Write a number of things.

    >>> count(1, "document"), count(32_000, "document"), count(2, "stretch", "stretches")
    ('1 document', '32,000 documents', '2 stretches')
    """
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def figures(value: float, decimals: int = 4, absurd: float = 1e6) -> str:
    """Write a loss or a perplexity; one that is absurdly large in powers of ten.

    Args:
        value: the number.
        decimals: how many.
        absurd: from here on nobody can read so many digits.

    >>> figures(559.51), figures(7.46, 1), figures(1.234e240, 1)
    ('559.5100', '7.5', '1.2e+240')
    """
    return f"{value:.{decimals}{'e' if abs(value) >= absurd else 'f'}}"


ALONE, MIXED, THIS = "GPT alone", "GPT + counts", "this model"
"""What a model is called beside others: the GPT of a mixture, the mixture, and a GPT not mixed."""


def counts_of(n: int, unit: str = "character", weight: float | None = None) -> str:
    """Say what a GPT is mixed with.

    Args:
        n: how many tokens in a row are counted.
        unit: what a token is called.
        weight: the share of the counts, if it is known.

    >>> counts_of(5), counts_of(3, "byte", 0.374)
    ('counts of 5 characters', 'counts of 3 bytes (37 %)')
    """
    share = "" if weight is None else f" ({100 * weight:.0f} %)"
    return f"counts of {count(n, unit)}{share}"


def units(loss: LossSum, unit: str = "character") -> str:
    """Say a mean loss in nats, bits and choices.

    >>> units(LossSum(6.0, 2))
    '3.0000 nats a character = 4.33 bits = as unsure as a choice among 20.1'
    """
    return (
        f"{figures(loss.mean)} nats a {unit} = {figures(loss.bits, 2)} bits"
        f" = as unsure as a choice among {figures(loss.perplexity, 1)}"
    )


def glyph(char: str | None, *, unknown: bool = False) -> str:
    r"""Return what stands for a character; None is the end of a document.

    >>> glyph("a"), glyph(" "), glyph("\n"), glyph(None), glyph("é", unknown=True)
    ('a', '␣', '\\n', '⏎', 'é?')
    """
    shown = END if char is None else "␣" if char == " " else printable(char)
    return f"{shown}?" if unknown else shown


def expected(tokens: Iterable[str]) -> str:
    """Return what stands for the likeliest tokens, the end of a document among them as "".

    >>> expected(["a", "", " "])
    'a ⏎ ␣'
    """
    return " ".join(glyph(token or None) for token in tokens)


def level(nats: float) -> int:
    """Return how strongly a number of nats is coloured, from 0.

    >>> level(0.5), level(3.0), level(40.0)
    (0, 2, 5)
    """
    return min(int(nats / STEP), STRONGEST)
