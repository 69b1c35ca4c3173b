"""Texts to ids: one text that must have known characters only, or any number of texts.

In: a tokenizer, text. Out: ids, or a `UsageError` that names the unknown character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from microgpt.data.decoded import Decoded
from microgpt.data.encoded import Encoded, Ids
from microgpt.data.texts import Texts
from microgpt.data.tokenizer.contract import Tokenizer
from microgpt.errors import UsageError
from microgpt.wording import printable


def known_ids(tokenizer: Tokenizer, text: str, subject: str = "text") -> Ids:
    """Return the ids of a text, none of them unknown.

    Args:
        tokenizer: encodes the text.
        text: for example a prefix to sample from.
        subject: what a message calls the text.

    Raises:
        UsageError: the text has an unknown character.

    >>> from microgpt.data.tokenizer import Characters
    >>> known_ids(Characters.of(["emma"]), "am").tolist()
    [0, 2]
    """
    ids, starts = tokenizer.encode(text)
    if ids.size and ids.min() < 0:
        unknown = text[int(starts[int(ids.argmin())])]
        raise UsageError(
            f'the {subject} has "{printable(unknown)}", which this model has never seen. It knows: '
            f"{tokenizer.alphabet}. Train on text with it, or use --tokenizer bytes."
        )
    return ids


def encode_all(tokenizer: Tokenizer, texts: Iterable[str]) -> Encoded:
    """Return the ids of any number of texts, in the smallest integer type that holds them.

    Texts that are stored as ids of this tokenizer are not encoded again.

    >>> from microgpt.data.tokenizer import Characters
    >>> encode_all(Characters.of(["emma"]), ["am", "e"]).stream.tolist()
    [3, 0, 2, 3, 1, 3]
    """
    some = Texts.of(texts)
    stored = some.encoded if isinstance(some, Decoded) and some.tokenizer == tokenizer else None
    return stored or Encoded.joined(_blocks(tokenizer, some), tokenizer.bos)


def _blocks(tokenizer: Tokenizer, texts: Texts) -> Iterator[Encoded]:
    for block in texts.blocks():
        encoded = tokenizer.encode_many(block)
        yield Encoded(encoded.stream, encoded.offsets)  # without `starts_N`, to save memory
