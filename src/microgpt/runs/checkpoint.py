"""The files of a run's folder: settings, tokenizer, checkpoint; nothing is pickled.

In: settings, a tokenizer, a state. Out: the same, read back and validated. Every file but the log
is replaced atomically: a reader, or a power cut, finds the old file or the new one whole.

::

    runs/names-1/
    ├── config.json              model, training, data with its fingerprint, versions
    ├── tokenizer.json
    ├── checkpoint.safetensors   parameters by name, their moments, progress, a checksum; those
    │                            of several models as model1.NAME, model2.NAME, ...
    ├── counts.safetensors       the n-gram counts that the GPT is mixed with, if it is
    ├── reference.safetensors    the losses of held-out documents, for percentiles of other texts
    ├── heldout.jsonl            held-out documents, if they came from a Python program
    ├── log.jsonl                a line for each step or evaluation
    └── samples.txt
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import model, schema
from microgpt.config import GPTConfig
from microgpt.config.bounds import check
from microgpt.counting.cache import TextCache
from microgpt.counting.fitted import Fitted
from microgpt.counting.loglinear import LogLinear
from microgpt.data import tokenizer
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import SLOTS, Array, State
from microgpt.errors import RunError, UsageError
from microgpt.runs import files
from microgpt.runs.files import Layout, write_atomically
from microgpt.runs.settings import Settings, recipe_of, sealed
from microgpt.training.progress import Checkpoint, Progress
from microgpt.wording import printable

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
CHECKPOINT = "checkpoint.safetensors"
COUNTS = "counts.safetensors"
REFERENCE = "reference.safetensors"
SAMPLES = "samples.txt"
HELDOUT = "heldout.jsonl"


@dataclass(frozen=True)
class _Notes:
    """The header of a checkpoint, beside its tensors."""

    updates: int
    weight: float | None = None
    log_linear: LogLinear | None = None
    progress: Progress | None = None
    settings: str | None = None
    cache: TextCache | None = None

    def __post_init__(self) -> None:
        check("updates", self.updates)
        _ = self.fitted  # whose making checks the weight

    @property
    def fitted(self) -> Fitted | None:
        """What is fitted in the mixture; None: the GPT is not mixed."""
        if self.weight is None and not self.log_linear:
            return None
        return Fitted(self.weight, self.log_linear, self.cache)

    @property
    def has_best(self) -> bool:
        """Whether the file has the parameters of an earlier, better state than the last."""
        return self.progress is not None and 0 < self.progress.best_step < self.updates


@dataclass(frozen=True)
class _Config:
    """The content of `config.json`, and its fingerprint."""

    settings: Settings
    vocabulary: str
    fingerprint: str

    @classmethod
    def from_json(cls, data: Any) -> _Config:
        made = {"settings": Settings.from_json(data), "fingerprint": recipe_of(data)}
        return schema.convert(cls, {**data, **made})


def write_settings(folder: Path, settings: Settings, tokens: Tokenizer) -> None:
    """Write `tokenizer.json`, and `config.json` with the tokenizer's fingerprint."""
    write_atomically(folder / TOKENIZER, _text(tokens.to_json()))
    write_atomically(folder / CONFIG, _text(_config(settings, tokens)))


def read_settings(folder: Path) -> tuple[Settings, Tokenizer]:
    """Read `config.json` and `tokenizer.json`.

    Raises:
        RunError: the folder is not a run, or one of the two files was changed.
    """
    config = files.read_json(folder, CONFIG, _Config.from_json)
    tokens = files.read_json(folder, TOKENIZER, tokenizer.from_json)
    if tokens.vocab_size != config.settings.model.vocab_size:
        raise RunError(
            f"{folder}: {TOKENIZER} has {tokens.vocab_size} token ids where {CONFIG} says "
            f"{config.settings.model.vocab_size}: they are of different runs."
        )
    if _vocabulary(tokens) != config.vocabulary:
        raise RunError(f"{folder}: {TOKENIZER} is damaged, or of another run than {CONFIG}.")
    if _noted(folder) not in (None, config.fingerprint):
        raise RunError(
            f"{folder}: {CONFIG} is damaged or changed, or of another run than {CHECKPOINT}. "
            "Bring back the one that it was trained with."
        )
    return config.settings, tokens


