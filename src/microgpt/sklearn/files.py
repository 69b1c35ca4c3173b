"""A run whose folder is in memory: what can be copied, sent to another process, and written.

In: texts to train on, or a folder. Out: the folder's files as bytes, a `Run` of such, a folder
again. Beside a run's own files there is one more of the estimator's.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from microgpt import schema
from microgpt.errors import DivergedError, RunError, TrainingWarning
from microgpt.runs import prepare
from microgpt.runs.files import read_json, write_atomically
from microgpt.runs.run import Run
from microgpt.runs.settings import FORMAT, check_format
from microgpt.training import verdict

FILE = "estimator.json"
"""What the estimator adds to a run's folder."""

Files = dict[str, bytes]


def trained(
    texts: list[str], preset: str | None, settings: Mapping[str, Any]
) -> tuple[Files, list[str], list[str]]:
    """Train; return the run's files, the texts trained on and those held out."""
    with TemporaryDirectory() as place:
        out = Path(place, "run")
        with prepare.new(texts, preset_name=preset, out=out, **settings) as session:
            try:
                for _ in session:
                    pass
            except DivergedError as error:  # what it has saved goes with the folder
                raise DivergedError(error.step, error.loss, error.rates) from None
            if said := verdict.divergence(session.trainer, session.settings.asked):
                warnings.warn(said, TrainingWarning, stacklevel=3)
        dataset = session.trainer.task.dataset
        return _files(out), list(dataset.train_documents), list(dataset.heldout_documents)


def opened(files: Files, engine: str, threads: int | None) -> Run:
    """Open the run that the files are of; its engine is there, its folder is not."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        run = Run(folder, engine, threads)
        _ = run.predictor
    return run


def write(files: Files, about: Mapping[str, Any], folder: Path) -> None:
    """Make a folder of files and of what the estimator adds, all of it or nothing.

    Raises:
        RunError: there is something already.
    """
    folder = folder.absolute()
    if folder.is_file():
        raise RunError(f"{folder}: a file. Expected a folder, or a name for a new one.")
    held = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if held:
        raise RunError(f"{folder}: must be empty or new; it holds {held[0]}. Try another folder.")
    text = json.dumps({"format": FORMAT, **about}, indent=2, ensure_ascii=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        beside = Path(place, folder.name)
        beside.mkdir()
        for name, data in {**files, FILE: f"{text}\n".encode()}.items():
            write_atomically(beside / name, data)
        if folder.is_dir():
            folder.rmdir()
        shutil.move(beside, folder)


@dataclass(frozen=True)
class About:
    """What the estimator adds: the keywords that make it, and what it took from its texts."""

    parameters: dict[str, Any]
    offset: float
    n_held_out: int


def read(folder: Path, kinds: Mapping[str, Any]) -> tuple[Files, About]:
    """Read what `write` has written.

    Args:
        folder: where.
        kinds: the types of the estimator's parameters.

    Raises:
        RunError: it is no run, or of no estimator, or damaged.
    """

    def make(data: Any) -> About:
        check_format(data)
        about = schema.convert(About, data)
        for name, value in about.parameters.items():
            if name not in kinds:
                raise schema.Foreign(f'no estimator has the parameter "{name[:40]}"')
            schema.convert(kinds[name], value, name)
        return about

    Run(folder)  # says what is wrong with a folder that is no run
    if FILE not in (path.name for path in folder.iterdir()):
        raise RunError(f"{folder}: a run, but of no estimator: it has no {FILE}.")
    about = read_json(folder, FILE, make)
    return {name: data for name, data in _files(folder).items() if name != FILE}, about


def _files(folder: Path) -> Files:
    """Read a folder's files, the lock left out."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }
