"""A file's bytes to documents and back, without loss.

In: bytes. Out: the documents as token ids, and a `FileForm`: the byte order mark, the kind of line
end, whether the last line has one; and from both the same bytes. A document is a line; for a run
trained on one long text it is the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from microgpt.data.encoded import Encoded
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer, encode_all, known_ids
from microgpt.errors import DataError

_BOM = b"\xef\xbb\xbf"
_ENDS = (b"\n", b"\r\n", b"\r")


@dataclass(frozen=True)
class FileForm:
    """The properties of a file that its documents do not have.

    Attributes:
        bom: whether it begins with a byte order mark.
        end: the end of its lines.
        open: whether the last line has no line end.
    """

    bom: bool
    end: bytes
    open: bool

    def to_number(self) -> int:
        """Return the form as a number below 16."""
        return self.bom | self.open << 1 | _ENDS.index(self.end) << 2

    @classmethod
    def from_number(cls, number: int) -> FileForm:
        """Make a form of its number; raise ValueError if there is none."""
        if number >> 2 >= len(_ENDS):
            raise ValueError
        return cls(bool(number & 1), _ENDS[number >> 2], bool(number & 2))


def take_apart(data: bytes, *, stream: bool) -> tuple[FileForm, bytes]:
    r"""Return a file's form and its text; unless it is a stream, every line of the text ends in LF.

    If line ends are mixed, lines end at LF, and CR is a character.

    >>> take_apart(b"ada\r\nbob", stream=False)
    (FileForm(bom=False, end=b'\r\n', open=True), b'ada\nbob\n')
    """
    bom = data.startswith(_BOM)
    data = data[len(_BOM) * bom :]
    end = b"\n"
    if b"\r" in data:
        pairs = data.count(b"\r\n")
        if pairs == data.count(b"\r") == data.count(b"\n"):
            end = b"\r\n"
        elif b"\n" not in data:
            end = b"\r"
    data = data.replace(end, b"\n")
    is_open = bool(data) and not data.endswith(b"\n") and not stream
    return FileForm(bom, end, is_open), data + b"\n" * is_open


def put_together(form: FileForm, text: bytes) -> bytes:
    """Return the file of a form and a text: the inverse of `take_apart`."""
    data = text[: len(text) - form.open].replace(b"\n", form.end)
    return _BOM * form.bom + data


def documents(text: bytes, tokenizer: Tokenizer, name: str, *, stream: bool) -> Encoded:
    """Return the token ids of the documents of a text that `take_apart` has returned.

    Raises:
        DataError: the text is not UTF-8, and the tokenizer cannot encode other bytes.
        UsageError: the text has an unknown character.
    """
    if not text:
        return Encoded.of([], tokenizer.bos)
    whole = text if stream else text[:-1]
    if not tokenizer.any_bytes:
        try:
            whole.decode()
        except UnicodeDecodeError as error:
            line = whole.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{name}: line {line}: not UTF-8 (0x{whole[error.start]:02x}), which this model's "
                "characters are. Try a run of --tokenizer bytes."
            ) from None
    buffer = np.frombuffer(whole + b"\n", dtype=np.uint8)
    stops = np.array([len(buffer)]) if stream else np.flatnonzero(buffer == ord("\n")) + 1
    texts = Texts(buffer, np.concatenate([np.zeros(1, np.int64), stops]))
    encoded = encode_all(tokenizer, texts)
    if encoded.stream.min() < 0:
        at = int(encoded.stream.argmin())
        d = int(np.searchsorted(encoded.offsets, at)) - 1
        known_ids(tokenizer, texts[d], "text" if stream else f"text in line {d + 1:,}")
    return encoded


def text_of(ids: Iterable[int], tokenizer: Tokenizer, *, stream: bool) -> bytes:
    """Return the text of documents end to end, with BOS after each."""
    pieces = [*tokenizer.pieces]
    pieces[tokenizer.bos] = b"" if stream else b"\n"
    return b"".join(map(pieces.__getitem__, ids))
