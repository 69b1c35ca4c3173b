"""`microgpt data prepare`: text of any size to token ids on the disk, for `microgpt train`."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.data import tokens
from microgpt.cli.flags import DATA, flag, whole
from microgpt.cli.terminal.say import note, remark, say, say_json
from microgpt.cli.terminal.streams import is_interactive
from microgpt.data.shards import TokenIndex
from microgpt.data.store import Store
from microgpt.engines.machine import processors
from microgpt.runs.tokens.preparation import Portioned, Preparation
from microgpt.runs.tokens.prepare import prepare as prepared
from microgpt.training.presets import preset as preset_of
from microgpt.wording import count, path_word

# The seconds between two lines on a pipe.
_SECONDS = 10.0


def prepare(
    *files: flags.File,
    out: Annotated[Path, flag("Folder to write: new, or one that was begun so and interrupted.")],
    preset: Annotated[
        str,
        flag("Preset that will train on it: it says where BOS is, and the share held out."),
    ] = "micro",
    holdout: Annotated[
        float | None, flag("Share of documents to hold out. Default: the preset's.", DATA)
    ] = None,
    tokenizer: flags.Tokenizer = None,
    vocab_size: flags.VocabSize = None,
    processes: Annotated[
        int | None,
        whole("Processes that encode; the result does not depend on it. Default: one a processor."),
    ] = None,
    json: flags.Json = False,
    rows: flags.RowFlags = flags.ROWS,
) -> None:
    """Encode text of any size once, to files that `microgpt train` maps into memory.

    Memory is bounded: a few portions of 8 MB, and the longest document. An interrupted preparation
    goes on by the same command, and ends with the same bytes. The files are read twice where
    characters or pieces of text must be counted first.

    Example: microgpt data prepare lines.txt --out tokens; microgpt train tokens
    """
    begin = preset_of(preset)
    share = begin.training.get("holdout", 0.1) if holdout is None else holdout
    asked = Preparation(
        source=rows.source(*files),
        tokenizer=tokenizer or "characters",
        vocab_size=vocab_size,
        bos=begin.bos,
        holdout=share,
        processes=processes or processors(),
    )
    began = time.perf_counter()
    try:
        index = _shown(prepared(asked, out), quiet=json)
    except KeyboardInterrupt:
        remark("Stopped. The same command goes on behind the last whole shard.")
        raise
    seconds, store = time.perf_counter() - began, Store(out)
    if json:
        own = tokens.record(index, store.tokenizer)
        say_json({"folder": str(out), "seconds": round(seconds, 3), **own})
        return
    tokens.show(store, json=False)
    say(f"Prepared in {seconds:.3g} s.   Next: microgpt train {path_word(out)}")


def _shown(events: Generator[Portioned, None, TokenIndex], *, quiet: bool) -> TokenIndex:
    """Show the events of a preparation on standard error, and return its result."""
    said = since = time.perf_counter()
    stage, bar = "", None
    if is_interactive():
        from microgpt.cli.terminal.console import stderr  # imports rich

        bar = stderr().status("")
        bar.start()
    try:
        while True:
            event = next(events)
            for sentence in event.notes:
                note(sentence)
            began = time.perf_counter()
            if stage != event.stage:
                stage, since = event.stage, began
            words = _words(event, began - since)
            if bar:
                bar.update(words)
            elif not quiet and began - said > _SECONDS:
                remark(words)
                said = began
    except StopIteration as end:
        return end.value
    finally:
        events.close()
        if bar:
            bar.stop()


def _words(event: Portioned, seconds: float) -> str:
    """Say how far a stage is."""
    words = event.stage
    if event.documents:
        words += f": {event.bytes / 1e6:,.0f} MB of text, {count(event.documents, 'document')}"
    if event.kept:
        words += f", behind {count(event.kept, 'shard')} that were there"
    return f"{words}, {seconds:.0f} s"