def fingerprint(folder: Path, settings: Settings, tokens: Tokenizer) -> str:
    """Return the fingerprint of the recipe in `config.json`, or in the one yet to be written."""
    if (folder / CONFIG).exists():
        return files.read_json(folder, CONFIG, recipe_of)
    return recipe_of(_config(settings, tokens))


def _config(settings: Settings, tokens: Tokenizer) -> dict[str, Any]:
    about = {**settings.to_json(), "vocabulary": _vocabulary(tokens)}
    return sealed(
        schema.parse(_text(about))
    )  # through JSON, so that the checksum is of what is read


def _text(data: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(data, indent=2, ensure_ascii=False)}\n".encode()


def _vocabulary(tokens: Tokenizer) -> str:
    text = json.dumps(tokens.to_json(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _noted(folder: Path) -> str | None:
    """Return the fingerprint in the checkpoint; None: it is damaged, which `load` reports."""
    try:
        return files.read_notes(folder / CHECKPOINT, partial(schema.convert, _Notes)).settings
    except RunError:
        return None


def has_ended(folder: Path) -> bool:
    """Return whether a run's training is complete; False, too, if its checkpoint cannot be read."""
    try:
        notes = files.read_notes(folder / CHECKPOINT, partial(schema.convert, _Notes))
    except RunError:
        return False
    return notes.progress is None


def save(folder: Path, config: GPTConfig, made: Checkpoint) -> None:
    """Replace the checkpoint. Equal checkpoints have equal bytes."""
    progress = made.progress
    notes = {
        "updates": made.state.updates,
        **dataclasses.asdict(made.fitted or Fitted()),
        "progress": dataclasses.asdict(progress) if progress else None,
        "settings": made.settings,
    }
    files.write_tensors(folder / CHECKPOINT, _tensors(config, made.state, made.best), notes)


def load(folder: Path, config: GPTConfig, models: int = 1) -> Checkpoint:
    """Read the checkpoint.

    Args:
        folder: the run's.
        config: the model's settings.
        models: how many models of this shape it has.

    Raises:
        RunError: it is missing, damaged, or of another model than `config`, or one of its numbers
            is not finite.
    """
    table = model.parameters(config, models)

    def make(about: dict[str, Any], layout: Layout) -> tuple[_Notes, bool]:
        notes = schema.convert(_Notes, about)
        prefixes = _PREFIXES if notes.has_best else _PREFIXES[:-1]
        shapes = {prefix + p.name: p.shape for prefix in prefixes for p in table}
        # All tensors have one precision: that of the engine that trained them.
        if layout not in [
            {name: (precision, shape) for name, shape in shapes.items()}
            for precision in ("F32", "F64")
        ]:
            raise UsageError(f"foreign: its tensors are not those of the model in {CONFIG}.")
        return notes, "progress" not in about

    path = folder / CHECKPOINT
    (notes, is_earlier), found = files.read_tensors(path, make)
    for key, tensor in found.items():
        if not np.isfinite(tensor).all():
            raise RunError(f"{path}: its numbers must be finite; {key} has one that is not.")

    def flat(prefix: str) -> Array:
        return model.joined([found[prefix + p.name].ravel() for p in table])

    state = State(flat(""), {slot: flat(f"{slot}.") for slot in SLOTS}, notes.updates)
    best = flat("best.") if notes.has_best else None
    its = (notes.fitted, notes.progress, best, notes.settings, is_earlier)
    return Checkpoint(state, *its)


def write_samples(folder: Path, texts: Iterable[str]) -> None:
    """Write `samples.txt`, a sample a line."""
    write_atomically(folder / SAMPLES, "".join(f"{printable(text)}\n" for text in texts).encode())


def _tensors(config: GPTConfig, state: State, best: Array | None) -> dict[str, Array]:
    """Return the matrices of all buffers by name: parameters without a prefix, the others with."""
    buffers = (state.parameters, *(state.slots[slot] for slot in SLOTS), best)
    models = len(state.parameters) // model.size(config)
    return {
        prefix + name: view
        for prefix, flat in zip(_PREFIXES, buffers)
        if flat is not None
        for name, view in model.views(flat, config, models).items()
    }


_PREFIXES = ("", *(f"{slot}." for slot in SLOTS), "best.")
