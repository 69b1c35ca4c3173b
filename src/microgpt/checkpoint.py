"""A run's folder: what a training was told, what it knows, and nothing pickled.

In: settings, a tokenizer, a state. Out: the same, read back and checked. Every file but the log is
replaced atomically: whoever reads, or pulls the plug, finds the old one or the new one whole.

::

    runs/names-1/
    ├── config.json              model, training, data with its fingerprint, versions
    ├── tokenizer.json
    ├── checkpoint.safetensors   parameters by name, their moments, updates so far, a checksum
    ├── counts.safetensors       what the model is mixed with, if it is
    ├── log.jsonl                a line a step
    └── samples.txt
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from microgpt import model, tokenizer
from microgpt.config import GPTConfig
from microgpt.disk import read_notes, read_tensors, write_atomically, write_tensors
from microgpt.engines.contract import Floats, State
from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum
from microgpt.settings import Settings
from microgpt.tokenizer import Tokenizer

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
CHECKPOINT = "checkpoint.safetensors"
COUNTS = "counts.safetensors"
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


def save(
    folder: Path,
    config: GPTConfig,
    state: State,
    pending: LossSum | None = None,
    name: str = CHECKPOINT,
    weight: float | None = None,
) -> None:
    """Replace the checkpoint. Equal states make equal bytes.

    Args:
        folder: the run's.
        config: the model's shape.
        state: what training has made.
        pending: the losses that the log has no line of yet; they come back with `load_notes`.
        name: the file's, where it is another state than the last.
        weight: of the counts that the model is mixed with; None: there are none.
    """
    tensors = _tensors(config, state)
    about = {
        "updates": state.updates,
        "pending": dataclasses.astuple(pending or LossSum()),
        "weight": weight,
    }
    write_tensors(folder / name, tensors, about)


def load(folder: Path, config: GPTConfig, name: str = CHECKPOINT) -> State:
    """Read the checkpoint.

    Raises:
        RunError: it is missing, damaged, or of another model than `config`.
    """
    path = folder / name
    n = model.size(config)
    state = State(np.zeros(n), np.zeros(n), np.zeros(n))
    about, found = read_tensors(path)
    expected = _tensors(config, state)
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in expected.items()}:
        raise RunError(f"{path}: foreign: its tensors are not those of the model in {CONFIG}.")
    for key, tensor in expected.items():
        tensor[:] = found[key]
    state.updates = about["updates"]
    return state


def load_notes(folder: Path, name: str = CHECKPOINT) -> tuple[LossSum, float | None]:
    """Read what `save` was given as pending and as weight, from a file that `load` found whole."""
    about = read_notes(folder / name)
    return LossSum(*about["pending"]), about["weight"]


def save_counts(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write the counts that the model is mixed with."""
    write_tensors(folder / COUNTS, arrays, {})


def load_counts(folder: Path) -> dict[str, Any]:
    """Read them.

    Raises:
        RunError: they are missing or damaged.
    """
    return read_tensors(folder / COUNTS)[1]


def _tensors(config: GPTConfig, state: State) -> dict[str, Floats]:
    """Name views of all buffers: the parameters as they are, the moments behind a prefix."""
    return {
        prefix + name: view
        for prefix, flat in (("", state.parameters), ("adam.m.", state.m), ("adam.v.", state.v))
        for name, view in model.views(flat, config).items()
    }
