"""Files on the disk: written whole or not at all, checked when they are read.

In: bytes, or tensors with notes. Out: files that a crash leaves as they were before or as they are
meant to be. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
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
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # nobody has heard of the other one
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def temporary_of(path: Path) -> Path:
    """Return the file beside it that `write_atomically` writes first."""
    return path.with_name(f".{path.name}.new")


def remove_temporaries(folder: Path) -> None:
    """Remove what a kill within `write_atomically` has left; the folder must be claimed."""
    for path in folder.glob(".*.new"):
        if path.is_file():
            path.unlink()
