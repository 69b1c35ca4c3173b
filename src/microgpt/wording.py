"""How numbers, names, text and settings are written for people, on a terminal and on a page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from microgpt.config import TrainConfig
    from microgpt.loss import LossSum

END = "⏎"
"""The symbol for the end of a document."""

STEP, STRONGEST = 1.2, 5
"""The nats between two levels of colour (`level`), and the highest level."""


def name_of(baseline: str, n: int) -> str:
    """Return the name of a baseline for people.

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


def count(number: int, noun: str, many: str = "") -> str:
    """Write a number with its noun, in the singular or plural.

    >>> count(1, "document"), count(32_000, "document"), count(2, "stretch", "stretches")
    ('1 document', '32,000 documents', '2 stretches')
    """
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def figures(value: float, decimals: int = 4, absurd: float = 1e6) -> str:
    """Write a loss or a perplexity, in scientific notation if it is very large.

    Args:
        value: the number.
        decimals: how many decimals.
        absurd: from this value on scientific notation is used.

    >>> figures(559.51), figures(7.46, 1), figures(1.234e240, 1)
    ('559.5100', '7.5', '1.2e+240')
    """
    return f"{value:.{decimals}{'e' if abs(value) >= absurd else 'f'}}"


ALONE, MIXED, THIS = "GPT alone", "GPT + counts", "this model"
"""The names of the GPT in a mixture, of a mixture, and of a GPT that is not mixed."""


def heldout(what: str, gpt: float, mixed: float | None = None, decimals: int = 4) -> str:
    """Write a held-out loss; of a mixture, the GPT's and the mixture's under their own names.

    >>> print(heldout("val", 2.4), heldout("val", 2.4, 2.3, decimals=2), sep=" | ")
    val 2.4000 | val: GPT alone 2.40 · GPT + counts 2.30
    """
    if mixed is None:
        return f"{what} {figures(gpt, decimals)}"
    return f"{what}: {ALONE} {figures(gpt, decimals)} · {MIXED} {figures(mixed, decimals)}"


def units(loss: LossSum, unit: str = "character") -> str:
    """Write a mean loss in nats, in bits and as a perplexity.

    >>> from microgpt.loss import LossSum
    >>> units(LossSum(6.0, 2))
    '3.0000 nats a character = 4.33 bits = as unsure as a choice among 20.1'
    """
    return (
        f"{figures(loss.mean)} nats a {unit} = {figures(loss.bits, 2)} bits"
        f" = as unsure as a choice among {figures(loss.perplexity, 1)}"
    )


def glyph(char: str | None, *, unknown: bool = False) -> str:
    r"""Return the symbols that show a token's characters; None is the end of a document.

    >>> glyph("a"), glyph(" be"), glyph("\n"), glyph(None), glyph("é", unknown=True)
    ('a', '␣be', '\\n', '⏎', 'é?')
    """
    shown = END if char is None else printable(char).replace(" ", "␣")
    return f"{shown}?" if unknown else shown


def expected(tokens: Iterable[str]) -> str:
    """Return symbols for the likeliest tokens; "" is the end of a document.

    >>> expected(["a", "", " "])
    'a ⏎ ␣'
    """
    return " ".join(glyph(token or None) for token in tokens)


def level(nats: float) -> int:
    """Return the level of colour for a loss in nats, from 0 to STRONGEST.

    >>> level(0.5), level(3.0), level(40.0)
    (0, 2, 5)
    """
    return min(int(nats / STEP), STRONGEST)


def printable(text: str) -> str:
    r"""Return text with escapes for characters that are invisible or would move the cursor.

    >>> printable("a\x00\nb")
    'a\\x00\\nb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clipped(text: str, most: int = 60) -> str:
    """Return `printable` text, cut to its first `most` characters.

    >>> clipped("abcdef", most=4)
    'abc…'
    """
    return printable(text if len(text) <= most else f"{text[: most - 1]}…")


def shell_word(text: str) -> str:
    r"""Quote text as one word of a shell command, on one line.

    >>> print(shell_word("a b"), shell_word("a\nb"), shell_word("plain"))
    'a b' $'a\nb' plain
    """
    if text.isprintable():
        return shlex.quote(text)
    bytes_of = {ord("\n"): "\\n", ord("\t"): "\\t", ord("'"): "\\'", ord("\\"): "\\\\"}
    plain = range(0x20, 0x7F)
    escaped = (bytes_of.get(b, chr(b) if b in plain else f"\\{b:03o}") for b in os.fsencode(text))
    return f"$'{''.join(escaped)}'"


def path_word(path: object) -> str:
    """Quote a path as one word of a shell command that cannot be taken for a flag.

    >>> path_word("-d/best"), path_word("runs/a")
    ('./-d/best', 'runs/a')
    """
    text = str(path)
    return shell_word(f"./{text}" if text.startswith("-") else text)


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the known word that is most similar to `word`; None: none is similar enough.

    >>> nearest("trian", ["train", "plot"]), nearest("--frob", ["train"])
    ('train', None)
    """
    import difflib  # slow to import, and rarely needed

    found = difflib.get_close_matches(word, known, 1, alike)
    return found[0] if found else None


def readable(text: str) -> str:
    r"""Return text of several lines, each of them `printable`.

    >>> readable("a\tb\nc")
    'a\\tb\nc'
    """
    return "\n".join(map(printable, text.split("\n")))


def ranges(characters: str) -> str:
    """List sorted characters, with runs of consecutive ones as ranges.

    >>> ranges(" abcdz")
    "' ', a-d, z"
    """
    runs: list[list[str]] = []
    for c in characters:
        if runs and ord(c) == ord(runs[-1][-1]) + 1:
            runs[-1].append(c)
        else:
            runs.append([c])
    names: list[str] = []
    for run in runs:
        shown = [f"'{c}'" if c.isspace() and c.isprintable() else printable(c) for c in run]
        names += [f"{shown[0]}-{shown[-1]}"] if len(run) > 2 else shown
    return ", ".join(names)


def as_flag(name: str, value: Any) -> str:
    """Write a setting as a flag of `microgpt train`; one of several values as several.

    >>> as_flag("n_embd", 32), as_flag("qk_norm", False), as_flag("mask", ("digits", "a=b c"))
    ('--n-embd 32', '--no-qk-norm', "--mask digits --mask 'a=b c'")
    """
    if isinstance(value, tuple):
        return " ".join(as_flag(name, one) for one in cast("tuple[Any, ...]", value))
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    between = "=" if str(value).startswith("-") else " "
    return f"--{flag}{between}{shell_word(str(value))}"


def as_flags(values: Mapping[str, Any]) -> list[str]:
    """Write settings as flags of `microgpt train`; leave out those that are None."""
    return [as_flag(name, value) for name, value in values.items() if value is not None]


def rates(training: TrainConfig, asked: Collection[str] = ()) -> str:
    """Write the learning rates as flags: those in `asked`, or else all.

    >>> from microgpt.config import TrainConfig
    >>> rates(TrainConfig(lr=0.3)), rates(TrainConfig(optimizer="muon"))
    ('--lr 0.3', '--lr 0.01 and --muon-lr 0.02')
    """
    names = ["lr", "muon_lr"] if training.optimizer == "muon" else ["lr"]
    blamed = [name for name in names if name in asked] or names
    return " and ".join(as_flag(name, f"{getattr(training, name):g}") for name in blamed)
