"""The GPT of a run for other libraries, without the counts that it may be mixed with.

In: a run. Out: its matrices by name, its own loss on documents, and notes for a file's header.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microgpt
from microgpt import model
from microgpt.config import GPTConfig
from microgpt.counting.ladder import Ladder
from microgpt.data.tokenizer import BPE, Tokenizer
from microgpt.errors import DataError, RunError
from microgpt.loss import LossSum
from microgpt.runs.evaluation_set import EvaluationSet, evaluation_set
from microgpt.runs.run import Run
from microgpt.scoring.price import Pricer

# The settings that the forward pass reads; the others are of the initial values.
_SHAPE = (
    "vocab_size", "block_size", "n_layer", "n_head", "n_embd", "activation", "position", "qk_norm",
    "final_norm",
)  # fmt: skip


def shape(config: GPTConfig) -> dict[str, Any]:
    """Return all that the forward pass depends on beside the matrices.

    >>> shape(GPTConfig(vocab_size=27))["block_size"]
    16
    """
    values = dataclasses.asdict(config)
    return {
        **{name: values[name] for name in _SHAPE},
        "epsilon": model.RMSNORM_EPSILON,
        "rotary_base": model.ROTARY_BASE,
    }


def matrices(run: Run) -> dict[str, NDArray[np.float32]]:
    """Return the GPT's matrices by name, each (out, in), in float32.

    Raises:
        UsageError: the run is an ensemble.
    """
    run.check_single("a file of one GPT")
    return model.views(run.engine.state().parameters.astype("<f4"), run.settings.model)


@dataclass(frozen=True)
class OwnLoss:
    """The loss of a run's GPT alone on documents.

    Attributes:
        sum: of the losses; None: the documents are missing.
        on: the documents; None: they are missing.
        why: why they are, a sentence; else "".
    """

    sum: LossSum | None
    on: EvaluationSet | None
    why: str = ""


def own_loss(run: Run) -> OwnLoss:
    """Measure the GPT of a run on its held-out documents, or else on some it was trained on."""
    try:
        on = evaluation_set(run, None, None)
    except (DataError, RunError) as error:
        return OwnLoss(None, None, str(error))
    pricer = Pricer(run.gpt, run.tokenizer, run.settings.model.block_size)
    return OwnLoss(pricer.total(on.texts), on)


def own_ladder(run: Run, loss: OwnLoss) -> Ladder | None:
    """Return the GPT alone beside models that only count; None: its loss is not known."""
    if not loss.sum or not loss.on:
        return None
    on, found, why = loss.on, dict[str, LossSum](), ""
    try:
        found = run.baselines(on.texts, seen=on.seen)
    except (DataError, RunError) as error:
        why = str(error)
    n = run.ngram.n if "ngram" in found else 0
    return Ladder(on.words, found, loss.sum, n, why=why)


def without_path(tokenizer: Tokenizer) -> Tokenizer:
    """Return a tokenizer that names the file it was made of, if it was, without its folder."""
    if isinstance(tokenizer, BPE):
        return dataclasses.replace(tokenizer, asked_as=Path(tokenizer.asked_as).name)
    return tokenizer


def notes(run: Run, loss: OwnLoss) -> dict[str, Any]:
    """Return what a file with the matrices needs to be used: a JSON object."""
    measured = None
    if loss.sum and loss.on:
        measured = {
            "nats_per_position": loss.sum.mean,
            "positions": loss.sum.positions,
            "documents": loss.on.words,
        }
    return {
        "version": microgpt.__version__,
        "config": shape(run.settings.model),
        "bos": run.tokenizer.bos,
        "tokenizer": without_path(run.tokenizer).to_json(),
        "loss": measured,
    }
