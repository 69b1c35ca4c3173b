"""Sweeps beside the runs: their pictures and their best trials, as `microgpt sweep` has left them.

In: a sweep's name. Out: its picture as a data address, and rows of its table.
"""

from __future__ import annotations

import base64
import csv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.routing import Route

from microgpt.errors import RunError
from microgpt.studio.about import Nothing
from microgpt.studio.answers import answering
from microgpt.studio.library import Library
from microgpt.sweep.folder import ABOUT, SWEEPS
from microgpt.sweep.picture import PICTURES
from microgpt.sweep.rows import TABLE
from microgpt.wording import figures

_ROWS = 12
_LARGEST = 5_000_000


@dataclass(frozen=True)
class NamedSweep:
    """A question about one sweep."""

    sweep: str


@dataclass(frozen=True)
class ShownSweep:
    """A sweep.

    Attributes:
        name: its folder's.
        picture: a data address; None: there is none, as of a sweep that has not ended.
        head: the columns of its trials.
        trials: those with the lowest losses, the lowest first; none: it is not a grid.
        more: how many other trials there are.
    """

    name: str
    picture: str | None
    head: list[str]
    trials: list[list[str]]
    more: int


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    folder = library.home.parent / SWEEPS.name
    return [
        answering("/api/sweeps", Nothing, lambda _: {"sweeps": [*_folders(folder)]}),
        answering("/api/sweep", NamedSweep, lambda asked: shown(folder, asked.sweep)),
    ]


def _folders(folder: Path) -> dict[str, Path]:
    """Return the folders of all sweeps by name, the newest first."""
    found = sorted(folder.glob(f"*/{ABOUT}"), key=lambda path: -path.lstat().st_mtime_ns)
    return {path.parent.name: path.parent for path in found}


def shown(folder: Path, name: str) -> ShownSweep:
    """Return what the page shows of a sweep.

    Raises:
        RunError: there is none of this name.
    """
    folders = _folders(folder)
    if name not in folders:
        raise RunError(f"{name}: no such sweep. Choose another.")
    head, rows = _trials(folders[name])
    return ShownSweep(name, _picture(folders[name]), head, rows[:_ROWS], len(rows[_ROWS:]))


def _picture(folder: Path) -> str | None:
    for path in (folder / name for name in PICTURES):
        with suppress(OSError):
            if path.stat().st_size <= _LARGEST:
                data = base64.b64encode(path.read_bytes()).decode()
                return f"data:image/png;base64,{data}"
    return None


def _trials(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the rows of a table of trials, the lowest loss first."""
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        at = head.index("loss")
        rows.sort(key=lambda row: _loss(row[at]))
        return head, [
            [figures(float(cell)) if i == at and cell else cell for i, cell in enumerate(row)]
            for row in rows
        ]
    except (OSError, ValueError, IndexError):
        return [], []


def _loss(cell: Any) -> float:
    return float(cell) if cell else float("inf")
