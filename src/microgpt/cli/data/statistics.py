"""`microgpt data`: the statistics of a data set, and what a training would make of it."""

from __future__ import annotations

from typing import Annotated, Any

from rich.text import Text

from microgpt.cli import flags
from microgpt.cli.data import tokens
from microgpt.cli.flags import DATA, flag
from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.config import TrainConfig, check_tokenizer
from microgpt.counting.statistics import statistics
from microgpt.data import corpus
from microgpt.data.stored import TokenCorpus
from microgpt.data.tokenizer.bpe import smaller
from microgpt.data.tokenizer.masks import parse
from microgpt.errors import UsageError
from microgpt.training.task import tokenizer_for
from microgpt.wording import clipped, count, printable

_LETTERS = 40


def statistics_of(
    *files: flags.File,
    holdout: Annotated[
        float | None, flag("Share of documents to hold out. Default: 0.1.", DATA)
    ] = None,
    tokenizer: flags.Tokenizer = None,
    vocab_size: flags.VocabSize = None,
    mask: flags.Mask = None,
    json: flags.Json = False,
    reading: flags.Reading = flags.READING,
) -> None:
    """Report the documents of a data set, their lengths, characters and windows, and first losses.

    Of a folder that "microgpt data prepare FILES --out FOLDER" makes, it reports what is in it, and
    whether it is whole.

    Example: microgpt data names.txt
    """
    share = 0.1 if holdout is None else holdout
    TrainConfig(holdout=share)  # raises a UsageError if the share is invalid
    source = reading.source(*files)
    masks = parse(mask)
    check_tokenizer(tokenizer or "characters", vocab_size)
    read, reader = corpus.read(source), None
    if isinstance(read, TokenCorpus):
        if tokenizer or masks or holdout not in (None, read.store.index.holdout):
            raise UsageError(
                f"tokenizer, mask and holdout must go without {files[0]}: they were chosen when it "
                "was prepared."
            )
        tokens.show(read.store, json=json)
        return
    noted(read)
    if tokenizer not in (None, "characters"):
        reader = tokenizer_for(tokenizer, read, "last", masks, vocab_size, share)
        for sentence in smaller(reader):
            note(sentence)
    record, doubt = statistics(read, share, masks, reader)
    if doubt:
        note(doubt)
    if json:
        say_json(record)
    else:
        _show(source.name, record)


def _show(name: str, r: dict[str, Any]) -> None:
    say(
        f"{name} · {count(r['documents'], 'document')} · {count(r['characters'], 'character')}",
        "bold",
    )
    copies, most = r["duplicates"], r["most_common"]
    if copies:
        example = f'"{printable(most["text"])}" stands there {most["times"]:,} times'
        say(f"{copies:,} repeat an earlier one; {example}.")
    else:
        say("No document stands there twice.")
    if r["blank"]:
        skipped = count(r["blank_characters"], "character")
        say(f"{count(r['blank'], 'blank line')} skipped, with {skipped}.")
    say(
        f"Split: {r['train']:,} to learn from, {r['held_out']:,} held out, by a hash of their text."
    )
    say()
    lengths = table("length", *r["lengths"])
    lengths.add_row("characters", *(f"{n:,}" for n in r["lengths"].values()))
    tokens, unit = r.get("tokens"), "character"
    if tokens:
        unit = tokens["unit"]
        lengths.add_row(f"{unit}s", *(f"{n:,}" for n in tokens["lengths"].values()))
    stdout().print(lengths)
    say()
    if tokens:
        say(
            f"{count(tokens['tokens'], unit)} of {tokens['vocab_size']:,} kinds: "
            f"{tokens['a_document']:.1f} a document, {tokens['characters_a_token']:.2f} characters "
            f"a {unit}. Blocks and losses below are of these."
        )
        say()
    if "masks" in r:
        _show_masks(r["masks"])
    _show_alphabet(r["alphabet"])
    blocks = table("block", "longer documents", "windows", "dropped", "dropped if cut", left=0)
    for b in r["blocks"]:
        blocks.add_row(
            *(f"{b[key]:,}" for key in ("block_size", "longer", "windows")),
            f"{b['dropped_by_window']:,}",
            f"{b['dropped_by_cut']:,}",
        )
    stdout().print(blocks)
    say(
        "Longer documents are read in windows side by side and nothing is dropped; --long cut, and "
        f"the original's presets, keep what fits and drop so many {unit}s."
    )
    say()
    losses = r["losses"]
    say(
        f"Guessing blindly costs {losses['uniform']:.4f} nats a {unit}, the ends included; "
        f"knowing how frequent each is, {losses['unigram']:.4f}. A model must do better."
    )


def _show_masks(masks: dict[str, dict[str, Any]]) -> None:
    rows = table("mask", "count", "such as")
    rows.columns[-1].justify = "left"
    for name, found in masks.items():
        examples = "  ".join(map(printable, found["examples"]))
        rows.add_row(f"<{name}>", f"{found['times']:,}", Text(clipped(examples)))
    stdout().print(rows)
    say("Each counts as one character below, whatever it says.")
    say()


def _show_alphabet(alphabet: dict[str, int]) -> None:
    total = sum(alphabet.values())
    common = sorted(alphabet.items(), key=lambda item: -item[1])
    rows = table(count(len(alphabet), "character"), "count", "share", "")
    rows.columns[-1].justify = "left"
    for char, times in common[:_LETTERS]:
        shown = f"'{char}'" if char == " " else printable(char)
        is_plain = char.isascii() and char.isprintable()  # a mask's symbol is
        code = "" if is_plain else f"  U+{ord(char):04X}"
        label = Text(shown + code)
        share = bar(times, common[0][1], 30)
        rows.add_row(label, f"{times:,}", f"{times / total:.2%}", share)
    stdout().print(rows)
    rest = common[_LETTERS:]
    if rest:
        say(f"and {len(rest):,} more, {sum(times for _, times in rest):,} times together.")
    say()
