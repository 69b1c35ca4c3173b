"""A sweep's folder: a new one, or one to be resumed.

In: settings and documents, or a folder. Out: a `Sweep` that can begin. Everything is validated
here, before a worker is started.

::

    sweeps/names-1/
    ├── sweep.json   its settings, and the address of its trials
    ├── study.db     the trials, unless they are in another database
    ├── knobs.png    loss against each knob
    └── best/        a run
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.data import again
from microgpt.data.corpus import Corpus
from microgpt.errors import SweepError, UsageError
from microgpt.runs.files import read_json, write_atomically
from microgpt.runs.folder import LOCK, check_no_file, claimed, not_empty
from microgpt.sweep.grid import GridStudy
from microgpt.sweep.loop import Sweep
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import check_installed, hidden, is_hidden, of_file
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import TrialTrainer

SWEEPS = Path("sweeps")
"""The parent of a sweep's folder, unless the caller names another one."""

ABOUT = "sweep.json"
STUDY = "study.db"


@contextmanager
def new(
    settings: SweepSettings,
    data: Corpus,
    *,
    out: Path | None = None,
    storage: str | None = None,
    name: str | None = None,
) -> Generator[Sweep]:
    """Make a sweep's folder and its study, and lock the folder until the end.

    Args:
        settings: of the sweep.
        data: its documents.
        out: the folder; None: the first free of sweeps/NAME-1, sweeps/NAME-2, ...
        storage: a database's address; None: a file in the folder.
        name: of the study; with a database, other machines join it by this.

    Raises:
        UsageError, SweepError, DataError: a setting, the study or the data is invalid.
        MissingExtra: Optuna is not installed.
    """
    check_installed()
    if name is not None and not (name.isprintable() and name == Path("x", name).name != ".."):
        raise UsageError(f'name must be one that a folder can have; got "{name}".')
    TrialTrainer(settings, data)  # raises a DataError for too little text before anything is made
    if out is None:
        out = _numbered(name or settings.source.name, plain=name is not None)
    mine = not out.exists()
    check_no_file(out, SweepError)
    out.mkdir(parents=True, exist_ok=True)
    with claimed(out, "sweep", SweepError):
        _check_empty(out)
        study_name = name or out.resolve().name
        try:
            study = _open(out, settings, storage, study_name)
        except BaseException:
            # A sweep that could not begin leaves no files.
            if mine:
                shutil.rmtree(out, ignore_errors=True)
                with suppress(OSError):
                    SWEEPS.rmdir()
            raise
        about = {
            "study": study_name,
            "storage": hidden(storage) if storage else None,
            **settings.to_json(),
        }
        text = json.dumps(about, indent=2, ensure_ascii=False)
        write_atomically(out / ABOUT, f"{text}\n".encode())
        try:
            yield Sweep(out, settings, data, study)
        finally:
            study.close()


@contextmanager
def opened(settings: SweepSettings, data: Corpus, out: Path | None) -> Generator[Sweep]:
    """Go on with the sweep in a folder if it has these settings; otherwise make a new one.

    Raises:
        UsageError, SweepError, DataError, MissingExtra: as `new`; or the folder's is another sweep.
    """
    if out is None or not (out / ABOUT).exists():
        with new(settings, data, out=out) as made:
            yield made
        return
    check_installed()
    told = read_json(out, ABOUT, SweepRecord.from_json, SweepError, "a sweep")
    settings.check_same(told.settings.to_json(), str(out), "another out")
    with claimed(out, "sweep", SweepError):
        study = _open(out, settings, told.storage, told.study)
        try:
            study.sweep_up()
            yield Sweep(out, settings, data, study)
        finally:
            study.close()


@contextmanager
def resume(folder: Path, *, storage: str | None = None) -> Generator[Sweep]:
    """Resume a sweep, and lock its folder until the end.

    Args:
        folder: the sweep's.
        storage: its database's address, if it has a password: passwords are not saved.

    Raises:
        SweepError: the folder is not a sweep, damaged, or in use; or the documents have changed.
    """
    check_installed()
    about = read_json(folder, ABOUT, SweepRecord.from_json, SweepError, "a sweep")
    settings = about.settings
    if about.storage is None and storage:
        raise SweepError(f"{folder}: its trials are in its {STUDY}; --storage must not be given.")
    storage = storage or about.storage
    if storage is None and not (folder / STUDY).exists():
        raise SweepError(f"{folder}: damaged: it has no {STUDY}.")
    if storage and is_hidden(storage):
        raise SweepError(f"{folder}: its database has a password. Give --storage again.")
    data = again.read(settings.source, settings.fingerprint, folder)
    if not data:
        raise SweepError(
            f"{folder}: what the sweep was begun on must be there; there is no "
            f"{' '.join(settings.source.files)}. Bring it back, or begin another sweep."
        )
    if data.fingerprint != settings.fingerprint:
        raise SweepError(
            f"{folder}: {', '.join(settings.source.files) or 'the embedded names'} must be what "
            "the sweep was begun on; got other text. Bring it back, or begin another sweep."
        )
    with claimed(folder, "sweep", SweepError):
        study = _open(folder, settings, storage, about.study)
        try:
            if storage is None:
                study.sweep_up()
            yield Sweep(folder, settings, data, study)
        finally:
            study.close()


def _open(folder: Path, settings: SweepSettings, storage: str | None, name: str) -> Study:
    kind = Study if settings.seeds is None else GridStudy
    if storage is None:
        return kind(of_file(folder / STUDY), name, settings)
    # Machines with the same seed must draw different trials.
    salt = f"{platform.node()} {os.getpid()} {time.time_ns()}"
    return kind(storage, name, settings, salt)


@dataclass(frozen=True)
class SweepRecord:
    """The content of `sweep.json`."""

    study: str
    storage: str | None
    settings: SweepSettings

    @classmethod
    def from_json(cls, data: Any) -> SweepRecord:
        """Read the JSON object.

        Raises:
            UsageError: it is not one that a sweep writes.
        """
        settings = SweepSettings.from_json(data)
        return schema.convert(cls, {**data, "settings": settings})


def _check_empty(out: Path) -> None:
    found = sorted(path.name for path in out.iterdir() if path.name != LOCK)
    if ABOUT in found:
        raise SweepError(f"{out}: holds a sweep already. Try --resume {out}, or another --out.")
    if found:
        raise not_empty(out, found[0], SweepError)


def _numbered(name: str, *, plain: bool) -> Path:
    """Return sweeps/NAME if plain, else the first free one of sweeps/NAME-1, sweeps/NAME-2, ..."""
    if plain:
        return SWEEPS / name
    number = 1
    while (SWEEPS / f"{name}-{number}").exists():
        number += 1
    return SWEEPS / f"{name}-{number}"
