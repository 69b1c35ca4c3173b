"""Files on the disk: written whole or not at all, checked when they are read, held against others.

In: bytes, or tensors with notes. Out: files that a crash leaves as they were before or as they are
meant to be. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from microgpt.errors import RunError
from microgpt.settings import FORMAT


def write_tensors(path: Path, tensors: Mapping[str, Any], about: dict[str, Any]) -> None:
    """Write tensors and notes, with a checksum of both."""
    from safetensors.numpy import save as to_bytes

    about = {"format": FORMAT, **about, "checksum": _checksum(tensors)}
    about["of_this"] = _hash(about)
    # One key: the format keeps no order among several.
    write_atomically(path, to_bytes(dict(tensors), {"microgpt": json.dumps(about)}))


def read_tensors(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a file's notes and tensors.

    Raises:
        RunError: it is missing, or not as it was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        opened: Any = safe_open(path, "numpy")  # it has no types
        with opened as file:
            about = _about(file.metadata())
            found: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{path.parent}: not a run: it has no {path.name}.") from None
    except SafetensorError as error:
        raise RunError(f"{path}: damaged ({error}).") from None
    except (KeyError, ValueError, TypeError):
        raise RunError(f"{path}: damaged or foreign: not as microgpt writes it.") from None
    if about["checksum"] != _checksum(found):
        raise RunError(f"{path}: damaged: its checksum is not that of its numbers.")
    return about, found


def read_notes(path: Path) -> dict[str, Any]:
    """Read the notes alone, of a file that `read_tensors` has found whole."""
    from safetensors import safe_open

    opened: Any = safe_open(path, "numpy")
    with opened as file:
        return _about(file.metadata())


def _about(told: dict[str, str] | None) -> dict[str, Any]:
    """Parse the notes of a checkpoint; a ValueError, KeyError or TypeError if they are no such."""
    about = json.loads((told or {})["microgpt"])
    if about["format"] != FORMAT or about.pop("of_this") != _hash(about):
        raise ValueError
    return about


def _hash(about: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()


def _checksum(tensors: Mapping[str, Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name], dtype="<f8").tobytes())
    return digest.hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file: written beside it, flushed to the disk, renamed."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def claimed(folder: Path) -> Generator[None]:
    """Hold a folder against a second training.

    The lock is the operating system's: it goes with the process, however that ends.

    Raises:
        RunError: another process is training in it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)  # pyright: ignore[reportUnknownMemberType]
    except Timeout:
        raise RunError(
            f"{folder}: another training is writing to it. Wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def numbered(parent: Path, name: str) -> Path:
    """Make the first folder of NAME-1, NAME-2, ... that is free."""
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
