"""JSON to documents: an object a line, or one array of objects or strings.

In: lines, or the text of an array in chunks. Out: `Block`s of the texts of one field, each with its
object. An object without that field is skipped and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import cast

from microgpt.data.reader.block import Block, Found, LeftOut, Object
from microgpt.data.reader.lines import Piece
from microgpt.data.reader.skipped import Tally
from microgpt.errors import DataError

_HALF = re.compile("[\ud800-\udfff]")
# White space of JSON, between the values of an array and around it.
_GAP = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Objects:
    """Reads one field of JSON objects.

    Args:
        field: the name of the field; "a.b" is the field b of the object in field a.
        tally: counts and reports what is skipped.
        longest: the most characters of an element of an array; a longer one is refused.
    """

    def __init__(self, field: str, tally: Tally, longest: float) -> None:
        self._field, self._tally, self._longest = field, tally, longest
        self._columns: Sequence[str] = ()

    def of_lines(self, piece: Piece) -> Block:
        """Return the documents of lines, each of which is an object."""
        found = Found()
        for number, line in enumerate(piece.lines, piece.number):
            where = f"line {number}"
            if spoilt := piece.spoilt.get(number - piece.number):
                self._tally.skip(where, *spoilt)
                found.left_out.append(LeftOut(number, spoilt.why))
            elif not line.strip():
                found.add("", None, number)
            else:
                try:
                    self._add(found, number, *_text_of(_parsed(line), self._field))
                except DataError as error:
                    self._tally.skip(where, str(error))
                    found.left_out.append(LeftOut(number, str(error)))
        return found.block(self._columns or ("text",))

    def of_array(self, texts: Iterator[str]) -> Iterator[Block]:
        """Yield the documents of an array of objects or strings.

        Raises:
            DataError: the text is not a JSON array.
        """
        first = 1
        for values in _elements(texts, self._tally.name, self._longest):
            found = Found()
            for number, value in enumerate(values, first):
                try:
                    self._add(found, number, *_text_of(value, self._field, strings=True))
                except DataError as error:
                    self._tally.skip(f"element {number}", str(error))
                    found.left_out.append(LeftOut(number, str(error)))
            first += len(values)
            yield found.block(self._columns or ("text",))

    def _add(self, found: Found, number: int, record: Object | None, text: str) -> None:
        found.add(text, record, number)
        if record and not self._columns and text.strip():
            self._columns = list(record)


def is_array(start: str) -> bool:
    """Return whether JSON text begins with an array.

    >>> is_array(' [{"name": "emma"}]'), is_array('{"name": "emma"}')
    (True, False)
    """
    return start.lstrip("\ufeff \t\r\n")[:1] == "["


def _parsed(line: str) -> object:
    """Return the JSON value of a line.

    Raises:
        DataError: the line is not JSON.
    """
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON ({error}).") from None
    except RecursionError:
        raise DataError("not JSON that can be read (nested too deep).") from None


def _text_of(value: object, field: str, *, strings: bool = False) -> tuple[Object | None, str]:
    """Return an object and the text of its field; for a string, None and the string.

    Args:
        value: a JSON value.
        field: the name of a field. If there is none named "a.b", it is the field b of the object in
            field a.
        strings: whether the value may be a string.

    Raises:
        DataError: the value is no object, or its field is no text.
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
    """Return the value of a field, perhaps of a nested object; raise KeyError if there is none."""
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
    """Yield the values of a JSON array, as many at a time as each chunk of text completes.

    Args:
        texts: the file's text in chunks.
        name: the file's name, for messages.
        longest: the most characters of a value; a longer one is refused.

    Raises:
        DataError: the text is not a whole JSON array.
    """
    # `sign` is the character that must come before the next value; "" after the end of the array.
    rest, sign, number, least = "", "[", 1, 0
    for text in chain(texts, [""]):  # "": the end of the file
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
                break  # the next chunk may have more digits of this number
            found.append(value)
            at, sign, number = end, ",", number + 1
        if found:
            yield found
        rest = rest[at:]
        # An unfinished value is parsed again only when the text has doubled: parsing it again for
        # each chunk would take quadratic time.
        least = 2 * len(rest)
        if not sign and rest.strip():
            raise DataError(f"{name}: not a JSON array (more comes after its end).")
    if sign:
        raise DataError(f"{name}: not a JSON array (it is not closed).")


def _skip_gap(text: str, at: int) -> int:
    return cast("re.Match[str]", _GAP.match(text, at)).end()
