"""What is measured at the end of a training, for the tables of `microgpt why IDEA --train`.

In: an attempt, trained. Out: by the label of a row and the heading of a column, a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from microgpt.counting import ladder
from microgpt.loss import LN_2
from microgpt.sampling import Choice, take
from microgpt.training.heldout import HeldOut

if TYPE_CHECKING:
    from microgpt.experiment.attempt import Attempt

Rows = dict[str, dict[str, float]]
"""Numbers by the label of their row and the heading of their column."""

Measure = Callable[["Attempt"], Rows]

TEMPERATURES = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0)
SAMPLES = 1000
MARKS = (1, 10, 100)


def losses(end: Attempt) -> Rows:
    """Return the loss of step 1, and at the end on documents trained on and on held-out ones."""
    mean = end.mean
    return {
        end.label: {
            "step 1": end.loss_K[0],
            "training": mean(end.trained_on),
            "held out": mean(end.held_out),
        }
    }


def in_bytes(end: Attempt) -> Rows:
    """Return the held-out loss in nats a token and in bits a byte: tokenizers differ in tokens."""
    found: HeldOut = end.documents.measure(end.engine, None, 0, end.positions)
    n_bytes = found.n_bytes or found.sum.positions
    return {
        end.label: {
            "ids": end.task.model.vocab_size,
            "bytes a token": n_bytes / found.sum.positions,
            "held out": found.sum.mean,
            "bits a byte": found.sum.nats / LN_2 / n_bytes,
        }
    }


def with_the_mask_too(end: Attempt) -> Rows:
    """Return the losses as it was trained, and the held-out loss of the same numbers as a GPT."""
    gpt = end.opened_unchanged()
    return {
        **losses(end),
        f"{end.label}, measured with it": {"held out": end.mean(end.held_out, gpt)},
    }


def at_temperatures(end: Attempt) -> Rows:
    """Return for each temperature the samples' loss under the model, known and distinct shares."""
    task, known, rows = end.task, set(end.task.dataset.train_documents), Rows()
    for temperature in TEMPERATURES:
        choice = Choice(temperature=temperature, seed=task.training.seed)
        drawn = take(end.engine, task.tokenizer, task.model.block_size, choice, SAMPLES)
        texts = [sample.text for sample in drawn]
        nats, positions = (
            math.fsum(x) for x in zip(*((s.sum.nats, s.sum.positions) for s in drawn))
        )
        rows[f"temperature {temperature:g}"] = {
            "loss": nats / positions,
            "in the data": sum(text in known for text in texts) / SAMPLES,
            "distinct": len(set(texts)) / SAMPLES,
        }
    return rows


def beside_counts(end: Attempt) -> Rows:
    """Return the losses, and the held-out loss of n-grams of the same documents."""
    counts = ladder.ngram(end.plan.data, end.task.tokenizer)
    rows = losses(end)
    rows[end.label]["n-grams"] = end.mean(end.held_out, counts)
    return rows


def along(end: Attempt) -> Rows:
    """Return the training loss of a few steps, and the milliseconds of a step."""
    steps = {f"step {step}": end.loss_K[step - 1] for step in MARKS if step <= len(end.loss_K)}
    return {end.label: {**steps, "ms a step": 1000 * end.seconds}}
