"""JSON into texts: an object a line, or an array of objects or strings.

In: lines, or text as it comes. Out: the texts of a field, each with its object. What has none is
skipped, and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import cast

from microgpt.data.reader.block import Block, Found, Object
from microgpt.data.reader.lines import Piece
from microgpt.data.reader.skipped import Tally
from microgpt.errors import DataError

_HALF = re.compile("[\ud800-\udfff]")
# What stands between the values of an array, and around it.
_GAP = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Objects:
    """Finds the texts of objects.

    Args:
        field: of each that has its text.
        tally: of what is skipped.
        longest: an element of an array that has more characters is refused.
    """

    def __init__(self, field: str, tally: Tally, longest: float) -> None:
        self._field, self._tally, self._longest = field, tally, longest
        self._columns: Sequence[str] = ()

    def of_lines(self, piece: Piece) -> Block:
        """Return the documents of lines with an object each."""
        found = Found()
        for number, line in enumerate(piece.lines, piece.number):
            where = f"line {number}"
            if number - piece.number in piece.spoilt:
                self._tally.skip(where, *piece.spoilt[number - piece.number])
            elif not line.strip():
                found.add("", None)
            else:
                try:
                    self._add(found, *_text_of(_parsed(line), self._field))
                except DataError as error:
                    self._tally.skip(where, str(error))
        return found.block(self._columns or ("text",))

    def of_array(self, texts: Iterator[str]) -> Iterator[Block]:
        """Yield the documents of an array of objects or strings.

        Raises:
            DataError: it is none.
        """
        first = 1
        for values in _elements(texts, self._tally.name, self._longest):
            found = Found()
            for number, value in enumerate(values, first):
                try:
                    self._add(found, *_text_of(value, self._field, strings=True))
                except DataError as error:
                    self._tally.skip(f"element {number}", str(error))
            first += len(values)
            yield found.block(self._columns or ("text",))

    def _add(self, found: Found, record: Object | None, text: str) -> None:
        found.add(text, record)
        if record and not self._columns and text.strip():
            self._columns = list(record)


def is_array(start: str) -> bool:
    """Say whether text begins as an array does."""
    return start.lstrip("\ufeff \t\r\n")[:1] == "["


def _parsed(line: str) -> object:
    """Return the value of a line.

    Raises:
        DataError: it is no JSON.
    """
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON ({error}).") from None
    except RecursionError:
        raise DataError("not JSON that can be read (nested too deep).") from None


def _text_of(value: object, field: str, *, strings: bool = False) -> tuple[Object | None, str]:
    """Return an object and its text; of a string, None and itself.

    Args:
        value: of JSON.
        field: a name; "a.b" is the b of the object at a, where no name has the dot itself.
        strings: whether a string will do.

    Raises:
        DataError: it is no object, or has no such text.
    """
    if strings and isinstance(value, str):
        return None, _whole(value, "a string")
    if not isinstance(value, dict):
        expected = "a string, or an object" if strings else "an object"
        raise DataError(f"expected {expected} with the field {field!r}; got {_short(value)}.")
    record = cast("Object", value)
    try:
        found = _inside(record, field)
    except KeyError:
        fields = ", ".join(map(str, record)) or "no fields"
        raise DataError(f'no field "{field}" but {fields}. Say which with --field NAME.') from None
    if not isinstance(found, str):
        raise DataError(f'field "{field}" must be a string; got {_short(found)}.')
    return record, _whole(found, f'field "{field}"')


def _inside(record: Object, field: str) -> object:
    """Return the value of a field, which may be one of an object inside; else a KeyError."""
    if field in record:
        return record[field]
    outer, _, rest = field.partition(".")
    inside = record.get(outer)
    if not rest or not isinstance(inside, dict):
        raise KeyError(field)
    return _inside(cast("Object", inside), rest)


def _whole(text: str, what: str) -> str:
    if not text.isascii() and _HALF.search(text):
        raise DataError(f"{what} holds half a surrogate pair, which is no text.")
    return text


def _short(value: object) -> str:
    return json.dumps(value)[:40]


def _elements(texts: Iterator[str], name: str, longest: float) -> Iterator[list[object]]:
    """Yield the values of an array, some at a time.

    Args:
        texts: of the file, as they come.
        name: of the file.
        longest: a value of more characters is refused.

    Raises:
        DataError: it is no array, or not a whole one.
    """
    rest, sign, number, least = "", "[", 1, 0
    for text in chain(texts, [""]):  # which is the end
        rest = (rest + text).removeprefix("\ufeff") if sign == "[" else rest + text
        if text and len(rest) < least:
            continue
        found, at = list[object](), 0
        while sign:
            at = _skip_gap(rest, at)
            if at == len(rest):
                break
            if sign == "," and rest[at] == "]":
                at, sign = at + 1, ""
                break
            start = _skip_gap(rest, at + 1)
            if rest[at] != sign:
                raise DataError(
                    f'{name}: not a JSON array (expected "{sign}" before element {number}).'
                )
            if sign == "[" and rest[start : start + 1] == "]":
                at, sign = start + 1, ""
                break
            try:
                value, end = _DECODER.raw_decode(rest, start)
            except ValueError as error:
                if text and len(rest) <= longest:
                    break
                raise DataError(f"{name}: element {number}: not JSON ({error}).") from None
            except RecursionError:
                raise DataError(f"{name}: element {number}: nested too deep.") from None
            if text and _skip_gap(rest, end) == len(rest):
                break  # a number may go on
            found.append(value)
            at, sign, number = end, ",", number + 1
        if found:
            yield found
        rest = rest[at:]
        # What was no value yet is not looked at again for each piece that comes.
        least = 2 * len(rest)
        if not sign and rest.strip():
            raise DataError(f"{name}: not a JSON array (more comes after its end).")
    if sign:
        raise DataError(f"{name}: not a JSON array (it is not closed).")


def _skip_gap(text: str, at: int) -> int:
    return cast("re.Match[str]", _GAP.match(text, at)).end()
