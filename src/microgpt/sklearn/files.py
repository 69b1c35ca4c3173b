"""An estimator's run as files in memory: trained, written to a folder, read from one.

In: texts to train on, or a folder. Out: the folder's files as bytes, or a folder. One file is added
to those of a run: the estimator's parameters.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from microgpt import schema
from microgpt.errors import DivergedError, RunError, TrainingWarning
from microgpt.runs import prepare
from microgpt.runs.files import read_json
from microgpt.runs.packed import Files, pack, unpack
from microgpt.runs.run import Run
from microgpt.runs.settings import FORMAT, check_format
from microgpt.training import verdict

FILE = "estimator.json"
"""The file that the estimator adds to a run's folder."""


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
            except (
                DivergedError
            ) as error:  # without the saved run, which is deleted with its folder
                raise DivergedError(error.step, error.loss, error.rates) from None
            if said := verdict.divergence(session.trainer, session.settings.asked):
                warnings.warn(said, TrainingWarning, stacklevel=3)
        dataset = session.trainer.task.dataset
        return pack(out), list(dataset.train_documents), list(dataset.heldout_documents)


def write(files: Files, about: Mapping[str, Any], folder: Path) -> None:
    """Write the files and the estimator's own into a new folder, all of them or none.

    Args:
        files: the run's.
        about: the fields of `EstimatorRecord`.
        folder: new or empty.

    Raises:
        RunError: the folder has files already.
    """
    text = json.dumps({"format": FORMAT, **about}, indent=2, ensure_ascii=False)
    unpack({**files, FILE: f"{text}\n".encode()}, folder)


@dataclass(frozen=True)
class EstimatorRecord:
    """The content of `estimator.json`: constructor keywords, and what was fitted to the texts."""

    parameters: dict[str, Any]
    offset: float
    n_held_out: int


def read(folder: Path, kinds: Mapping[str, Any]) -> tuple[Files, EstimatorRecord]:
    """Read what `write` has written.

    Args:
        folder: the folder.
        kinds: the types of the estimator's parameters by name.

    Raises:
        RunError: the folder is not a run, or not of an estimator, or is damaged.
    """

    def make(data: Any) -> EstimatorRecord:
        check_format(data)
        about = schema.convert(EstimatorRecord, data)
        for name, value in about.parameters.items():
            if name not in kinds:
                raise schema.Foreign(f'no estimator has the parameter "{name[:40]}"')
            schema.convert(kinds[name], value, name)
        return about

    Run(folder)  # raises a RunError if the folder is not a run
    if FILE not in (path.name for path in folder.iterdir()):
        raise RunError(f"{folder}: a run, but of no estimator: it has no {FILE}.")
    about = read_json(folder, FILE, make)
    return {name: data for name, data in pack(folder).items() if name != FILE}, about
