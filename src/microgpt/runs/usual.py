"""What is usual for a run, in its folder: judging new texts does not need the training data.

In: an engine and the documents. Out: what usual texts cost, in `reference.safetensors`, bound to
the weights it was measured with. A file of other weights, as an earlier part of a training leaves
it, is as good as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import schema
from microgpt.counting.mixture import Mixture
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Engine, Floats, Predictor
from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.runs.checkpoint import REFERENCE
from microgpt.runs.files import Layout, read_tensors, write_tensors
from microgpt.runs.settings import Settings
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Ints, Reference
from microgpt.scoring.repetition import MOST, Repetition, choose, one_fewer, weights

# Texts priced at once: their losses at every position are held.
_TEXTS = 8192


@dataclass(frozen=True, eq=False)
class Usual:
    """What usual texts cost.

    Attributes:
        lengths_D: in characters.
        means_D: nats per position.
        lines_D: how many lines of the file each stands for; 0: it is new (see `repetition`).
        repetition: of the file.
        nats: per position, over all they stand for.
        whole: whether these are as many as can be.
    """

    lengths_D: Ints
    means_D: Floats
    lines_D: Ints
    repetition: Repetition
    nats: float
    whole: bool

    @property
    def reference(self) -> Reference:
        """The same, sorted, to hold others against."""
        return Reference(self.lengths_D, self.means_D, self.lines_D, self.repetition)


Documents = tuple[Sequence[str], Sequence[str]]
"""Those trained on, and those held out."""


def measure(
    predictor: Predictor,
    tokens: Tokenizer,
    settings: Settings,
    documents: Documents,
    positions: int | None = None,
) -> Usual | None:
    """Price the texts that tell what is usual; None: no documents were held out.

    Args:
        predictor: the model.
        tokens: its tokenizer.
        settings: the run's.
        documents: the run's.
        positions: about so many are priced, at most, of new texts and of those that repeat; None:
            of 50,000 texts.
    """
    trained, held_out = documents
    # What is held out of a stream is the end of one text.
    if not held_out or settings.source.stream:
        return None
    most = MOST
    if positions is not None:
        characters = sum(map(len, held_out)) + len(held_out)
        most = min(most, max(positions * len(held_out) // characters, 1))
    chosen = choose(trained, held_out, settings.training.seed, most)
    pricer = Pricer(predictor, tokens, settings.model.block_size)
    groups = [chosen.texts[i : i + _TEXTS] for i in range(0, len(chosen.texts), _TEXTS)]
    priced = [
        (one.laid.lengths_D, one.nats_D, one.positions_D) for one in map(pricer.price, groups)
    ]
    lengths_D, nats_D, positions_D = map(np.concatenate, zip(*priced))
    weights_D = weights(chosen.lines_D, chosen.repetition)
    return Usual(
        lengths_D,
        one_fewer(nats_D / positions_D, chosen.learnt_D),
        chosen.lines_D,
        chosen.repetition,
        float((weights_D * nats_D).sum() / (weights_D * positions_D).sum()),
        chosen.whole,
    )


def keep(
    folder: Path,
    predictor: Predictor,
    of: str,
    tokens: Tokenizer,
    settings: Settings,
    documents: Documents,
    positions: int,
) -> None:
    """Measure what is usual, and write it into a run's folder.

    Args:
        folder: the run's.
        predictor: the model.
        of: its fingerprint.
        tokens: its tokenizer.
        settings: the run's.
        documents: the run's.
        positions: as in `measure`.
    """
    found = measure(predictor, tokens, settings, documents, positions)
    if found:
        write(folder, found, of)


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
        measured = measure(predictor, tokens, settings, documents())
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

    def make(about: dict[str, Any], layout: Layout) -> _Notes:
        _, shape = layout.get("means", ("", ()))
        kinds = {"lengths": "I64", "means": "F64", "lines": "I64"}
        if len(shape) != 1 or layout != {name: (kind, shape) for name, kind in kinds.items()}:
            raise UsageError("damaged or foreign: not as microgpt writes it.")
        return schema.convert(_Notes, about)

    path = folder / REFERENCE
    if not path.exists():
        return None
    notes, found = read_tensors(path, make)
    if notes.of != of:
        return None
    told = Repetition(notes.lines, notes.once, notes.twice)
    usual = Usual(found["lengths"], found["means"], found["lines"], told, notes.nats, notes.whole)
    if not _is_sound(usual):
        raise RunError(f"{path}: damaged or foreign: not as microgpt writes it.")
    return usual


@dataclass(frozen=True)
class _Notes:
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
    told = usual.repetition
    return (
        len(means_D) > 0
        and bool((lengths_D >= 0).all() and (lines_D >= 0).all() and np.isfinite(means_D).all())
        and 0 <= told.once <= told.lines
        and 0 <= 2 * told.twice <= told.lines - told.once
        and (told.once > 0 or bool(lines_D.all()))
        and (told.once < told.lines) == bool(lines_D.any())
    )
