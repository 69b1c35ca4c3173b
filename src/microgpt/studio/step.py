"""The view of one step: forward, loss, backward, update, on a copy of a run's model in memory.

In: a document, a learning rate. Out: the numbers of each phase; the losses of many updates, as
events. The run on the disk is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.routing import Route

from microgpt.data.tokenizer.shown import symbols
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.runs.run import Run
from microgpt.studio.answers import answering, streaming
from microgpt.studio.copies import LONGEST, Copies
from microgpt.studio.library import Library
from microgpt.wording import level

COLUMNS = 40
"""The most tokens whose gradients are shown."""

MOST = 1_000
"""The most updates at once."""

BINS = 20
"""The bars of the histogram of changes."""


@dataclass(frozen=True)
class StepAsked:
    """A question of one page about its copy of a model.

    Attributes:
        page: a random name that the page gave itself.
        run: whose model.
        text: the document; None: one of the run's.
        lr: the learning rate of an update; None: the run's own.
        again: whether to begin with a fresh copy.
    """

    page: str
    run: str
    text: str | None = None
    lr: float | None = None
    again: bool = False


@dataclass(frozen=True)
class ManyAsked:
    """A request for many updates.

    Attributes:
        page, run, text, lr: as in `StepAsked`.
        times: how many updates.
        own: whether to train on the run's documents, in the order of its training; else on this
            document, each time.
    """

    page: str
    run: str
    text: str
    lr: float
    times: int
    own: bool = False


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    copies = Copies(library)
    return [
        answering("/api/step/look", StepAsked, lambda asked: look(copies, asked)),
        answering("/api/step/update", StepAsked, lambda asked: update(copies, asked)),
        streaming("/api/step/many", ManyAsked, lambda asked: many(copies, asked)),
    ]


def look(copies: Copies, asked: StepAsked) -> dict[str, Any]:
    """Compute forward, loss and backward of a document."""
    copy = copies.get(asked.page, asked.run, fresh=asked.again)
    text = copy.text if asked.text is None else _checked(asked.text)
    settings, names = copy.run.settings, symbols(copy.run.tokenizer)
    with copy.lock:
        batch = copy.step.batch(text)
        found = copy.step.forward(batch)
        matrices = copy.step.gradients(batch)
    targets: list[int] = batch.targets_N.tolist()
    columns_K = _columns(found.d_logits_NV)
    likely_NK = np.argsort(-found.p_NV, axis=1, kind="stable")[:, :5]
    return {
        "text": text,
        "made": copy.step.made,
        "lr": settings.training.lr,
        "objective": settings.training.loss,
        "others": {"what": copy.what, "count": len(copy.texts)},
        "mixed": copy.run.mixture is not None,
        "loss": found.loss,
        "positions": [
            {
                "symbol": names[target], "nats": nats, "p": float(p_V[target]),
                "level": level(nats), "unknown": False,
                "likely": [(names[k], float(p_V[k])) for k in likely_K],
            }
            for target, nats, p_V, likely_K in zip(
                targets, found.losses_N.tolist(), found.p_NV, likely_NK.tolist()
            )
        ],
        "columns": [names[k] for k in columns_K],
        "all_columns": len(names),
        "d_logits": found.d_logits_NV[:, columns_K].tolist(),
        "matrices": matrices,
    }  # fmt: skip


def update(copies: Copies, asked: StepAsked) -> dict[str, Any]:
    """Make one update on a document."""
    copy = copies.get(asked.page, asked.run)
    text, lr = _checked(asked.text or ""), _rate(asked.lr, copy.run)
    with copy.lock:
        found = copy.step.update(copy.step.batch(text), lr)
    change_D = found.others_after - found.others_before
    order = np.argsort(-np.abs(change_D), kind="stable")[:5].tolist()
    around_0 = min(0.0, float(change_D.min())), max(0.0, float(change_D.max()))
    count_B, edges = np.histogram(change_D, BINS, around_0)
    return {
        "made": copy.step.made,
        "lr": lr,
        "matrices": found.moved,
        "before": found.before,
        "after": found.after,
        "others": {
            "what": copy.what, "count": len(change_D),
            "before": float(found.others_before.mean()), "after": float(found.others_after.mean()),
            "fell": int((change_D < 0).sum()), "rose": int((change_D > 0).sum()),
            "changes": [*zip(edges[:-1].tolist(), edges[1:].tolist(), count_B.tolist())],
            "most": [
                {"text": copy.texts[d], "before": float(found.others_before[d]),
                 "after": float(found.others_after[d])}
                for d in order
            ],
        },
    }  # fmt: skip


def many(copies: Copies, asked: ManyAsked) -> Iterator[Any]:
    """Make many updates; yield the losses as they go."""
    if not 1 <= asked.times <= MOST:
        raise UsageError(f"times must be a whole number from 1 to {MOST:,}; got {asked.times}.")
    copy = copies.get(asked.page, asked.run)
    text, lr = _checked(asked.text), _rate(asked.lr, copy.run)
    plan = copy.plan if asked.own else None
    with copy.lock:
        yield from copy.step.again(copy.step.batch(text), lr, asked.times, plan)


def _checked(text: str) -> str:
    if len(text) > LONGEST:
        raise UsageError(f"the document must have at most {LONGEST} characters; got {len(text)}.")
    return text


def _rate(lr: float | None, run: Run) -> float:
    lr = run.settings.training.lr if lr is None else lr
    if not 0.0 < lr <= 1.0:
        raise UsageError(f"lr must be above 0 and at most 1; got {lr:g}.")
    return lr


def _columns(d_logits_NV: Floats) -> list[int]:
    """Return the tokens whose logits get the largest gradients, in the order of their ids."""
    order = np.argsort(-np.abs(d_logits_NV).max(axis=0), kind="stable")[:COLUMNS]
    return sorted(order.tolist())
