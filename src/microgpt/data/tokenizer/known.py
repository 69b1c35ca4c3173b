"""Texts to ids: one whose characters must all be known, or any number of them.

In: a tokenizer, text. Out: ids; or a sentence that says what is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from microgpt.data.encoded import Encoded, Ids
from microgpt.data.texts import Texts
from microgpt.data.tokenizer.contract import Tokenizer
from microgpt.errors import UsageError
from microgpt.wording import printable


def known_ids(tokenizer: Tokenizer, text: str, subject: str = "text") -> Ids:
    """Return the ids of a text.

    Args:
        tokenizer: makes them.
        text: what it is given.
        subject: what a message calls that.

    Raises:
        UsageError: it has a character that the vocabulary lacks.

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
    """Return the ids of any number of texts, in the smallest integers that hold the vocabulary.

    >>> from microgpt.data.tokenizer import Characters
    >>> encode_all(Characters.of(["emma"]), ["am", "e"]).stream.tolist()
    [3, 0, 2, 3, 1, 3]
    """
    return Encoded.joined(_blocks(tokenizer, Texts.of(texts)), tokenizer.bos)


def _blocks(tokenizer: Tokenizer, texts: Texts) -> Iterator[Encoded]:
    for block in texts.blocks():
        encoded = tokenizer.encode_many(block)
        yield Encoded(encoded.stream, encoded.offsets)  # without where each token begins
