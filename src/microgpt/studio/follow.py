"""The view of runs: their table, their curves while they grow, what they differ in.

In: names of runs. Out: rows; events with the curves of those whose log has grown, at most a fifth
of a second after it has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.routing import Route

from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.report import gather, render
from microgpt.runs.checkpoint import CHECKPOINT, has_ended
from microgpt.runs.command import command
from microgpt.runs.growing import Growing
from microgpt.runs.log import LOG
from microgpt.runs.record import differences, record
from microgpt.runs.run import Run
from microgpt.studio import processes
from microgpt.studio.about import Named, Nothing
from microgpt.studio.answers import answering, streaming
from microgpt.studio.library import Library
from microgpt.studio.measured import Measurements, On

MOST = 8
"""The most runs whose curves are followed at once."""

_EVERY = 0.15
_ALIVE = 1.0
# A log that has not grown for so long is not of a training that runs.
_QUIET = 10.0
_WORST = 5


@dataclass(frozen=True)
class SomeRuns:
    """A question about some runs."""

    runs: list[str]


@dataclass(frozen=True)
class RunCurves:
    """What is known of a run's training now.

    Attributes:
        run: its name.
        state: "training", "stopped" or "complete".
        training, held_out, mixed: steps and losses; the GPT's own, and those with counts.
        step, loss, lr, seconds: of the last line of training.
        why: why its log cannot be read, a sentence; else "".
    """

    run: str
    state: str
    training: list[tuple[float, float]]
    held_out: list[tuple[float, float]]
    mixed: list[tuple[float, float]]
    step: int
    loss: float
    lr: float
    seconds: float
    why: str = ""


def routes(library: Library, measurements: Measurements) -> list[Route]:
    """Return the routes."""

    def worst(asked: Named) -> Iterator[Any]:
        on = On(asked.run)
        for documents in measurements.measure(on):
            yield {"documents": documents}
        found = measurements.measurement(on)
        _, dearest, _ = found.result.parts.documents(_WORST)
        yield {
            "what": found.on.words,
            "loss": found.result.loss,
            "worst": [{"text": one.text, "loss": one.sum.mean} for one in dearest],
        }

    def report(asked: Named) -> dict[str, str]:
        found = measurements.measurement(On(asked.run))
        return {"page": render(gather(found, (), 6))}

    def steer(asked: Named, what: Callable[[Path], None]) -> dict[str, str]:
        what(library.folder(asked.run))
        return {"run": asked.run}

    return [
        answering("/api/stop", Named, lambda asked: steer(asked, processes.stop)),
        answering("/api/resume", Named, lambda asked: steer(asked, processes.resume)),
        answering("/api/table", Nothing, lambda _: {"rows": [*rows(library)]}),
        answering("/api/differ", SomeRuns, lambda asked: differ(library, asked.runs)),
        streaming("/api/follow", SomeRuns, lambda asked: follow(library, asked.runs)),
        streaming("/api/worst", Named, worst),
        answering("/api/report", Named, report),
    ]


def rows(library: Library) -> Iterator[dict[str, Any]]:
    """Yield a row a run: what `microgpt runs` shows, and its state; or why it cannot be read."""
    for name, folder in library.folders().items():
        try:
            run = Run(folder)
            yield {**record(run), "run": name, "state": state(folder), "command": _command(run)}
        except MicroGPTError as error:
            yield {"run": name, "why": str(error)}


def _command(run: Run) -> str:
    return command(run.settings, run.tokenizer)


def differ(library: Library, names: list[str]) -> dict[str, Any]:
    """Return the settings and results in which runs differ."""
    _check(names)
    found = differences(*(Run(library.folder(name)) for name in names))
    return {"differs": {name: list(values) for name, values in found.items()}}


def state(folder: Path) -> str:
    """Say whether a run is training now, has stopped before its end, or is complete."""
    if has_ended(folder):
        return "complete"
    changed = 0.0
    for name in (LOG, CHECKPOINT):
        try:
            changed = max(changed, (folder / name).stat().st_mtime)
        except OSError:
            continue
    return "training" if time.time() - changed < _QUIET else "stopped"


def follow(library: Library, names: list[str]) -> Iterator[RunCurves | None]:
    """Yield the curves of runs now, and of each again when its log has grown or its state changed.

    It never ends: a run that is complete may be trained anew.
    """
    _check(names)
    growing = {name: (folder, Growing(folder)) for name, folder in _folders(library, names)}
    said: dict[str, str] = {}
    looked = -math.inf
    while True:
        # A state is read from the checkpoint: once a second is enough, unless the log has grown.
        is_time = time.monotonic() - looked > _ALIVE
        looked = time.monotonic() if is_time else looked
        for name, (folder, its) in growing.items():
            why = ""
            try:
                is_new = its.read()
            except RunError as error:
                is_new, why = False, str(error)
            if not (is_new or is_time):
                continue
            now = state(folder)
            if is_new or said.get(name) != now + why:
                said[name] = now + why
                yield RunCurves(
                    name, now, its.training, its.held_out, its.mixed, its.step, its.loss, its.lr,
                    its.seconds, why,
                )  # fmt: skip
        if is_time:
            yield None
        time.sleep(_EVERY)


def _folders(library: Library, names: list[str]) -> list[tuple[str, Path]]:
    return [(name, library.folder(name)) for name in names]


def _check(names: list[str]) -> None:
    if not 1 <= len(names) <= MOST:
        raise UsageError(f"runs must be from 1 to {MOST}; got {len(names)}.")
