"""`microgpt train`: steps into lines, or into a progress bar."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from microgpt import model, prepare
from microgpt.alphabet import printable
from microgpt.baselines import uniform
from microgpt.cli import flags
from microgpt.cli.flags import DATA, MODEL, TRAINING, flag, whole
from microgpt.cli.progress import Bar, JsonLines, Lines, Reporter
from microgpt.cli.show import (
    find_run,
    rungs,
    sample_words,
    say,
    say_json,
    stderr,
    stdout,
    unit_of,
    units,
)
from microgpt.config import PRESETS
from microgpt.corpus import Source
from microgpt.errors import UsageError
from microgpt.run import Run
from microgpt.sample import Choice
from microgpt.session import Session

_DEFAULT = "microgpt"
_PRESETS = (
    f"Where all numbers begin; other flags override them. Without one: {_DEFAULT}.\n"
    + "\n".join(f"{name}: {preset.summary}." for name, preset in PRESETS.items())
)


def train(
    *files: flags.File,
    preset: Annotated[str | None, flag(_PRESETS)] = None,
    out: Annotated[Path | None, flag("The run's folder; else runs/NAME-1, -2, ...")] = None,
    resume: Annotated[Path | None, flag("Go on with this run, just as it was told then.")] = None,
    log_every: Annotated[int | None, whole("Steps a line, here and in log.jsonl.")] = None,
    json: flags.Json = False,
    n_layer: Annotated[int | None, whole("Blocks of attention and MLP.", MODEL)] = None,
    n_head: Annotated[int | None, whole("Attention heads; they share the width.", MODEL)] = None,
    n_embd: Annotated[int | None, whole("The width.", MODEL)] = None,
    block_size: Annotated[int | None, whole("The most characters it looks back on.", MODEL)] = None,
    activation: Annotated[
        Literal["relu", "squared-relu"] | None, flag("Of the MLP.", MODEL)
    ] = None,
    init_std: Annotated[float | None, flag("The spread of the first numbers.", MODEL)] = None,
    zero_init: Annotated[
        bool | None,
        Parameter(
            help="Start attn_wo and mlp_fc2 at zero, or not.",
            group=MODEL,
            negative="--no-zero-init",
        ),
    ] = None,
    steps: Annotated[int | None, whole("Updates of the parameters.", TRAINING)] = None,
    seconds: Annotated[
        float | None, flag("Train for so long instead; with --steps, at most.", TRAINING)
    ] = None,
    batch_size: Annotated[int | None, whole("Documents a step.", TRAINING)] = None,
    lr: Annotated[
        float | None, flag("The learning rate at first; it falls in a line to 0.", TRAINING)
    ] = None,
    beta1: Annotated[float | None, flag("Adam's memory of gradients.", TRAINING)] = None,
    beta2: Annotated[float | None, flag("Adam's memory of their squares.", TRAINING)] = None,
    eps: Annotated[float | None, flag("Adam's smallest divisor.", TRAINING)] = None,
    loss: Annotated[
        flags.Objective | None,
        flag("What is pushed down: -log p, 1 - p, (1 - p)^2. Reported is always -log p.", TRAINING),
    ] = None,
    holdout: Annotated[
        float | None, flag("The share of documents to keep away and measure on.", TRAINING)
    ] = None,
    seed: Annotated[int | None, whole("Of the order and the first numbers.", TRAINING)] = None,
    order: Annotated[
        Literal["per-epoch", "once"] | None, flag("When documents are shuffled.", TRAINING)
    ] = None,
    long: Annotated[
        Literal["window", "cut"] | None, flag("What becomes of those over the block.", TRAINING)
    ] = None,
    tokenizer: Annotated[
        Literal["characters", "bytes"] | None,
        flag("A token for each character of the data, or for each byte of any text.", DATA),
    ] = None,
    column: flags.Column = None,
    field: flags.Field = None,
    encoding: flags.Encoding = "utf-8",
    stream: flags.Stream = False,
    engine: flags.Engine = None,
    device: flags.Device = None,
    threads: flags.Threads = None,
) -> int:
    """Train a GPT on lines of text and save it as a run.

    Without a file it learns the 32,000 surnames that come with microgpt.

    Example: microgpt train names.txt --steps 2000 --holdout 0.1
    """
    told: dict[str, Any] = {
        "n_layer": n_layer, "n_head": n_head, "n_embd": n_embd, "block_size": block_size,
        "activation": activation, "init_std": init_std, "zero_init": zero_init, "steps": steps,
        "seconds": seconds, "batch_size": batch_size, "lr": lr, "beta1": beta1, "beta2": beta2,
        "eps": eps, "loss": loss, "holdout": holdout, "seed": seed, "order": order, "long": long,
    }  # fmt: skip
    source = Source(files=files, column=column, field=field, encoding=encoding, stream=stream)
    if resume is None:
        session = prepare.new(
            source,
            preset_name=preset or _DEFAULT,
            tokenizer=tokenizer or "characters",
            out=out,
            log_every=1 if log_every is None else log_every,
            engine=engine or "auto",
            threads=threads,
            device=device,
            **told,
        )
    else:
        others = {
            **told,
            "preset": preset,
            "out": out,
            "log_every": log_every,
            "tokenizer": tokenizer,
        }
        given = [name for name, value in others.items() if value is not None]
        given += [] if source == Source() else ["data"]
        if given:
            raise UsageError(
                f"--resume must stand without {given[0].replace('_', '-')}: "
                "the run knows. Only the engine may change."
            )
        session = prepare.resume(
            find_run(str(resume)), engine=engine, threads=threads, device=device
        )
    with session:
        if not json:
            _open(session)
        if not _train(session, json=json, every=log_every):
            return 130
        _close(session, json=json)
    return 0


def _train(session: Session, *, json: bool, every: int | None) -> bool:
    """Train; return whether it came to its end."""
    reporter = _reporter(session, json=json, every=every)
    with _interruption(session) as asked, reporter:
        for event in session:
            try:
                reporter.show(event)
            except BrokenPipeError:
                # Whoever read has gone; what was learnt is saved all the same.
                session.stop()
    if asked[0]:
        stderr().print(
            f"Stopped after step {session.updates:,} and saved. "
            f"Go on with: microgpt train --resume {_word(session.folder)}",
            soft_wrap=True,
        )
    return not asked[0]


def _reporter(session: Session, *, json: bool, every: int | None) -> Reporter:
    if json:
        return JsonLines(session)
    console = stdout()
    on_terminal = console.is_terminal and not console.is_dumb_terminal
    return Bar(session) if on_terminal else Lines(session, every)


@contextmanager
def _interruption(session: Session) -> Generator[list[bool]]:
    """Let the first Ctrl-C stop and save, and the second one end at once."""
    asked = [False]

    def stop(*_: Any) -> None:
        asked[0] = True
        session.stop()
        for number in before:
            signal.signal(number, signal.default_int_handler)
        print("Stopping after this step. Ctrl-C again ends at once.", file=sys.stderr)

    # A closed window and a polite kill are interruptions too.
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open(session: Session) -> None:
    """Say what is about to be done."""
    config, layout, tokens = session.model, session.layout, session.tokenizer
    held = len(session.heldout_documents)
    kept = f"{len(session.train_documents):,} to learn from, {held:,} held out · " if held else ""
    name = session.settings.source.name
    say(
        f"{name} · {len(session.corpus.documents):,} documents · {kept}"
        f"{config.vocab_size} tokens ({tokens.alphabet}, BOS)"
    )
    layers = f"{config.n_layer} layer{'s' if config.n_layer > 1 else ''}"
    heads = f"{config.n_head} head{'s' if config.n_head > 1 else ''}"
    say(
        f"GPT · {layers}, {heads}, width {config.n_embd}, block {config.block_size} · "
        f"{model.size(config):,} parameters · {session.engine.name} engine"
    )
    unit = unit_of(tokens)
    if session.corpus.blank:
        say(f"{session.corpus.blank:,} blank lines skipped.")
    if layout.windowed:
        say(f"{layout.windowed:,} documents over the block of {config.block_size} are windowed.")
    if layout.dropped:
        say(f"{layout.dropped:,} {unit}s over the block of {config.block_size} are cut.")
    if session.updates:
        done = " It has made all its steps." if session.updates == session.training.steps else ""
        say(f"Going on after step {session.updates:,} of {session.folder}.{done}")
    else:
        blind = f"ln {config.vocab_size} = {uniform(config.vocab_size):.2f}"
        say(f"Guessing blindly costs {blind} nats a {unit}. Let's see.")
    say()


def _close(session: Session, *, json: bool) -> None:
    """Say what has become of it: the loss, the ladder, samples, where it is, what to do next."""
    folder, (steps, tail) = session.folder, session.tail
    ladder = session.ladder()
    run = Run(folder)
    drawn = list(islice(run.samples(Choice()), 20))
    session.write_samples(drawn)
    documents = set(session.train_documents)
    seen = [sample.text in documents for sample in drawn]
    if json:
        baselines = {name: total.mean for name, total in ladder.baselines.items()}
        say_json(
            {
                "run": str(folder),
                "steps": session.updates,
                "loss": tail.mean,
                "on": ladder.what,
                "baselines": {**baselines, "model": ladder.model.mean},
                "samples": [sample.text for sample in drawn],
            }
        )
        return
    say()
    unit = unit_of(session.tokenizer)
    say(f"Mean of the last {steps} steps: {units(tail, unit)}")
    if session.last_heldout:
        say(f"Held out: {units(ladder.model, unit)}")
    say(rungs(ladder.baselines, ladder.model))
    say(f"    (nats a {unit} on {ladder.what}; ● you are here)", "dim")
    note = "   (* stands in the training data)" if any(seen[:8]) else ""
    say(f"Samples: {sample_words([s.text for s in drawn[:8]], seen[:8])}{note}")
    at = _word(folder)
    say(f"Saved in {at}.   Next, with any text:")
    say(f"    microgpt sample {at} · microgpt score {at} TEXT · microgpt why {at} TEXT")


def _word(folder: Path) -> str:
    """Write a folder as a word of a command."""
    return shlex.quote(printable(str(folder)))
