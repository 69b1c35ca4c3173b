"""An arithmetic coder: choices among whole numbers to bytes, and back. It knows no model.

In: for each choice an interval: `size` numbers from `start` on, out of `total`. Out: bytes, about
log2(total / size) bits a choice; and from these bytes, with the same totals, the same choices. All
arithmetic is on integers, so that encoder and decoder agree exactly.

The overhead: the state is a range of R numbers, always more than 2^96, which a choice shrinks to
``floor(R / total) size``. That costs log2(total / size) bits, plus what the floor loses: at most
``-log2(1 - total / R)``, under 2^-39 bits for a total of 2^56. At the end any number in the range
can be written; the range contains a multiple of 256^k where 256^k <= R, so less than one byte is
added.

    bytes < (sum of log2(total / size) + choices / 2^39) / 8 + 1

Source: Martin, "Range encoding: an algorithm for removing redundancy from a digitised message"
(1979); Witten, Neal and Cleary, "Arithmetic coding for data compression" (1987).
"""

from __future__ import annotations

MOST_TOTAL = 2**56
"""The largest total."""

_WORD = 32
_STATE = 128
_LOW = _STATE - _WORD  # a range of at most 2^_LOW numbers is extended by a word
_MASK = (1 << _LOW) - 1
_FULL = (1 << _WORD) - 1


class ArithmeticEncoder:
    """Encodes choices to bytes.

    >>> encoder = ArithmeticEncoder()
    >>> for start in (0, 1, 1):  # of four numbers the first, then twice one of the other three
    ...     encoder.put(start, 3 if start else 1, 4)
    >>> encoder.finish().hex()
    '1c'
    """

    def __init__(self) -> None:
        self._words: list[int] = []
        self._low, self._range = 0, 1 << _STATE

    def put(self, start: int, size: int, total: int) -> None:
        """Encode a choice: 0 <= start, 1 <= size, start + size <= total <= MOST_TOTAL."""
        unit = self._range // total
        self._low += unit * start
        self._range = unit * size
        while self._range <= _MASK:
            self._emit(self._low >> _LOW)
            self._low = (self._low & _MASK) << _WORD
            self._range <<= _WORD

    def finish(self) -> bytes:
        """Return all bytes; `put` must not be called afterwards."""
        for length in range(_STATE // 8 + 1):
            free = _STATE - 8 * length
            point = -(-self._low >> free) << free  # the first multiple of 2^free from low on
            if point < self._low + self._range:
                break
        else:
            raise AssertionError("a range holds a whole number")
        rest = point >> free
        if rest >> 8 * length:
            self._carry()
            rest &= (1 << 8 * length) - 1
        head = b"".join(word.to_bytes(_WORD // 8, "big") for word in self._words)
        return head + rest.to_bytes(length, "big")

    def _emit(self, word: int) -> None:
        if word > _FULL:
            self._carry()
            word &= _FULL
        self._words.append(word)

    def _carry(self) -> None:
        """Add 1 to the words so far; the first never overflows: as a fraction they are below 1."""
        at = len(self._words) - 1
        while self._words[at] == _FULL:
            self._words[at] = 0
            at -= 1
        self._words[at] += 1


class ArithmeticDecoder:
    """Decodes the choices: `at` returns a number, `take` the interval in which the caller found it.

    >>> decoder = ArithmeticDecoder(bytes.fromhex("1c"))
    >>> for _ in range(3):
    ...     start = min(decoder.at(4), 1)
    ...     decoder.take(start, 3 if start else 1)
    ...     print(start)
    0
    1
    1
    """

    def __init__(self, code: bytes) -> None:
        self._code, self._read = code, _STATE // 8
        self._value = int.from_bytes(code[: self._read].ljust(self._read, b"\0"), "big")
        self._range, self._unit = 1 << _STATE, 1

    def at(self, total: int) -> int:
        """Return a number of the interval that was chosen, in [0, total).

        Raises:
            ValueError: the code is not an encoder's.
        """
        self._unit = self._range // total
        number = self._value // self._unit
        if number >= total:
            raise ValueError("the code must be an encoder's; got a number in no interval.")
        return number

    def take(self, start: int, size: int) -> None:
        """Move on behind a choice, whose interval is given.

        Raises:
            ValueError: the code ends too early.
        """
        self._value -= self._unit * start
        self._range = self._unit * size
        while self._range <= _MASK:
            end = self._read + _WORD // 8
            # The encoder omits trailing zeros, at most those of one state.
            if end > len(self._code) + _STATE // 8:
                raise ValueError("the code must be whole; it ended before its choices.")
            word = self._code[self._read : end].ljust(_WORD // 8, b"\0")
            self._value = self._value << _WORD | int.from_bytes(word, "big")
            self._range <<= _WORD
            self._read = end

    @property
    def spent(self) -> bool:
        """Whether the code has been read to its end."""
        return self._read >= len(self._code)
