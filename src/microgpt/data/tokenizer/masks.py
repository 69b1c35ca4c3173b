"""Masks: kinds of text that change from line to line and say nothing, as numbers in a log do.

In: what a person asks for, `digits,hex` or `order=ORD-[0-9]+`. Out: `Mask`s, each a name and a
regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import digits, hexdigits

from microgpt.data.tokenizer.contract import Tokenizer
from microgpt.errors import UsageError
from microgpt.wording import printable

_NO_WORD = "(?<![0-9A-Za-z])"
_END = "(?![0-9A-Za-z])"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_HEX = "[0-9A-Fa-f]"
_TIME = (
    "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]+)?)?(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
)
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"


@dataclass(frozen=True)
class Kind:
    """A mask that has a name.

    Attributes:
        pattern: the regular expression; it matches no line feed, and has no group.
        first: what each match begins with, behind none of [0-9A-Za-z]; "": it begins anywhere.
        signs: places from its beginning, and characters: of one sign every place has one of its
            characters. The pattern is tried there alone, which is many times as fast.
        help: what it matches.
    """

    pattern: str
    first: str
    signs: Sequence[Mapping[int, str]]
    help: str


KINDS: Mapping[str, Kind] = {
    "uuid": Kind(
        f"{_NO_WORD}{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}{_END}",
        hexdigits,
        [{8: "-", 13: "-"}],
        "UUIDs",
    ),
    "ip": Kind(
        f"(?<![0-9A-Za-z.]){_OCTET}(?:\\.{_OCTET}){{3}}(?::[0-9]{{1,5}})?{_END}(?!\\.[0-9])"
        f"|(?<![0-9A-Za-z:])(?=[A-Fa-f:]*[0-9])(?:(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}"
        f"|(?:{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{0,6}})?::(?:{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{0,6}})?)"
        "(?![0-9A-Za-z:])",
        f"{hexdigits}:",
        [*({i: ".", i + 1: digits} for i in (1, 2, 3)), *({i: ":"} for i in range(5))],
        "IP addresses, version 4 with or without a port, and version 6",
    ),
    "dates": Kind(
        f"{_NO_WORD}(?:[0-9]{{4}}(?:-[0-9]{{2}}-|/[0-9]{{2}}/)[0-9]{{2}}(?:[T ]{_TIME})?"
        f"|[0-9]{{1,2}}/{_MONTH}/[0-9]{{4}}(?::{_TIME})?|{_MONTH} {{1,2}}[0-9]{{1,2}} {_TIME}"
        f"|(?<![.:]){_TIME}){_END}",
        f"{digits}JFMASOND",
        [
            *({4: sign, 7: sign} for sign in "-/"),
            *({i: ":", i + 1: digits} for i in (1, 2)),
            *({i: "/", i + 4: "/"} for i in (1, 2)),
            {0: "JFMASOND", 3: " "},
        ],
        "dates and times, alone and together, also as syslog and web servers write them",
    ),
    "hex": Kind(
        f"{_NO_WORD}(?:0[xX]{_HEX}+|(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9]){_HEX}{{7,}}){_END}",
        hexdigits,
        [{0: "0", 1: "xX"}, dict.fromkeys(range(1, 7), hexdigits)],
        "hexadecimal numbers: 0x..., or 7 digits and more, at least one a letter and one not",
    ),
    "digits": Kind("[0-9]+", "", [], "runs of digits"),
}
"""The masks that have a name; the first has precedence."""

# What a mask of one's own may be called.
_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,30}")


@dataclass(frozen=True)
class Mask:
    """A kind of text that is read as one symbol.

    Args:
        name: of the kind.
        pattern: the regular expression that it matches; an empty match counts as none.
        times: how often it stands in the data.

    Raises:
        UsageError: it is no such name, or no such expression.
    """

    name: str
    pattern: str
    times: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                "mask must have a name of letters, digits, - and _; "
                f'got "{printable(self.name)[:40]}".'
            )
        if self.compiled.fullmatch(""):
            raise UsageError(
                f'mask {self.name} must match one character at least; got "{self.pattern[:40]}".'
            )

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression, ready to search."""
        try:
            return re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise UsageError(
                f"mask {self.name} must be a regular expression; "
                f'got "{printable(self.pattern[:40])}": {error}.'
            ) from None

    @property
    def symbol(self) -> str:
        """What is shown in place of a text of this kind.

        >>> Mask("digits", "[0-9]+").symbol
        '<digits>'
        """
        return f"<{self.name}>"

    @property
    def is_own(self) -> bool:
        """Whether it is none of `KINDS`."""
        kind = KINDS.get(self.name)
        return not kind or kind.pattern != self.pattern

    def __str__(self) -> str:
        return f"{self.name}={self.pattern}" if self.is_own else self.name


def parse(asked: str | Sequence[str] | None) -> tuple[Mask, ...]:
    """Return the masks that are asked for, those of a pattern of its own first.

    Args:
        asked: names of `KINDS` with commas between, or NAME=PATTERN; or some of these.

    Raises:
        UsageError: there is no such kind, the expression is wrong, or a name comes twice.

    >>> [str(mask) for mask in parse(["digits,uuid", "order=ORD-[0-9]{4,6}"])]
    ['order=ORD-[0-9]{4,6}', 'uuid', 'digits']
    """
    own, kinds = list[Mask](), list[str]()
    for told in [asked] if isinstance(asked, str) else asked or ():
        name, equals, pattern = told.partition("=")
        if equals:
            own.append(Mask(name, pattern))
        else:
            kinds += [kind.strip() for kind in told.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(
                f"mask must be some of {', '.join(KINDS)}, with commas between, or NAME=PATTERN "
                f'with a regular expression; got "{printable(kind)[:40]}".'
            )
    masks = (*own, *(Mask(kind, KINDS[kind].pattern) for kind in KINDS if kind in kinds))
    check_distinct(masks)
    return masks


def unmatched(masks: Iterable[Mask], tokenizer: Tokenizer) -> list[str]:
    """Say which masks match nothing in the data that a tokenizer was made of."""
    return [
        f"mask {mask.name}: nothing in the text matches it, and it is left out."
        for mask in masks
        if mask.symbol not in tokenizer.symbols.values()
    ]


def check_distinct(masks: Iterable[Mask]) -> None:
    """Raise UsageError unless each has a name of its own."""
    names = [mask.name for mask in masks]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"mask {name} must be given once; got it more often.")
