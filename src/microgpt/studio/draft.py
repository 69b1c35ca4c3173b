"""A draft: a training in memory, by the loop that `microgpt train` has, shown while it goes on.

In: a text that is ready, and settings. Out: events for the page, dictionaries of one key each:
"begun", "curve", "ended", "look".
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from microgpt import model
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.alike import among
from microgpt.errors import DivergedError, UsageError
from microgpt.runs.prepared import by_config
from microgpt.sampling import Choice, take
from microgpt.studio.datasets import HELD_OUT, ReadyText, TextAsked
from microgpt.studio.thinned import Thinned, bins
from microgpt.training.loop import Steps
from microgpt.training.presets import preset
from microgpt.training.task import Task
from microgpt.training.trainer import Trainer
from microgpt.training.verdict import divergence

MOST_PARAMETERS = 5_000_000
"""Of a draft: drawing more initial values takes longer than anybody watches a page."""

SAMPLES = 8
_MATRICES = 50
_SEND_SECONDS = 0.03
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class DraftAsked(TextAsked):
    """A training that the page asks for; what is None is as in the preset.

    Attributes:
        tab: whose; of each tab one draft trains at a time.
        goes_on: whether to go on with the same draft where it was stopped, if it is still there.
    """

    tab: str
    n_embd: int | None = None
    n_layer: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    loss: str | None = None
    seed: int | None = None
    steps: int | None = None
    seconds: float | None = None
    goes_on: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What differs from the preset, by name.

        Muon's learning rate keeps its ratio to the other one.
        """
        names = ("n_embd", "n_layer", "lr", "batch_size", "loss", "seed", "steps", "seconds")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        usual = TrainConfig(**preset(self.preset).training)
        if usual.optimizer == "muon" and self.lr is not None:
            given["muon_lr"] = usual.muon_lr * self.lr / usual.lr
        return {"holdout": HELD_OUT, **given}

    def configs(self, vocab_size: int) -> tuple[GPTConfig, TrainConfig]:
        """Return the settings of the model and of its training.

        Raises:
            UsageError: a value outside its domain.
        """
        begin, (shape, how) = preset(self.preset), by_config(self.settings)
        changed: dict[str, Any] = {"long": self.long, **how}
        training = TrainConfig(**{**begin.training, **changed})
        config = GPTConfig(vocab_size=vocab_size, **{**begin.model, **shape})
        if (size := model.size(config)) > MOST_PARAMETERS:
            raise UsageError(
                f"a model on this page must have at most {MOST_PARAMETERS:,} parameters; "
                f"got {size:,}. In a terminal, microgpt train takes larger ones."
            )
        return config, training


class Draft:
    """A training in memory.

    Args:
        asked: its settings.
        ready: its text.

    Attributes:
        asked: the same.
        trainer: the training.
    """

    def __init__(self, asked: DraftAsked, ready: ReadyText) -> None:
        self.asked, self._ready = asked, ready
        dataset = ready.dataset
        task = Task(dataset, *asked.configs(dataset.tokenizer.vocab_size))
        engine = task.open("auto")
        engine.load(task.first_state())
        task.prepare()
        self.trainer, self._thinned = Trainer(task, engine), Thinned(task.training)
        self._positions = 0

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Train from where it stands, and yield what to show; a training that diverges ends.

        None: nothing is to be shown yet. Between two events the engine does not compute.
        """
        yield {"begun": self._begun()}
        warning = None
        heldout: list[tuple[int, float]] = []
        sent = looked = time.perf_counter()
        try:
            for event in self.trainer:
                if isinstance(event, Steps):
                    self._thinned.add(event)
                    self._positions += int(event.sums.positions_K.sum())
                else:
                    heldout.append((event.step, event.own.mean))
                if (now := time.perf_counter()) - sent > _SEND_SECONDS:
                    yield self._curve(heldout)
                    sent, heldout = now, []
                if now - looked > _LOOK_SECONDS and self.trainer.is_settled:
                    yield {"look": self._look()}
                    looked = time.perf_counter()
                yield None
            self.trainer.check()
            warning = divergence(self.trainer)
        except DivergedError as error:
            warning = str(error)
            yield self._curve(heldout, ended=True)
            yield {"ended": {"loss": None, "held_out": False, "warning": warning}}
            return
        yield self._curve(heldout, ended=True)
        yield {"ended": {**self._result(), "warning": warning}}
        yield {"look": self._look()}

    def _begun(self) -> dict[str, Any]:
        task, data = self.trainer.task, self._ready.dataset
        return {
            "from": self.trainer.updates,
            "steps": task.training.steps,
            "parameters": model.size(task.model),
            "lr": task.training.lr,
            "muon_lr": task.training.muon_lr if task.training.optimizer == "muon" else None,
            "documents": len(data.train_documents),
            "held_out": len(data.heldout_documents),
            "unit": data.tokenizer.unit,
            "block_size": task.model.block_size,
            "cut": task.layout.dropped,
            "notes": self._ready.corpus.notes,
        }

    def _curve(self, heldout: list[tuple[int, float]], *, ended: bool = False) -> dict[str, Any]:
        """Return the points since the last ones, and where the training stands."""
        at = self.trainer.at
        stands = None
        if at:
            seconds = max(at.seconds, 1e-9)
            stands = {
                "step": at.step,
                "lr": at.lr,
                "seconds": at.seconds,
                "steps_a_second": at.step / seconds,
                "positions_a_second": self._positions / seconds,
            }
        points = self._thinned.taken(ended=ended)
        return {"curve": {"points": points, "held_out": heldout, "at": stands}}

    def _result(self) -> dict[str, Any]:
        last = self.trainer.last_heldout
        if not last:
            return {"loss": self.trainer.tail.sum.mean, "held_out": False}
        error = last.error if math.isfinite(last.error) else None
        return {"loss": last.own.mean, "held_out": True, "error": error, "kept": last.kept}

    def _look(self) -> dict[str, Any]:
        """Return samples, and histograms of each matrix and of its gradients."""
        trainer, task = self.trainer, self.trainer.task
        choice = Choice(seed=task.training.seed)
        drawn = take(trainer.engine, task.tokenizer, task.model.block_size, choice, SAMPLES)
        texts = [sample.text for sample in drawn]
        seen = among(texts, task.dataset.train_documents)
        following = task.plan.batches(trainer.updates, 1)
        gradients = trainer.engine.gradients(following)
        weights = model.views(trainer.engine.state().parameters, task.model)
        return {
            "step": trainer.updates,
            "samples": [*zip(texts, seen)],
            "matrices": [
                {
                    "name": name,
                    "shape": weights[name].shape,
                    "weights": bins(weights[name]),
                    "gradients": bins(gradients[name] / following.positions),
                }
                for name in [*weights][:_MATRICES]
            ],
        }
