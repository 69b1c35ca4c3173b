"""A run's folder: found by its name; or made for a new run, locked and emptied.

In: a name, or a path. Out: the folder of a run, or a new one locked by this training.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from microgpt.errors import InUseError, MicroGPTError, RunError, UsageError
from microgpt.runs.checkpoint import (
    CHECKPOINT,
    CONFIG,
    COUNTS,
    HELDOUT,
    REFERENCE,
    SAMPLES,
    TOKENIZER,
)
from microgpt.runs.files import check_target, read_tensors, temporary_of
from microgpt.runs.log import LOG

RUNS = Path("runs")
"""The parent of new runs' folders, unless the caller names another one."""

LOCK = ".lock"
"""The lock file in a folder; it stays when the lock is released."""


@contextmanager
def claimed(
    folder: Path,
    what: str = "training",
    refused: type[MicroGPTError] = InUseError,
    name: str = LOCK,
    seconds: float = 0.0,
) -> Generator[None]:
    """Lock a folder against other processes that write to it.

    The lock is the operating system's: it is released when the process ends, however it ends.

    Args:
        folder: to lock.
        what: the name of the other process's work, for the message.
        refused: the error raised.
        name: of the lock file.
        seconds: to wait for another process.

    Raises:
        InUseError, or `refused`: another process has locked it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / name)
    try:
        lock.acquire(timeout=seconds)  # pyright: ignore[reportUnknownMemberType]
    except Timeout:
        raise refused(
            f"{folder}: another {what} is writing to it. Wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_claimed(folder: Path, name: str = LOCK) -> bool:
    """Return whether a process writes to a folder: it has locked it.

    False, too, where this process may not write: then it cannot tell.
    """
    if not os.access(folder / name, os.W_OK):
        return False
    try:
        with claimed(folder, name=name):
            return False
    except InUseError:
        return True


def check_no_file(folder: Path, refused: type[MicroGPTError] = RunError) -> None:
    """Raise an error if a path at which a folder is to be made is a file, or a device or pipe."""
    if folder.exists() and not folder.is_dir():
        raise refused(f"{folder}: a file. Expected a folder, or a name for a new one.")


def not_empty(
    folder: Path, name: str, refused: type[MicroGPTError] = RunError, other: str = "--out"
) -> MicroGPTError:
    """Return the error of a folder that should be empty or new, and holds a file of this name."""
    return refused(f"{folder}: must be empty or new; it holds {name}. Try another {other}.")


def numbered(parent: Path, name: str) -> Path:
    """Make the first folder of NAME-1, NAME-2, ... that does not exist."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


@contextmanager
def new_folder(out: Path | None, name: str) -> Generator[Path]:
    """Make a folder for a run, and lock it.

    Args:
        out: the folder; None: the first free of runs/NAME-1, runs/NAME-2, ...
        name: NAME.

    Raises:
        RunError: there is something in it already.
    """
    if out is not None:
        check_no_file(out)
    folder = out or numbered(RUNS, name)
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder):
        _make_room(folder)
        yield folder


def _make_room(out: Path) -> None:
    """Remove from a locked folder the files of a training that was killed before its first save.

    Raises:
        RunError: the folder holds anything else; another training may have just made it a run.
    """
    found = sorted(path for path in out.iterdir() if path.name != LOCK)
    if out / CONFIG in found:
        raise RunError(f"{out}: holds a run already. Try --resume {out}, or another --out.")
    for path in found:
        if not _is_of_a_beginning(path):
            raise not_empty(out, path.name)
    for path in found:
        path.unlink()


def _is_of_a_beginning(path: Path) -> bool:
    """Return whether a training wrote a file before its config.json, so that it may be removed."""
    if path.name == LOG:
        return not path.stat().st_size
    if path.name in (TOKENIZER, HELDOUT):  # a training writes them after the checkpoint
        return _is_of_a_beginning(path.with_name(CHECKPOINT))
    made = (COUNTS, LOG, CHECKPOINT, HELDOUT, TOKENIZER, CONFIG)
    if path in map(temporary_of, map(path.with_name, made)):
        return True
    try:
        read_tensors(path, lambda about, layout: None)
    except RunError:
        return False
    return path.name in (COUNTS, CHECKPOINT)


def find_run(run: str | Path | None) -> Path:
    """Return a run's folder.

    Args:
        run: a path, or a name in runs/; None: the newest run there.

    Raises:
        RunError: there is none; the message lists the runs that exist.
    """
    here = all_runs()
    if run is None:
        if not here:
            raise RunError(f"no runs in {RUNS}/ yet. Try: microgpt train")
        return here[-1]
    if not str(run):
        raise RunError('the name of a run must not be empty; got "".')
    if Path(run).is_file():
        such = f", such as {here[-1]}" if here else ""
        raise RunError(f"{run}: not a run: it is a file. Expected a folder{such}.")
    for folder in (Path(run), RUNS / run):
        if folder.exists():
            return folder
    names = ", ".join(map(str, reversed(here[-5:])))
    hint = f"Runs here: {names}." if here else "Try: microgpt train"
    raise RunError(f"{run}: no such run. {hint}")


def check_output(out: Path, folder: Path) -> None:
    """Check the path of a file that a command makes of a run.

    Raises:
        UsageError: it cannot be written, or is one of the run's own files.
    """
    check_target("out", out)
    names = CONFIG, TOKENIZER, CHECKPOINT, COUNTS, REFERENCE, SAMPLES, HELDOUT, LOG
    if out.name in names and out.parent.resolve() == folder.resolve():
        raise UsageError(f"out must be none of the run's own files; got {out}.")


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run's: a training writes its config.json last of a beginning."""
    return (folder / CONFIG).exists()


def all_runs(parent: Path = RUNS, *, deep: bool = False) -> list[Path]:
    """Return the runs in a folder, the newest last; deep: at any depth below it."""
    configs = parent.rglob(CONFIG) if deep else parent.glob(f"*/{CONFIG}")
    # Other programs have a file of this name too.
    ours = [path for path in configs if not deep or path.with_name(TOKENIZER).exists()]
    return [path.parent for path in sorted(ours, key=lambda path: path.lstat().st_mtime_ns)]
