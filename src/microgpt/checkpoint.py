"""A run's folder: what a training was told, what it knows, and nothing pickled.

In: settings, a tokenizer, a state. Out: the same, read back and checked. Every file but the log is
replaced atomically: whoever reads, or pulls the plug, finds the old one or the new one whole.

::

    runs/names-1/
    ├── config.json              model, training, data with its fingerprint, versions
    ├── tokenizer.json
    ├── checkpoint.safetensors   parameters by name, Adam's moments, updates so far, a checksum
    ├── log.jsonl                a line a step
    └── samples.txt
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from microgpt import model, tokenizer
from microgpt.config import GPTConfig
from microgpt.engines.contract import Floats, State
from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum
from microgpt.settings import FORMAT, Settings
from microgpt.tokenizer import Tokenizer

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
CHECKPOINT = "checkpoint.safetensors"
SAMPLES = "samples.txt"

T = TypeVar("T")


def write_settings(folder: Path, settings: Settings, tokens: Tokenizer) -> None:
    """Write `tokenizer.json`, and `config.json` with the other's fingerprint."""
    about = {**settings.to_json(), "vocabulary": _fingerprint(tokens)}
    for name, data in ((TOKENIZER, tokens.to_json()), (CONFIG, about)):
        text = json.dumps(data, indent=2, ensure_ascii=False)
        write_atomically(folder / name, f"{text}\n".encode())


def read_settings(folder: Path) -> tuple[Settings, Tokenizer]:
    """Read `config.json` and `tokenizer.json`.

    Raises:
        RunError: the folder is no run, or one of the two is not as it was written.
    """
    settings = _read(folder, CONFIG, Settings.from_json)
    vocabulary = _read(folder, CONFIG, lambda data: data["vocabulary"])
    tokens = _read(folder, TOKENIZER, tokenizer.from_json)
    if tokens.vocab_size != settings.model.vocab_size:
        raise RunError(
            f"{folder}: {TOKENIZER} has {tokens.vocab_size} token ids where {CONFIG} says "
            f"{settings.model.vocab_size}: they are of different runs."
        )
    if _fingerprint(tokens) != vocabulary:
        raise RunError(f"{folder}: {TOKENIZER} is damaged, or of another run than {CONFIG}.")
    return settings, tokens


def _fingerprint(tokens: Tokenizer) -> str:
    text = json.dumps(tokens.to_json(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read(folder: Path, name: str, parse: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return parse(json.loads((folder / name).read_text("utf-8")))
    except FileNotFoundError:
        missing = f"it has no {name}" if folder.is_dir() else "there is no such folder"
        raise RunError(f"{folder}: not a run: {missing}.") from None
    except NotADirectoryError:
        raise RunError(f"{folder}: not a run: it is a file. Expected a folder.") from None
    except UsageError as error:
        raise RunError(f"{folder / name}: {error}") from None
    except KeyError as error:
        raise RunError(f"{folder / name}: damaged or foreign: it lacks {error}.") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{folder / name}: damaged or foreign ({error}).") from None


def save(folder: Path, config: GPTConfig, state: State, pending: LossSum | None = None) -> None:
    """Replace the checkpoint. Equal states make equal bytes.

    Args:
        folder: the run's.
        config: the model's shape.
        state: what training has made.
        pending: the losses that the log has no line of yet; they come back with `load_pending`.
    """
    from safetensors.numpy import save as to_bytes

    tensors = _tensors(config, state)
    # One key: the format keeps no order among several.
    about = {
        "format": FORMAT,
        "updates": state.updates,
        "pending": dataclasses.astuple(pending or LossSum()),
        "checksum": _checksum(tensors),
    }
    about["of_this"] = _hash(about)
    data = to_bytes(tensors, {"microgpt": json.dumps(about)})
    write_atomically(folder / CHECKPOINT, data)


def load(folder: Path, config: GPTConfig) -> State:
    """Read the checkpoint.

    Raises:
        RunError: it is missing, damaged, or of another model than `config`.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / CHECKPOINT
    n = model.size(config)
    state = State(np.zeros(n), np.zeros(n), np.zeros(n))
    try:
        opened: Any = safe_open(path, "numpy")  # it has no types
        with opened as file:
            about = _about(file.metadata())
            found: dict[str, Floats] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{folder}: not a run: it has no {CHECKPOINT}.") from None
    except SafetensorError as error:
        raise RunError(f"{path}: damaged ({error}).") from None
    except (KeyError, ValueError, TypeError):
        raise RunError(f"{path}: damaged or foreign: not as microgpt writes it.") from None
    expected = _tensors(config, state)
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in expected.items()}:
        raise RunError(f"{path}: foreign: its tensors are not those of the model in {CONFIG}.")
    if about["checksum"] != _checksum(found):
        raise RunError(f"{path}: damaged: its checksum is not that of its numbers.")
    for name, tensor in expected.items():
        tensor[:] = found[name]
    state.updates = about["updates"]
    return state


def load_pending(folder: Path) -> LossSum:
    """Read what `save` was given as pending, from a checkpoint that `load` has found whole."""
    from safetensors import safe_open

    opened: Any = safe_open(folder / CHECKPOINT, "numpy")
    with opened as file:
        return LossSum(*_about(file.metadata())["pending"])


def _about(told: dict[str, str] | None) -> dict[str, Any]:
    """Parse the notes of a checkpoint; a ValueError, KeyError or TypeError if they are no such."""
    about = json.loads((told or {})["microgpt"])
    if about["format"] != FORMAT or about.pop("of_this") != _hash(about):
        raise ValueError
    return about


def _hash(about: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()


def _tensors(config: GPTConfig, state: State) -> dict[str, Floats]:
    """Name views of all buffers: the parameters as they are, the moments behind a prefix."""
    return {
        prefix + name: view
        for prefix, flat in (("", state.parameters), ("adam.m.", state.m), ("adam.v.", state.v))
        for name, view in model.views(flat, config).items()
    }


def _checksum(tensors: Mapping[str, Floats]) -> str:
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
