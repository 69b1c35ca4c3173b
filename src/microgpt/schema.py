"""What stands in a file of ours, by its type: the one place where JSON becomes values.

In: bytes, and the type that their content must have, a dataclass say. Out: a value of just that
type, or a `Foreign` that says which part is not. msgspec decodes: 1.0 is no whole number to it, and
NaN no JSON; and it makes dataclasses, which then check themselves.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeVar

import msgspec

from microgpt.errors import UsageError

T = TypeVar("T")


class Foreign(UsageError):  # noqa: N818  (it says what content is)
    """Content that is not as microgpt writes it; the message is a phrase, to stand in brackets."""


def parse(data: bytes) -> Any:
    """Return the JSON value that bytes are.

    Raises:
        Foreign: they are none.

    >>> parse(b'{"step": 3}')
    {'step': 3}
    >>> parse(b"NaN")
    Traceback (most recent call last):
    microgpt.schema.Foreign: not JSON: invalid character (byte 0)
    """
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError as error:
        raise Foreign(f"not JSON: {error.reason} for UTF-8") from None
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise Foreign(f"not JSON: {reason[:1].lower()}{reason[1:]}") from None
    except RecursionError:
        raise Foreign("not JSON that can be read: nested too deep") from None


def convert(kind: type[T], value: Any, name: str = "") -> T:
    """Return a JSON value as one of a type; keys that the type lacks are passed over.

    Args:
        kind: the type; of a dataclass, fields with a default may be missing.
        value: as `parse` returns it.
        name: what a message calls it; "" for a whole file.

    Raises:
        Foreign: it is of another type.
        UsageError: it is, but the dataclass refuses it.

    >>> convert(tuple[int, ...], [1, "b"], "counts")
    Traceback (most recent call last):
    microgpt.schema.Foreign: counts[1] must be a whole number; got text
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from None
        raise Foreign(_phrase(str(error), name)) from None
    except RecursionError:
        raise Foreign("nested too deep") from None


def fingerprint(value: Any) -> str:
    """Return a hash of a JSON value: of what it says, whatever the order of keys.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    canonical = msgspec.json.encode(value, order="sorted")
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


_WORDS = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false",
    "null": "null", "array": "a list", "object": "an object",
}  # fmt: skip


def _kind(words: str) -> str:
    return " or ".join(_WORDS.get(word, word) for word in words.split(" | "))


def _phrase(message: str, name: str) -> str:
    """Say in our words what msgspec says.

    >>> _phrase("Expected `int | null`, got `str` - at `$.data.files[0]`", "")
    'data.files[0] must be a whole number or null; got text'
    >>> _phrase("Object missing required field `model`", "")
    'it lacks model'
    """
    told, _, at = message.partition(" - at ")
    where = name + at.replace("`", "").replace("key in ", "a key of ").replace("$", "", 1)
    where = where.replace("a key of .", "a key of ").removeprefix(".") or "it"
    if expected := re.fullmatch("Expected `(.+?)`( of length .+?)?(?:, got `?(.+?)`?)?", told):
        must, length, got = (part or "" for part in expected.groups())
        return f"{where} must be {_kind(must)}{length}" + (f"; got {_kind(got)}" if got else "")
    if lacks := re.fullmatch("Object missing required field `(.+)`", told):
        return f"it lacks {lacks[1] if where == 'it' else f'{where}.{lacks[1]}'}"
    if choice := re.fullmatch("Invalid enum value '?(.*?)'?", told, re.DOTALL):
        return f'{where} must be one of its choices; got "{choice[1][:40]}"'
    return f"{where}: {told[:1].lower()}{told[1:]}"
