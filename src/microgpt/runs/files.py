"""Files on the disk: written atomically, validated when they are read.

In: bytes; or tensors with notes, a JSON object in the file's header. Out: files; after a crash a
file is the old one or the new one, complete. Nothing is pickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from microgpt import schema
from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.runs.settings import FORMAT, check_format

T = TypeVar("T")
Layout = dict[str, tuple[str, tuple[int, ...]]]
"""The type, as safetensors names it, and the shape of each tensor, by name."""


def read_json(
    folder: Path,
    name: str,
    make: Callable[[Any], T],
    refused: type[MicroGPTError] = RunError,
    kind: str = "a run",
) -> T:
    """Read a JSON file of a folder and convert its content.

    Args:
        folder: a run's, for example.
        name: the file's.
        make: converts the content; raises UsageError if it is invalid.
        refused: the error raised then, or if the file is missing.
        kind: what the folder should be, for the message.
    """
    path = folder / name
    check_file(path, refused)
    try:
        return make(schema.parse(path.read_bytes()))
    except FileNotFoundError:
        missing = f"it has no {name}" if folder.is_dir() else "there is no such folder"
        raise refused(f"{folder}: not {kind}: {missing}.") from None
    except NotADirectoryError:
        raise refused(f"{folder}: not {kind}: it is a file. Expected a folder.") from None
    except schema.Foreign as error:
        raise refused(f"{path}: damaged or foreign ({error}).") from None
    except UsageError as error:
        raise refused(f"{path}: {error}") from None


def check_file(path: Path, refused: type[MicroGPTError] = RunError) -> None:
    """Raise an error if a path exists and is not a file: reading a pipe would block."""
    found = ""
    if path.is_dir():
        found = "a folder"
    elif path.exists() and not path.is_file():
        found = "a pipe or a device"
    elif path.is_symlink() and not path.exists():
        found = "a link that leads nowhere"
    if found:
        raise refused(f"{path}: {found}. Expected a file that microgpt has written.")


def write_tensors(path: Path, tensors: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
    """Write tensors and notes, with a checksum of both."""
    about = {"format": FORMAT, **notes, "checksum": _checksum(tensors)}
    about["of_this"] = _hash(about)
    # One key: safetensors does not preserve the order of several.
    write_atomically(path, as_safetensors(tensors, {"microgpt": json.dumps(about)}))


def as_safetensors(tensors: Mapping[str, Any], header: dict[str, str]) -> bytes:
    """Return the content of a file of tensors, with entries of its header."""
    from safetensors.numpy import save

    return save(dict(tensors), header)


def read_tensors(
    path: Path, make: Callable[[dict[str, Any], Layout], T]
) -> tuple[T, dict[str, Any]]:
    """Read a file's notes and tensors.

    Args:
        path: the file.
        make: converts the notes, given the layout of the tensors before these are read; raises
            UsageError if either is invalid.

    Raises:
        RunError: the file is missing or was changed.
    """
    with _opened(path) as (about, file):
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        layout = {k: (part.get_dtype(), tuple(part.get_shape())) for k, part in slices.items()}
        notes = make(about, layout)
        tensors: dict[str, Any] = {name: file.get_tensor(name) for name in layout}
    if about["checksum"] != _checksum(tensors):
        raise RunError(f"{path}: damaged: its checksum is not that of its numbers.")
    return notes, tensors


def read_notes(path: Path, make: Callable[[Any], T]) -> T:
    """Read the notes of a file of tensors alone.

    Raises:
        RunError: the file is missing, or its notes were changed.
    """
    with _opened(path) as (about, _):
        return make(about)


@contextmanager
def _opened(path: Path) -> Generator[tuple[dict[str, Any], Any]]:
    """Open a file of tensors; yield its notes, their hash verified, and the library's handle."""
    from safetensors import SafetensorError, safe_open

    check_file(path)
    try:
        # Opened first by Python: safetensors reports every file that it cannot open as missing.
        path.open("rb").close()
        opened: Any = safe_open(path, "numpy")  # it has no types
        with opened as file:
            header: dict[str, str] = file.metadata() or {}
            if "microgpt" not in header:
                raise RunError(f"{path}: damaged or foreign: not as microgpt writes it.")
            about = schema.parse(header["microgpt"].encode())
            schema.convert(_Frame, about)
            if about.pop("of_this") != _hash(about):
                raise schema.Foreign("its notes are not as they were written")
            check_format(about)
            yield about, file
    except FileNotFoundError:
        if path.exists():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path)) from None
        raise RunError(f"{path.parent}: not a run: it has no {path.name}.") from None
    except SafetensorError as error:
        raise RunError(f"{path}: damaged ({error}).") from None
    except schema.Foreign as error:
        raise RunError(f"{path}: damaged or foreign ({error}).") from None
    except UsageError as error:
        raise RunError(f"{path}: {error}") from None


@dataclass
class _Frame:
    """The fields of all notes."""

    format: int
    checksum: str
    of_this: str


def _hash(about: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()


def _checksum(tensors: Mapping[str, Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name], dtype="<f8").tobytes())
    return digest.hexdigest()


def check_target(name: str, path: Path) -> None:
    """Raise UsageError unless a file can be written at a path: called before any work is done."""
    if path.is_dir():
        raise UsageError(f"{name} must be a file; got the folder {path}.")
    if not path.parent.is_dir():
        raise UsageError(f"{name} must be in a folder that exists; got {path}.")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file: written beside it, flushed to the disk, renamed."""
    with replacing(path) as file:
        file.write(data)


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, which is made if need be, each atomically and in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        write_atomically(folder / name, data)


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """Replace a file by what is written to the one that is yielded; on an error it stays."""
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # the caller does not know the temporary file
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
    """Return the temporary file that `write_atomically` writes before it replaces `path`."""
    return path.with_name(f".{path.name}.new")


def remove_temporaries(folder: Path) -> None:
    """Remove the temporary files of a process killed while writing; the folder must be locked."""
    for path in folder.glob(".*.new"):
        if path.is_file():
            path.unlink()
