"""A run's folder: what a training was told, what it knows, and nothing pickled.

In: settings, a tokenizer, a state. Out: the same, read back and checked. Every file but the log is
replaced atomically: whoever reads, or pulls the plug, finds the old one or the new one whole.

::

    runs/names-1/
    ├── config.json              model, training, data with its fingerprint, versions
    ├── tokenizer.json
    ├── checkpoint.safetensors   parameters by name, their moments, how far it is, a checksum
    ├── counts.safetensors       what the model is mixed with, if it is
    ├── reference.safetensors    what usual texts cost, to judge others by
    ├── log.jsonl                a line a step
    └── samples.txt
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from microgpt import model, tokenizer
from microgpt.alphabet import printable
from microgpt.config import GPTConfig
from microgpt.disk import read_tensors, write_atomically, write_tensors
from microgpt.engines.contract import Floats, State
from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum
from microgpt.settings import Settings
from microgpt.tokenizer import Tokenizer

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
CHECKPOINT = "checkpoint.safetensors"
COUNTS = "counts.safetensors"
REFERENCE = "reference.safetensors"
SAMPLES = "samples.txt"

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Where a training stands that has not ended, beside parameters, moments and updates.

    Attributes:
        lines: how many lines of the log tell of it; what stands behind these is of steps that the
            checkpoint has not made, or of an ending that was not reached.
        pending: the losses of steps that no line was due for yet.
        lr: the learning rate of the last step.
        seconds: how long it has taken.
        best: the lowest held-out loss so far; None: none was measured.
        best_step: the step after which it was measured; 0: none.
    """

    lines: int = 0
    pending: LossSum = field(default_factory=LossSum)
    lr: float = 0.0
    seconds: float = 0.0
    best: LossSum | None = None
    best_step: int = 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Progress:
        """Make it from what `dataclasses.asdict` made of one."""
        told = dict(data)
        for name in ("pending", "best"):
            told[name] = LossSum(**told[name]) if told[name] else None
        return cls(**told)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds, all of it written at once.

    Attributes:
        state: parameters, moments, updates.
        weight: of the counts that the model is mixed with; None: there are none.
        progress: None: the training has ended, and the parameters are those to keep.
        best: the parameters of `progress.best`, where `state` has moved on since.
        is_earlier: it is of a version that did not write where a training stands.
    """

    state: State
    weight: float | None = None
    progress: Progress | None = None
    best: Floats | None = None
    is_earlier: bool = False


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


def save(folder: Path, config: GPTConfig, kept: Checkpoint) -> None:
    """Replace the checkpoint. Equal ones make equal bytes."""
    progress = kept.progress
    about = {
        "updates": kept.state.updates,
        "weight": kept.weight,
        "progress": dataclasses.asdict(progress) if progress else None,
    }
    write_tensors(folder / CHECKPOINT, _tensors(config, kept.state, kept.best), about)


def load(folder: Path, config: GPTConfig) -> Checkpoint:
    """Read the checkpoint.

    Raises:
        RunError: it is missing, damaged, or of another model than `config`.
    """
    path = folder / CHECKPOINT
    n = model.size(config)
    state = State(np.zeros(n), np.zeros(n), np.zeros(n))
    about, found = read_tensors(path)
    told = about.get("progress")
    progress = Progress.from_json(told) if told else None
    best = np.zeros(n) if progress and 0 < progress.best_step < about["updates"] else None
    expected = _tensors(config, state, best)
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in expected.items()}:
        raise RunError(f"{path}: foreign: its tensors are not those of the model in {CONFIG}.")
    for key, tensor in expected.items():
        tensor[:] = found[key]
    state.updates = about["updates"]
    return Checkpoint(state, about["weight"], progress, best, is_earlier="progress" not in about)


def write_samples(folder: Path, texts: Iterable[str]) -> None:
    """Write `samples.txt`, a sample a line."""
    write_atomically(folder / SAMPLES, "".join(f"{printable(text)}\n" for text in texts).encode())


def save_counts(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write the counts that the model is mixed with."""
    write_tensors(folder / COUNTS, arrays, {})


def load_counts(folder: Path) -> dict[str, Any]:
    """Read them.

    Raises:
        RunError: they are missing or damaged.
    """
    return read_tensors(folder / COUNTS)[1]


def _tensors(config: GPTConfig, state: State, best: Floats | None) -> dict[str, Floats]:
    """Name views of all buffers: the parameters as they are, everything else behind a prefix."""
    buffers = {"": state.parameters, "adam.m.": state.m, "adam.v.": state.v}
    if best is not None:
        buffers["best."] = best
    return {
        prefix + name: view
        for prefix, flat in buffers.items()
        for name, view in model.views(flat, config).items()
    }
