"""How a training begins: a new one or a resumed one, in one process or in several ranks.

In: the ranks, and what the flags say. Out: a `Session`; or, in a rank other than the first, a
`Follower`, which prints nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from microgpt.cli.flags import Machine
from microgpt.cli.terminal.say import note
from microgpt.data.corpus import Source
from microgpt.engines.ranks import Ranks, agreed
from microgpt.errors import LostRankError, MicroGPTError, UsageError
from microgpt.runs import follower, prepare
from microgpt.runs.folder import find_run, is_run
from microgpt.runs.follower import Follower
from microgpt.runs.session import Session
from microgpt.runs.tracking import Track


def prepared(
    ranks: Ranks,
    source: Source,
    resume: Path | None,
    given: Mapping[str, Any],
    machine: Machine,
    track: Track,
) -> Session | Follower:
    """Prepare a training, new or resumed.

    Args:
        ranks: the processes that train together.
        source: where the documents are.
        resume: the run to resume; None: the training is new.
        given: the settings, and where the run goes.
        machine: the engine, and where it computes.
        track: the trackers.

    Raises:
        UsageError, MicroGPTError: they do not go together, or one of them is invalid.
    """
    if resume is not None:
        _check_alone(source, given)
        folder = agreed(ranks, lambda: None if ranks.rank else find_run(str(resume)))
    else:
        # A launcher that has started its ranks again does so with the command of the beginning.
        before = None if ranks.rank else ranks.begun()
        folder = before if before and is_run(before) else None
    if ranks.told(folder is not None):
        if folder is None:  # in another rank
            return follower.of_resumed(ranks, **vars(machine))
        return prepare.resume(folder, ranks=ranks, track=track, **vars(machine))
    settings: dict[str, Any] = {
        **given,
        "preset_name": given["preset"],
        "log_every": 1 if given["log_every"] is None else given["log_every"],
        **vars(machine),
        "engine": machine.engine or "auto",
        "track": track,
        "ranks": ranks,
    }
    del settings["preset"]
    begin = follower.of_new if ranks.rank else prepare.new
    return begin(source, **settings)


def _check_alone(source: Source, given: Mapping[str, Any]) -> None:
    """Raise UsageError if a run that is resumed is given other settings."""
    names = [name for name, value in given.items() if value is not None]
    names += [] if source == Source() else ["data"]
    if names:
        raise UsageError(
            f"--resume must stand without {names[0].replace('_', '-')}: "
            "the run knows. Only the engine and the trackers may change."
        )


def outliving_signals(ranks: Ranks, begin: Callable[[], Session | Follower]) -> Session | Follower:
    """Prepare a training; in one of several ranks answer a launcher's signals from now on.

    Rank 0 stops and saves; the others end when it orders them to.
    """
    if ranks.world == 1:
        return begin()
    asked = _outlive_the_launcher()
    began = begin()
    if isinstance(began, Follower):
        _ignore("SIGHUP", "SIGINT")
    else:
        _at_sigterm(began.stop)
        if asked:
            began.stop()
    return began


def _outlive_the_launcher() -> list[bool]:
    """Let no SIGTERM end this process before rank 0 has saved, and has said what happened.

    A launcher that is stopped, or has lost a rank, sends one to all the others. Rank 0 answers it
    when it trains, and orders the others to end: those ignore Ctrl-C, too, once they follow it.

    Returns:
        A list that is empty until the signal comes.
    """
    asked: list[bool] = []
    # Not SIG_IGN, which `interruption` would respect.
    _at_sigterm(lambda: asked.append(True))
    return asked


def _at_sigterm(do: Callable[[], None]) -> None:
    def on_signal(number: int, frame: object) -> None:
        do()

    signal.signal(signal.SIGTERM, on_signal)


def _ignore(*names: str) -> None:
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def speaking(ranks: Ranks) -> Generator[None]:
    """Let one rank alone report an error: the first, or the first that has lost another."""
    try:
        yield
    except LostRankError as error:
        if ranks.is_first_to_say():
            note(str(error))
        raise SystemExit(2) from None
    except (MicroGPTError, UsageError, OSError):
        if ranks.rank:
            raise SystemExit(2) from None
        raise
