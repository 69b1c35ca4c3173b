"""JSON to typed values, validated: the one place where files of ours are decoded.

In: bytes, and the type that their content must have, for example a dataclass. Out: a value of that
type, or a `Foreign` error that names the part which is of another type. msgspec decodes strictly:
1.0 is no whole number, NaN is no JSON. The dataclasses that it makes check their own values.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeVar

import msgspec

from microgpt.errors import UsageError

T = TypeVar("T")


class Foreign(UsageError):  # noqa: N818  (it says what content is)
    """Content that microgpt does not write; the message is a phrase, for use in brackets."""


def parse(data: bytes) -> Any:
    """Decode JSON.

    Raises:
        Foreign: the bytes are not JSON.

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


def encode(value: Any) -> bytes:
    """Encode a value as JSON, dataclasses as objects; numbers that are not finite become null.

    >>> encode({"loss": float("nan"), "step": 3})
    b'{"loss":null,"step":3}'
    """
    return msgspec.json.encode(value)


def convert(kind: type[T], value: Any, name: str = "") -> T:
    """Convert a JSON value to a type; keys that the type does not have are ignored.

    Args:
        kind: the type; fields of a dataclass that have a default may be missing.
        value: as `parse` returns it.
        name: the value's name in messages; "" for a whole file.

    Raises:
        Foreign: the value is of another type.
        UsageError: the dataclass refuses the value of a field.

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
    """Return a hash of a JSON value that does not depend on the order of keys.

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
    """Rewrite a message of msgspec in the words of this package.

    >>> _phrase("Expected `int | null`, got `str` - at `$.data.files[0]`", "")
    'data.files[0] must be a whole number or null; got text'
    >>> _phrase("Object missing required field `model`", "")
    'it lacks model'
    """
    reason, _, at = message.partition(" - at ")
    where = name + at.replace("`", "").replace("key in ", "a key of ").replace("$", "", 1)
    where = where.replace("a key of .", "a key of ").removeprefix(".") or "it"
    if expected := re.fullmatch("Expected `(.+?)`( of length .+?)?(?:, got `?(.+?)`?)?", reason):
        must, length, got = (part or "" for part in expected.groups())
        return f"{where} must be {_kind(must)}{length}" + (f"; got {_kind(got)}" if got else "")
    if lacks := re.fullmatch("Object missing required field `(.+)`", reason):
        return f"it lacks {lacks[1] if where == 'it' else f'{where}.{lacks[1]}'}"
    if choice := re.fullmatch("Invalid enum value '?(.*?)'?", reason, re.DOTALL):
        return f'{where} must be one of its choices; got "{choice[1][:40]}"'
    return f"{where}: {reason[:1].lower()}{reason[1:]}"
