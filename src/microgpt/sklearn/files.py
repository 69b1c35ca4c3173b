"""An estimator's run as files: written to a folder, read from one.

In: a run's files as bytes, or a folder. Out: a folder, or the files. One file is added to those of
a run: the estimator's parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.errors import RunError
from microgpt.runs.files import read_json
from microgpt.runs.packed import Files, pack, unpack
from microgpt.runs.run import Run
from microgpt.runs.settings import FORMAT, check_format

FILE = "estimator.json"
"""The file that the estimator adds to a run's folder."""


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
