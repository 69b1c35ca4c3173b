"""A folder of token ids, described."""

from __future__ import annotations

from typing import Any

from microgpt.cli.terminal.say import say, say_json
from microgpt.data.shards import TokenIndex
from microgpt.data.store import Store
from microgpt.data.tokenizer import Tokenizer
from microgpt.wording import clipped, count, printable


def show(store: Store, *, json: bool) -> None:
    """Print what is in a folder, all of whose shards are whole."""
    its = record(store.index, store.tokenizer)
    if json:
        say_json({"folder": str(store.folder), **its})
        return
    unit, total = store.tokenizer.unit, its["train"]["positions"] + its["heldout"]["positions"]
    say(
        f"{store.folder} · {count(its['documents'], 'document')} · {count(total, 'position')} · "
        f"{count(its['vocab_size'], 'token')} ({clipped(store.tokenizer.alphabet)}, BOS)",
        "bold",
    )
    say(
        f"Split: {its['train']['documents']:,} to learn from, {its['heldout']['documents']:,} held "
        f"out (--holdout {its['holdout']:g}), by a hash of their text."
    )
    say(repeated(store.index))
    if its["blank"]:
        skipped = count(its["blank_characters"], "character")
        say(f"{count(its['blank'], 'blank line')} left out, with {skipped}.")
    if its["broken"]:
        say(f"{count(its['broken'], 'broken line')} left out.")
    ids = "" if unit == "character" else f" in {count(total - its['documents'], unit)}"
    say(
        f"{count(its['characters'], 'character')}{ids}, each a {its['dtype']}, in "
        f"{count(its['shards'], 'shard')}, all of them whole."
    )
    say("From " + ", ".join(f"{one['path']} ({one['bytes']:,} bytes)" for one in its["sources"]))


def repeated(index: TokenIndex) -> str:
    """Say how many documents repeat an earlier one."""
    if not index.most_common:
        return "No document stands there twice."
    text, times = index.most_common.text, index.most_common.times
    return (
        f'{index.duplicates:,} repeat an earlier one; "{printable(text)}" stands there '
        f"{times:,} times."
    )


def record(index: TokenIndex, tokens: Tokenizer) -> dict[str, Any]:
    """Return the object that `--json` prints."""
    splits = {split: index.total(split) for split in ("train", "heldout")}
    common = index.most_common
    return {
        "documents": sum(documents for documents, _ in splits.values()),
        "duplicates": index.duplicates,
        "most_common": common and {"text": common.text, "times": common.times},
        "blank": index.blank,
        "blank_characters": index.blank_characters,
        "broken": index.broken,
        "characters": sum(shard.characters for shard in index.shards),
        "bytes": sum(shard.bytes for shard in index.shards),
        "fingerprint": index.shards[-1].fingerprint,
        "holdout": index.holdout,
        **{
            split: {"documents": documents, "positions": positions}
            for split, (documents, positions) in splits.items()
        },
        "unit": tokens.unit,
        "vocab_size": tokens.vocab_size,
        "dtype": index.dtype,
        "shards": len(index.shards),
        "sources": [{"path": one.path, "bytes": one.bytes} for one in index.sources],
    }
