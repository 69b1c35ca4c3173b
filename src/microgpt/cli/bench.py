"""`microgpt bench`: how fast this machine trains, compared with one core's peak."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from microgpt.bench import CASES, Row
from microgpt.bench import rows as measure
from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.terminal.say import say, say_json
from microgpt.config import GPTConfig
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.engines import open_engine
from microgpt.engines.compiled import native_peak
from microgpt.errors import UsageError


def bench(
    *,
    width: Annotated[int | None, flag("Measure only models of this width. Default: all.")] = None,
    engine: flags.Engine = None,
    threads: flags.Threads = None,
    json: flags.Json = False,
) -> None:
    """Measure how fast models of several sizes train on this machine.

    Example: microgpt bench --width 16
    """
    cases = [case for case in CASES if width in (None, case.n_embd)]
    if not cases:
        known = ", ".join(str(n) for n in sorted({case.n_embd for case in CASES}))
        raise UsageError(f"width must be one of {known}; got {width}.")
    opened = open_engine(engine or "auto", GPTConfig(vocab_size=27), threads=threads)
    name, most = opened.name, opened.threads
    peak = native_peak()
    names = corpus.read(Source()).documents
    engines = [(name, n) for n in sorted({1, most})]
    if not json:
        if peak:
            say(f"One core multiplies and adds at {peak:.0f} GFLOP/s at most.")
        say("model: layers x width        threads   us/document   us/token   GFLOP/s   x limit")
    for row in measure(cases, names, "\n".join(names), engines, peak):
        if json:
            say_json({**dataclasses.asdict(row), "peak": peak})
        else:
            say(_line(row))
    if not json:
        say(
            "(medians of 7 rounds on the embedded names; the limit: all operations at one core's "
            "peak)",
            "quiet",
        )


def _line(row: Row) -> str:
    times = f"{row.document / row.limit:9.2f}" if row.limit else "        -"
    return (
        f"{row.label:28} {row.threads:7} {row.document * 1e6:13.2f} {row.token * 1e6:10.3f} "
        f"{row.speed:9.1f} {times}"
    )
