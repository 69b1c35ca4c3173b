"""The content of a `tokenizer.json` of Hugging Face's tokenizers: what is taken, and what it means.

In: the JSON object. Out: the bytes of each of its ids; or a `UsageError` that says why the file is
not taken. The library itself is imported only to learn merges and to encode.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from microgpt import schema
from microgpt.errors import MissingExtra, UsageError
from microgpt.wording import printable

if TYPE_CHECKING:
    import tokenizers

# A pair of tokens that occurs once says nothing about other text.
_LEAST = 2


def _table() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for.

    GPT-2's table: printable bytes stand for themselves, the other 68 have the code points from 256
    up, so that no token has white space or a control character.
    """
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in shown]
    return {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(others)}


BYTE_OF = _table()
"""The byte that each of the 256 characters of a byte-level vocabulary stands for."""


@dataclass(frozen=True)
class _Added:
    id: int
    content: str
    special: bool = False


@dataclass(frozen=True)
class _Model:
    vocab: dict[str, int]
    type: str | None = None
    dropout: float | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


@dataclass(frozen=True)
class _File:
    model: _Model
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    added_tokens: list[_Added] = field(default_factory=list[_Added])


def pieces(data: Any, name: str) -> tuple[bytes, ...]:
    """Return the bytes of each id of a byte-level BPE.

    Args:
        data: the content of the file.
        name: what messages call it.

    Raises:
        UsageError: it is another kind of tokenizer, or one that changes text.
    """
    try:
        # Only a model of another kind may have a vocabulary of another form.
        kind = schema.convert(dict[str, dict[str, Any]], {"model": data["model"]})["model"]
        is_bpe = kind.get("type", "BPE") == "BPE"
        file = schema.convert(_File, data) if is_bpe else None
        steps = [*_steps(file.pre_tokenizer)] if file else []
        changes = [*_steps(file.normalizer)] if file else []
    except (KeyError, TypeError, schema.Foreign):
        raise UsageError(
            f"{name}: must be a tokenizer.json of Hugging Face's tokenizers; got something else."
        ) from None
    if file is None:
        raise _refused(name, f"be byte-level BPE; got {printable(str(kind['type']))[:40]}")
    model = file.model
    levels = [step for step in steps if step.get("type") == "ByteLevel"]
    added = {token.content: token.id for token in file.added_tokens}
    if not levels or not model.vocab.keys() >= BYTE_OF.keys():
        raise _refused(name, "be byte-level BPE, with a token for each byte; got another")
    if changes:
        raise _refused(name, "leave text as it is; its normalizer changes it")
    if any(step.get("add_prefix_space") for step in levels):
        raise _refused(name, "leave text as it is; add_prefix_space puts a space in front")
    if model.dropout or model.continuing_subword_prefix or model.end_of_word_suffix:
        raise _refused(
            name, "have no dropout, continuing_subword_prefix or end_of_word_suffix; got one"
        )
    ids = model.vocab | added
    if sorted(ids.values()) != [*range(len(ids))] or not all(ids):
        raise _refused(name, "have the ids 0, 1, 2 ..., each of one text; got others")
    try:
        found = {
            i: text.encode() if text in added else bytes(map(BYTE_OF.__getitem__, text))
            for text, i in ids.items()
        }
    except KeyError:
        raise _refused(name, "have tokens of bytes alone; one of them is of other text") from None
    return tuple(found[i] for i in range(len(found)))


def _refused(name: str, must: str) -> UsageError:
    return UsageError(f"{name}: a tokenizer must {must}. Try --tokenizer bpe, which learns one.")


def _steps(part: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the steps of a normalizer or a pre-tokenizer, which may be a sequence of them."""
    if part:
        inner = part.get("normalizers", part.get("pretokenizers"))
        if part.get("type") == "Sequence" and isinstance(inner, list):
            for one in cast("list[Any]", inner):
                yield from _steps(schema.convert(dict[str, Any], one, "step"))
        else:
            yield part


def is_plain(data: dict[str, Any]) -> bool:
    """Return whether text is divided by GPT-2's rule alone: never between a space and what follows.

    A long text may then be encoded in parts that begin with a space.
    """
    steps = [*_steps(data.get("pre_tokenizer"))]
    is_alone = len(steps) == 1 and steps[0].get("use_regex", True)
    return is_alone and all(token.get("special") for token in data.get("added_tokens") or ())


def library() -> ModuleType:
    """Import Hugging Face's tokenizers.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise MissingExtra(
            "a BPE tokenizer needs Hugging Face's tokenizers, which is not installed. "
            "Try: pip install 'microgpt-lm[bpe]'"
        ) from None
    return tokenizers


def learned(texts: Iterable[str], ids: int) -> dict[str, Any]:
    """Learn the merges of texts; the same texts give the same.

    Args:
        texts: none has a lone surrogate.
        ids: how many there are to be, at least 256. Pairs of tokens that occur once are not merged,
            so a short text gives fewer.

    Returns:
        The content of a `tokenizer.json`.
    """
    library()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=ids, min_frequency=_LEAST, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return json.loads(made.to_str())


def opened(data: dict[str, Any], name: str) -> tokenizers.Tokenizer:
    """Return the library's tokenizer, which reads special tokens in a text as any other text.

    Raises:
        UsageError: the library does not take it.
    """
    library()
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_str(json.dumps({**data, "truncation": None, "padding": None}))
    except Exception as error:  # the library raises no narrower one
        reason = str(error).splitlines()[0]
        raise UsageError(f"{name}: Hugging Face's tokenizers does not take it: {reason}.") from None
    made.encode_special_tokens = True
    return made
