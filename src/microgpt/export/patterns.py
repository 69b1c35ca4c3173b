r"""A regular expression of Python as JavaScript writes it, for masks in a page.

In: an expression. Out: one that matches the same with JavaScript's flag u; or a `UsageError`.
"""

from __future__ import annotations

import re

from microgpt.errors import UsageError

# Outside of a set, and what stands for it inside one.
_CLASSES = {
    "d": r"\p{Nd}", "w": r"\p{L}\p{N}_",
    "s": r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}  # fmt: skip
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_WORD = "[" + _CLASSES["w"] + "]"
_EDGE = f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))"
_ANCHORS = {"b": _EDGE, "A": "(?<![^])", "Z": "(?![^])"}
_GROUPS = re.compile(r"\(\?(?::|=|!|<=|<!)|\((?!\?)")
_REPEAT = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})\??(?!\+)")
_BRACES = re.compile(r"\{\d*(?:,\d*)?(?<!\{)\}")
_CODE = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})")


def javascript(pattern: str, name: str) -> str:
    r"""Return the expression in JavaScript's notation.

    Args:
        pattern: as `re.compile` takes it.
        name: of the mask, for a message.

    Raises:
        UsageError: it has a part that JavaScript has not, or reads otherwise.

    >>> javascript(r"ORD-\d{4,6}", "order")
    'ORD\\u{2d}[\\p{Nd}]{4,6}'
    """
    found, at = list[str](), 0
    while at < len(pattern):
        char = pattern[at]
        if repeat := _REPEAT.match(pattern, at):
            found.append(repeat[0].replace("{,", "{0,"))
            at = repeat.end()
        elif group := _GROUPS.match(pattern, at):
            found.append("(?:" if group[0] == "(" else group[0])
            at = group.end()
        elif char == "[":
            text, at = _set(pattern, at, name)
            found.append(text)
        elif char == "\\":
            text, at = _escape(pattern, at, name)
            found.append(text)
        elif char == "(":
            raise _refused(name, pattern[at : at + 3])
        else:
            # A dot matches all but a line feed; $ also before a line feed at the end.
            special = {".": "[^\\n]", "$": "(?=\\n?(?![^]))", "^": "(?<![^])", ")": ")", "|": "|"}
            # One that gives nothing back of what it took, or none at all.
            if char in "*+?" or _BRACES.match(pattern, at):
                raise _refused(name, pattern[at : at + 2])
            found.append(special.get(char) or _literal(char))
            at += 1
    return "".join(found)


def _set(pattern: str, at: int, name: str) -> tuple[str, int]:
    """Return a set of characters, and the place behind it."""
    at += 1
    found = ["["]
    if pattern[at] == "^":
        found.append("^")
        at += 1
    first = at
    while pattern[at] != "]" or at == first:
        if pattern[at] == "\\":
            text, at = _escape(pattern, at, name, inside=True)
            found.append(text)
            continue
        is_range = pattern[at] == "-" and at > first and pattern[at + 1] != "]"
        found.append("-" if is_range else _literal(pattern[at]))
        at += 1
    return "".join([*found, "]"]), at + 1


def _escape(pattern: str, at: int, name: str, *, inside: bool = False) -> tuple[str, int]:
    """Return what a backslash and what follows it mean, and the place behind them."""
    char = pattern[at + 1]
    if code := _CODE.match(pattern, at + 1):
        return _literal(chr(int(code[1] or code[2] or code[3], 16))), code.end()
    stop = at + 2
    if char in _CLASSES:
        return (_CLASSES[char] if inside else f"[{_CLASSES[char]}]"), stop
    if char in _CONTROLS:
        return _literal(chr(_CONTROLS[char])), stop
    if char.lower() in _CLASSES and not inside:
        return f"[^{_CLASSES[char.lower()]}]", stop
    if char in _ANCHORS and not inside:
        return _ANCHORS[char], stop
    if char.isascii() and char.isalnum():
        raise _refused(name, pattern[at:stop])
    return _literal(char), stop


def _literal(char: str) -> str:
    r"""Return a character that means itself.

    >>> _literal("a"), _literal("]")
    ('a', '\\u{5d}')
    """
    return char if char.isalnum() or char in " _" else f"\\u{{{ord(char):x}}}"


def _refused(name: str, part: str) -> UsageError:
    return UsageError(
        f"mask {name} must be an expression that a browser reads as Python does; it has {part}, "
        "which it does not."
    )
