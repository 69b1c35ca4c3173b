"""The losses of a run's held-out documents, stored in its folder: the reference for new texts.

In: a model and its documents. Out: a `Usual`, in `reference.safetensors`, so that judging new texts
does not need the documents. The file has the fingerprint of the parameters it was measured with:
one with another fingerprint, from before the training was resumed, is ignored.
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
from microgpt.counting.fitted import Fitted
from microgpt.counting.mixture import Mixture
from microgpt.data.alike import Alike
from microgpt.data.decoded import sampled
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
    """Measure the losses of the held-out documents at a training's end.

    Args:
        trainer: the training.
        settings: the run's.

    Returns:
        None: no lines were held out.
    """
    task = trainer.task
    return _measured(
        trainer.predictor,
        task.tokenizer,
        settings,
        task.dataset.judged,
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
    """Read the losses of the held-out documents, or measure them; None: no document was held out.

    Args:
        folder: the run's; measured losses are written to it, if it can be written to.
        predictor: the model.
        of: the fingerprint of its parameters.
        tokens: its tokenizer.
        settings: the run's.
        documents: reads the training documents and the held-out ones.

    Raises:
        RunError, DataError: the file is missing or damaged, and the documents are missing too.
    """
    if not is_expected(settings):
        return None
    found, damaged = None, None
    try:
        found = read(folder, of)
    except RunError as error:
        damaged = error
    if found and found.whole:
        return found
    try:
        measured = _measured(predictor, tokens, settings, sampled(documents()))
    except MicroGPTError:
        if damaged:
            raise damaged from None
        if not found:
            raise
        return found
    if measured:
        with suppress(OSError):  # the folder may be read-only
            write(folder, measured, of)
    return measured


def kept(folder: Path, of: str, settings: Settings) -> Usual | None:
    """Read the losses of the held-out documents as they are in the folder; None: it has none.

    Raises:
        RunError: the file is damaged.
    """
    return read(folder, of) if is_expected(settings) else None


def is_expected(settings: Settings) -> bool:
    """Return whether a run has held-out documents to judge by: a stream's are one text."""
    return bool(settings.training.holdout) and not settings.source.stream


def _measured(
    predictor: Predictor,
    tokens: Tokenizer,
    settings: Settings,
    documents: Documents,
    positions: int | None = None,
    alike: Alike | None = None,
) -> Usual | None:
    if not documents[1] or settings.source.stream:
        return None
    pricer = Pricer(predictor, tokens, settings.model.block_size)
    return measure(pricer, documents, settings.training.seed, positions, alike)


def fingerprint(engine: Engine, mixture: Mixture | None) -> str:
    """Return a hash of a model's parameters, and of the weights in a mixture.

    Parameters are rounded to float32, so that engines of either precision have the same
    fingerprint.
    """
    with np.errstate(over="ignore"):  # parameters of a diverged training may overflow
        parameters = engine.state().parameters.astype("<f4")
    digest = hashlib.blake2b(parameters.tobytes(), digest_size=16)
    fitted = mixture.fitted if mixture else Fitted()
    digest.update(repr(fitted.weight).encode())
    digest.update(fitted.tables)
    return digest.hexdigest()


def write(folder: Path, usual: Usual, of: str) -> None:
    """Write the losses into a run's folder.

    Args:
        folder: the run's.
        usual: the losses.
        of: the fingerprint of the parameters.
    """
    tensors = {"lengths": usual.lengths_D, "means": usual.means_D, "lines": usual.lines_D}
    about = {"of": of, **asdict(usual.repetition), "nats": usual.nats, "whole": usual.whole}
    write_tensors(folder / REFERENCE, tensors, about)


def read(folder: Path, of: str) -> Usual | None:
    """Read the losses; None: there is no file, or it is of other parameters.

    Raises:
        RunError: the file is damaged.
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
    """The header of the file, beside its tensors."""

    of: str
    lines: int
    once: int
    twice: int
    nats: float
    whole: bool


def _is_sound(usual: Usual) -> bool:
    """Return whether the numbers are in the ranges that `measure` can return."""
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
