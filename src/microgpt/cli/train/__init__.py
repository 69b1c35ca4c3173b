"""`microgpt train`: a training, shown as lines or as a progress bar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.interruption import interruption
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import note, remark
from microgpt.cli.terminal.streams import is_interactive, outliving
from microgpt.cli.train.begin import outliving_signals, prepared, speaking
from microgpt.cli.train.progress import JsonLines, Lines, Reporter
from microgpt.cli.train.settings import with_settings
from microgpt.cli.train.summary import closing, opening, warned, word
from microgpt.engines.ranks import open_ranks
from microgpt.runs.follower import Follower
from microgpt.runs.session import Session
from microgpt.runs.tracking import TRACKERS
from microgpt.training.presets import PRESETS

_PRESETS = (
    "Recipe: the settings that no flag sets. Default: micro (microgpt on the scalar engine); with "
    "--seconds alone, a recipe chosen for the lowest loss in that time on this machine and text, "
    "GPTs mixed with counts."
    "\n" + "\n".join(f"{name}: {preset.summary}." for name, preset in PRESETS.items())
)


_TRACK = (
    f"Send the numbers of log.jsonl to trackers: {', '.join(TRACKERS)}, with commas between; "
    "repeatable. Each needs the extra of its name. A resumed run goes on with its own; none: with "
    "no tracker. Default: none."
)


@with_settings
def train(
    *files: flags.File,
    preset: Annotated[str | None, flag(_PRESETS)] = None,
    out: Annotated[Path | None, flag("Folder of the run. Default: runs/NAME-1, -2, ...")] = None,
    resume: Annotated[
        Path | None, flag("Resume an interrupted run, with its own settings.")
    ] = None,
    log_every: Annotated[int | None, whole("Steps a line, in the output and in log.jsonl.")] = None,
    track: Annotated[list[str] | None, Parameter(help=_TRACK, negative=())] = None,
    json: flags.Json = False,
    tokenizer: flags.Tokenizer = None,
    vocab_size: flags.VocabSize = None,
    mask: flags.Mask = None,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
    **values: Any,
) -> int:
    """Train a GPT on lines of text and save it as a run.

    Without a file it trains on the 32,000 surnames that come with microgpt.

    Example: microgpt train names.txt --steps 2000 --holdout 0.1
    """
    given = {
        "preset": preset,
        "out": out,
        "log_every": log_every,
        "tokenizer": tokenizer,
        "vocab_size": vocab_size,
        "mask": mask,
        **values,
    }
    with open_ranks() as ranks, speaking(ranks):
        source = reading.source(*files)
        began = outliving_signals(
            ranks, lambda: prepared(ranks, source, resume, given, machine, track)
        )
        if isinstance(began, Follower):
            began.follow()
            return 0
        return _shown(began, json=json, every=log_every, auto=machine.engine in (None, "auto"))


def _shown(session: Session, *, json: bool, every: int | None, auto: bool) -> int:
    """Train, and show it; return the exit code."""
    noted(session.corpus)
    goes_on = (
        f"the training goes on to its end, in {word(session.folder)}. Ctrl-C stops and saves it."
    )
    with session, outliving(goes_on):
        if not json:
            opening(session, auto=auto)
        if not _train(session, json=json, every=every):
            _tracked(session)
            return 130
        closing(session, json=json)
        code = 1 if warned(session) else 0
        _tracked(session)
        return code


def _tracked(session: Session) -> None:
    """Wait for the trackers; say which of them has not got all of the run."""
    for sentence in session.tracked(remark if sys.stderr.isatty() else None):
        note(sentence)


def _train(session: Session, *, json: bool, every: int | None) -> bool:
    """Train; return False if it was interrupted."""
    reporter = _reporter(session, json=json, every=every)
    with interruption(session.stop, "after this step"), reporter:
        for event in session:
            reporter.show(event)
    if session.is_stopped:  # by one of these signals, or by a launcher before the first step
        remark(
            f"Stopped after step {session.updates:,} and saved. "
            f"Go on with: microgpt train --resume {word(session.folder)}"
        )
    return not session.is_stopped


def _reporter(session: Session, *, json: bool, every: int | None) -> Reporter:
    if json:
        return JsonLines(session)
    if not is_interactive():
        return Lines(session, every)
    from microgpt.cli.train.bar import Bar  # imports rich

    return Bar(session)
