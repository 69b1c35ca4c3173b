"""The record of what a tracker has: `tracking/NAME.json` in a run's folder.

In: a run's folder, a tracker's name. Out: a `Tracked` run; or the file, replaced atomically.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.config.bounds import check
from microgpt.errors import RunError
from microgpt.runs.checkpoint import CONFIG
from microgpt.runs.files import read_json, write_atomically
from microgpt.runs.settings import Settings, flat
from microgpt.runs.tracking import FOLDER
from microgpt.runs.tracking.contract import Tracked


@dataclass(frozen=True)
class _Record:
    id: str
    began: float
    step: int = 0
    notes: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        check("updates", self.step, "step")


def read(folder: Path, name: str) -> Tracked:
    """Return what a tracker has of a run; nothing, with a new id, if there is no record."""
    settings = read_json(folder, CONFIG, Settings.from_json)
    path = folder / FOLDER / f"{name}.json"
    if path.exists():
        kept = read_json(path.parent, path.name, lambda data: schema.convert(_Record, data))
    else:
        kept = _Record(secrets.token_hex(8), time.time())
    return Tracked(folder, single(settings), kept.id, kept.began, kept.step, dict(kept.notes))


def write(name: str, tracked: Tracked) -> None:
    """Write a record."""
    folder = tracked.folder / FOLDER
    folder.mkdir(exist_ok=True)
    kept = _Record(tracked.id, tracked.began, tracked.step, tracked.notes)
    write_atomically(folder / f"{name}.json", schema.encode(kept) + b"\n")


def step_of(folder: Path, name: str) -> int:
    """Return the step up to which a tracker has a run; 0: it has nothing, or that is unknown."""
    try:
        return read(folder, name).step
    except (OSError, RunError):
        return 0


def single(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return a run's settings as single values by name; what is not set is left out."""
    named: dict[str, Any] = flat(settings.to_json())
    del named["paths"]  # the folders of this machine are nobody's business
    return {
        name: its if isinstance(its, (str, int, float)) else json.dumps(its)
        for name, its in named.items()
        if its is not None
    }
