"""A run's folder: what a training was told, what it knows, and nothing pickled.

In: settings, a tokenizer, a state. Out: the same, read back and checked. Every file is replaced
atomically: whoever reads, or pulls the plug, finds the old one or the new one whole.

::

    runs/names-1/
    ├── config.json              model, training, data with its fingerprint, versions
    ├── tokenizer.json
    ├── checkpoint.safetensors   parameters by name, Adam's moments, updates so far, a checksum
    ├── log.jsonl                a line a step
    └── samples.txt
"""

from __future__ import annotations

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


def save(folder: Path, config: GPTConfig, state: State) -> None:
    """Replace the checkpoint. Equal states make equal bytes."""
    from safetensors.numpy import save as to_bytes

    tensors = _tensors(config, state)
    # One key: the format keeps no order among several.
    checksum = _checksum(tensors, state.updates)
    about = {"format": FORMAT, "updates": state.updates, "checksum": checksum}
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
            told: dict[str, str] = file.metadata() or {}
            about = json.loads(told["microgpt"])
            format_, updates, checksum = (about[k] for k in ("format", "updates", "checksum"))
            found: dict[str, Floats] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{folder}: not a run: it has no {CHECKPOINT}.") from None
    except SafetensorError as error:
        raise RunError(f"{path}: damaged ({error}).") from None
    except (KeyError, ValueError, TypeError):
        raise RunError(f"{path}: foreign: not written by microgpt.") from None
    expected = _tensors(config, state)
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in expected.items()}:
        raise RunError(f"{path}: foreign: its tensors are not those of the model in {CONFIG}.")
    if format_ != FORMAT or checksum != _checksum(found, updates):
        raise RunError(f"{path}: damaged: its checksum is not that of its numbers.")
    for name, tensor in expected.items():
        tensor[:] = found[name]
    state.updates = updates
    return state


def _tensors(config: GPTConfig, state: State) -> dict[str, Floats]:
    """Name views of all buffers: the parameters as they are, the moments behind a prefix."""
    return {
        prefix + name: view
        for prefix, flat in (("", state.parameters), ("adam.m.", state.m), ("adam.v.", state.v))
        for name, view in model.views(flat, config).items()
    }


def _checksum(tensors: Mapping[str, Floats], updates: int) -> str:
    digest = hashlib.blake2b(f"{updates} ".encode(), digest_size=16)
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
        temporary.replace(path)
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
