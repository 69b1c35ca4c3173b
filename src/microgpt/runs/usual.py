"""What usual texts of a run cost, in its folder: judging new texts does not need the training data.

In: a model and the documents. Out: a `Usual`, in `reference.safetensors`, with the fingerprint of
the parameters that it was measured with. A file with another fingerprint, as an earlier part of a
training leaves it, counts as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import schema
from microgpt.counting.mixture import Mixture
from microgpt.data.alike import Alike
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Engine, Predictor
from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.runs.checkpoint import REFERENCE
from microgpt.runs.files import Layout, read_tensors, write_tensors
from microgpt.runs.settings import Settings
from microgpt.scoring.price import Pricer
from microgpt.scoring.repetition import Repetition
from microgpt.scoring.usual import Documents, Usual, measure
from microgpt.training.trainer import Trainer


def at_end(trainer: Trainer, settings: Settings) -> Usual | None:
    """Measure what is usual when a training has come to its end.

    Args:
        trainer: the training.
        settings: the run's.

    Returns:
        None: no lines were held out.
    """
    task = trainer.task
    documents = (task.dataset.train_documents, task.dataset.heldout_documents)
    return _measured(
        trainer.predictor,
        task.tokenizer,
        settings,
        documents,
        trainer.last_positions,
        task.dataset.alike,
    )


def find(
    folder: Path,
    predictor: Predictor,
    of: str,
    tokens: Tokenizer,
    settings: Settings,
    documents: Callable[[], Documents],
) -> Usual | None:
    """Read what is usual, or measure it if the documents are there; None: none were held out.

    Args:
        folder: the run's; what is measured is written there, if that can be.
        predictor: the model.
        of: its fingerprint.
        tokens: its tokenizer.
        settings: the run's.
        documents: reads them.

    Raises:
        RunError, DataError: the folder has no such file, or a damaged one, and the documents are
            not there any more.
    """
    if not settings.training.holdout or settings.source.stream:
        return None
    found, damaged = None, None
    try:
        found = read(folder, of)
    except RunError as error:
        damaged = error
    if found and found.whole:
        return found
    try:
        measured = _measured(predictor, tokens, settings, documents())
    except MicroGPTError:
        if damaged:
            raise damaged from None
        if not found:
            raise
        return found
    if measured:
        with suppress(OSError):  # the folder may be another's, or on a disk that is only read
            write(folder, measured, of)
    return measured


def _measured(
    predictor: Predictor,
    tokens: Tokenizer,
    settings: Settings,
    documents: Documents,
    positions: int | None = None,
    alike: tuple[Alike, Alike] | None = None,
) -> Usual | None:
    # What is held out of a stream is the end of one text.
    if not documents[1] or settings.source.stream:
        return None
    pricer = Pricer(predictor, tokens, settings.model.block_size)
    return measure(pricer, documents, settings.training.seed, positions, alike)


def fingerprint(engine: Engine, mixture: Mixture | None) -> str:
    """Return a hash of a model's weights, those of the counts it is mixed with among them.

    It is of float32: an engine of that precision holds what another has trained so.
    """
    with np.errstate(over="ignore"):  # of a training that has run away
        parameters = engine.state().parameters.astype("<f4")
    digest = hashlib.blake2b(parameters.tobytes(), digest_size=16)
    digest.update(repr(mixture.weight if mixture else None).encode())
    return digest.hexdigest()


def write(folder: Path, usual: Usual, of: str) -> None:
    """Write it into a run's folder.

    Args:
        folder: the run's.
        usual: what was measured.
        of: the fingerprint of the weights.
    """
    tensors = {"lengths": usual.lengths_D, "means": usual.means_D, "lines": usual.lines_D}
    about = {"of": of, **asdict(usual.repetition), "nats": usual.nats, "whole": usual.whole}
    write_tensors(folder / REFERENCE, tensors, about)


def read(folder: Path, of: str) -> Usual | None:
    """Read it; None: it is not there, or of other weights.

    Raises:
        RunError: it is damaged.
    """

    def make(about: dict[str, Any], layout: Layout) -> _InFile:
        _, shape = layout.get("means", ("", ()))
        kinds = {"lengths": "I64", "means": "F64", "lines": "I64"}
        if len(shape) != 1 or layout != {name: (kind, shape) for name, kind in kinds.items()}:
            raise UsageError("damaged or foreign: not as microgpt writes it.")
        return schema.convert(_InFile, about)

    path = folder / REFERENCE
    if not path.exists():
        return None
    notes, found = read_tensors(path, make)
    if notes.of != of:
        return None
    repetition = Repetition(notes.lines, notes.once, notes.twice)
    usual = Usual(
        found["lengths"], found["means"], found["lines"], repetition, notes.nats, notes.whole
    )
    if not _is_sound(usual):
        raise RunError(f"{path}: damaged or foreign: not as microgpt writes it.")
    return usual


@dataclass(frozen=True)
class _InFile:
    """What stands in the header beside the tensors."""

    of: str
    lines: int
    once: int
    twice: int
    nats: float
    whole: bool


def _is_sound(usual: Usual) -> bool:
    """Say whether the numbers can be what was measured."""
    lengths_D, means_D, lines_D = usual.lengths_D, usual.means_D, usual.lines_D
    repetition = usual.repetition
    return (
        len(means_D) > 0
        and bool((lengths_D >= 0).all() and (lines_D >= 0).all() and np.isfinite(means_D).all())
        and 0 <= repetition.once <= repetition.lines
        and 0 <= 2 * repetition.twice <= repetition.lines - repetition.once
        and (repetition.once > 0 or bool(lines_D.all()))
        and (repetition.once < repetition.lines) == bool(lines_D.any())
    )
