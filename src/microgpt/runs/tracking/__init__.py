"""Trackers: TensorBoard, W&B, MLflow and Trackio get the numbers of a run's log.

In: the names of trackers, a run's folder. Out: a process beside the training for each of them
(`process`), which reads the log as far as a checkpoint covers it (`following`), so that nothing is
sent that a resumed training could take back. A training neither waits for it nor depends on it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from microgpt.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from microgpt.runs.tracking.process import Tracking

TRACKERS = {
    "tensorboard": ("microgpt.runs.tracking.tensorboard", "tensorboardX"),
    "wandb": ("microgpt.runs.tracking.wandb", "wandb"),
    "mlflow": ("microgpt.runs.tracking.mlflow", "mlflow"),
    "trackio": ("microgpt.runs.tracking.trackio", "trackio"),
}
"""The module of each tracker, and the package that it needs; the extra has the tracker's name."""

Track = str | Sequence[str] | None
"""What a caller may give: names with commas between, or several such texts, or "none"."""

NONE = "none"
"""In place of a name: no tracker, not even those that a resumed run has had."""

FOLDER = "tracking"
"""The folder in a run's with the record of what each tracker has."""


def chosen(track: Track, folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of a training's trackers, each once.

    Args:
        track: names, with commas between; or several such texts; or "none".
        folder: of the run that is resumed: the trackers that it has had come first.

    Raises:
        UsageError: there is no tracker of a name.
        MissingExtra: a tracker's package is not installed.

    >>> chosen("none"), chosen(None)
    ((), ())
    >>> chosen("tensorbord")
    Traceback (most recent call last):
    microgpt.errors.UsageError: track must be of tensorboard, wandb, mlflow, trackio, none; got "tensorbord".
    """  # noqa: E501
    before = of_the_run(folder) if folder else ()
    if track is None:
        return before
    parts = [track] if isinstance(track, str) else track
    names = tuple(dict.fromkeys(name.strip() for part in parts for name in part.split(",")))
    for name in names:
        if name not in (*TRACKERS, NONE):
            raise UsageError(f'track must be of {", ".join([*TRACKERS, NONE])}; got "{name}".')
    if NONE in names:
        if len(names) > 1:
            raise UsageError(f"track must be none, or trackers; got {', '.join(names)}.")
        return ()
    for name in names:
        if not is_installed(name):
            raise MissingExtra(
                f"track {name} needs {TRACKERS[name][1]}, which is not installed. "
                f"Try: pip install 'microgpt-lm[{name}]'"
            )
    return tuple(dict.fromkeys([*before, *names]))


@contextmanager
def followed(
    folder: Path, names: Sequence[str], ended: int | None = None
) -> Generator[Tracking | None]:
    """Let trackers follow a run; yield them, or None if there are none.

    Args:
        folder: the run's.
        names: of trackers.
        ended: the updates of a training that has ended; trackers that have all of it stay away.
    """
    if not names:
        yield None
        return
    from microgpt.runs.tracking import process, record

    if ended is not None:
        names = [name for name in names if record.step_of(folder, name) < ended]
    tracking = process.Tracking(folder, names)
    try:
        yield tracking
    finally:
        tracking.close()


def is_installed(name: str) -> bool:
    """Return whether a tracker's package is there; it is not imported."""
    package = TRACKERS[name][1]
    try:
        found = find_spec(package)
    except ValueError:  # it is there, and not as a file
        return sys.modules.get(package) is not None
    # A folder of that name, such as the one in which W&B keeps its files, is no package.
    return found is not None and found.origin is not None


def of_the_run(folder: Path) -> tuple[str, ...]:
    """Return the trackers that a run has had."""
    return tuple(name for name in TRACKERS if (folder / FOLDER / f"{name}.json").exists())
