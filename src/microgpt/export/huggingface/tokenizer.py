"""A run's tokenizer as Hugging Face's: the same ids, BOS at both ends of a text.

In: a tokenizer. Out: the content of `tokenizer.json` and `tokenizer_config.json`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Fast

from microgpt.data.tokenizer import BPE, Bytes, Characters, Tokenizer
from microgpt.data.tokenizer.huggingface import BYTE_OF
from microgpt.errors import UsageError
from microgpt.wording import printable


def fast(tokenizer: Tokenizer) -> Fast:
    """Return a tokenizer of Hugging Face's library with the same ids.

    Raises:
        UsageError: that library has no counterpart to it.

    >>> fast(Characters.of(["emma", "ava"])).encode("mave").ids
    [4, 2, 0, 3, 1, 4]
    >>> fast(Bytes()).encode("né").ids
    [256, 110, 195, 169, 256]
    """
    made: Any  # whose types say little
    if isinstance(tokenizer, Characters):
        made = _characters(tokenizer)
    elif isinstance(tokenizer, Bytes):
        made = _bytes(tokenizer)
    elif isinstance(tokenizer, BPE):
        made = _bpe(tokenizer)
    else:
        kinds = ", ".join(tokenizer.symbols.values())
        raise UsageError(
            "a tokenizer for Hugging Face must read a text as it is; this run's reads "
            f"{kinds} as one symbol each. Try another run, or --to onnx."
        )
    bos = bos_of(tokenizer)
    made.add_special_tokens([bos])
    made.post_processor = processors.TemplateProcessing(
        single=[bos, "$A", bos],
        pair=[bos, "$A", bos, "$B", bos],
        special_tokens=[(bos, tokenizer.bos)],
    )
    return made


def settings(tokenizer: Tokenizer, block_size: int) -> dict[str, Any]:
    """Return the content of `tokenizer_config.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **dict.fromkeys(("bos_token", "eos_token", "pad_token"), bos_of(tokenizer)),
        "model_max_length": block_size + 1,
        "padding_side": "left",
        "model_input_names": ["input_ids", "attention_mask"],
        # A text may have the characters of the end's name: they are no end of it.
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
    }


def _characters(tokenizer: Characters) -> Fast:
    characters = tokenizer.characters
    if found := [c for c in characters if "\ud800" <= c <= "\udfff"]:
        raise UsageError(
            "a tokenizer for Hugging Face must have characters of Unicode alone; this run's has "
            f"{printable(found[0])}, half of one. Try --to onnx."
        )
    # Without a token for unknown characters, the library refuses a text that has one.
    made: Any = Fast(models.WordLevel(_vocabulary(tokenizer, [*characters])))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    return made


def _bytes(tokenizer: Bytes) -> Fast:
    names = sorted(BYTE_OF, key=BYTE_OF.__getitem__)
    made: Any = Fast(models.BPE(_vocabulary(tokenizer, names), []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


def _vocabulary(tokenizer: Characters | Bytes, names: Sequence[str]) -> dict[str, int]:
    """Return the id of every name, in order, and of BOS."""
    bos = bos_of(tokenizer)
    return {**{name: i for i, name in enumerate(names, tokenizer.first)}, bos: tokenizer.bos}


def _bpe(tokenizer: BPE) -> Fast:
    """Return the tokenizer of the file that it was made of, with an id for the ends."""
    data: dict[str, Any] = tokenizer.to_json()["huggingface"]
    added: list[dict[str, Any]] = data.get("added_tokens") or []
    names = [*data["model"]["vocab"], *(token["content"] for token in added)]
    ids = [*data["model"]["vocab"].values(), *(token["id"] for token in added)]
    # What was added is in the vocabulary too: that alone says which id it has.
    vocabulary = {name: i + tokenizer.first for name, i in zip(names, ids)}
    added = [{**token, "id": token["id"] + tokenizer.first} for token in added]
    model = {**data["model"], "vocab": {**vocabulary, bos_of(tokenizer): tokenizer.bos}}
    changed = {"added_tokens": added, "truncation": None, "padding": None}
    return Fast.from_str(json.dumps({**data, "model": model, **changed}))


def bos_of(tokenizer: Tokenizer) -> str:
    """Return the name of the id that begins and ends a text, which no other id has.

    In a text these characters mean themselves.
    """
    name = "<bos>"
    while name.encode() in tokenizer.pieces:
        name = f"<{name}>"
    return name
