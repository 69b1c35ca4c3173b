"""A run's tokenizer as Hugging Face's: the same ids, BOS at both ends of a text.

In: a tokenizer. Out: the content of `tokenizer.json` and `tokenizer_config.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Fast

from microgpt.data.tokenizer import Bytes, Characters, Tokenizer
from microgpt.errors import UsageError
from microgpt.wording import printable

BOS = "<bos>"
"""The name of the id that begins and ends a text; in a text these are five characters."""


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
    else:
        kinds = ", ".join(tokenizer.symbols.values())
        raise UsageError(
            "a tokenizer for Hugging Face must read a text as it is; this run's reads "
            f"{kinds} as one symbol each. Try another run, or --to onnx."
        )
    made.add_special_tokens([BOS])
    made.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {BOS}",
        pair=f"{BOS} $A {BOS} $B {BOS}",
        special_tokens=[(BOS, tokenizer.bos)],
    )
    return made


def settings(block_size: int) -> dict[str, Any]:
    """Return the content of `tokenizer_config.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": BOS,
        "pad_token": BOS,
        "model_max_length": block_size + 1,
        "padding_side": "left",
        "model_input_names": ["input_ids", "attention_mask"],
        # A text may have the five characters <bos>: they are no end of it.
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
    made: Any = Fast(models.BPE(_vocabulary(tokenizer, letters()), []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


def _vocabulary(tokenizer: Characters | Bytes, names: Sequence[str]) -> dict[str, int]:
    """Return the id of every name, in order, and of BOS."""
    return {**{name: i for i, name in enumerate(names, tokenizer.first)}, BOS: tokenizer.bos}


def letters() -> list[str]:
    """Return the printable character that stands for each byte in byte-level tokenizers.

    Source: Radford et al., GPT-2's `bytes_to_unicode`: itself where it is printable, the others
    from U+0100 on in order.

    >>> letters()[ord("a")], letters()[ord(" ")], len(set(letters()))
    ('a', 'Ġ', 256)
    """
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in itself)
    names = {byte: chr(byte) for byte in itself}
    names |= {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [names[byte] for byte in range(256)]
