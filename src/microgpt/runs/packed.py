"""A run's folder in memory: its files as bytes, to copy, pickle or write to another folder.

In: a run in memory, or its folder. Out: its files as bytes, a `Run` of these, a folder of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from microgpt.runs.files import write_atomically
from microgpt.runs.folder import check_no_file, not_empty
from microgpt.runs.memory import MemoryRun
from microgpt.runs.run import Run

Files = dict[str, bytes]
"""The content of a folder's files, by name."""


def pack(folder: Path) -> Files:
    """Read a folder's files, except hidden ones, such as the lock."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


def packed(run: MemoryRun) -> Files:
    """Return the files of a run that has no folder."""
    with TemporaryDirectory() as place:
        run.write(Path(place))
        return pack(Path(place))


def open_packed(files: Files, engine: str, threads: int | None) -> Run:
    """Open a run of packed files: all of it is loaded, its folder is temporary and gone again."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        run = Run(folder, engine, threads)
        _ = run.predictor, run.judge
    return run


def unpack(files: Files, folder: Path) -> None:
    """Write files into a folder that is new or empty: all of them, or none after an error.

    Raises:
        RunError: the folder holds anything, or is a file.
    """
    folder = folder.absolute()
    check_no_file(folder)
    held = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if held:
        raise not_empty(folder, held[0], other="folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        beside = Path(place, folder.name)
        beside.mkdir()
        for name, data in files.items():
            write_atomically(beside / name, data)
        if folder.is_dir():
            folder.rmdir()
        shutil.move(beside, folder)
