"""The first GPT of an ensemble as a run of its own: for what can look at one GPT alone.

In: a run. Out: a run of one GPT, with the same folder, documents and counts; nothing is written.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from microgpt.engines.contract import State
from microgpt.model import size
from microgpt.runs.run import Run
from microgpt.runs.usual import Usual
from microgpt.training.progress import Checkpoint


class FirstGPT(Run):
    """The first GPT of a run whose model is an ensemble.

    Its log, and the weight of the counts, are the ensemble's.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run.folder, *run.computes_with)
        self.settings = replace(run.settings, training=replace(run.settings.training, models=1))
        self._of = run

    @cached_property
    def _saved(self) -> Checkpoint:
        saved, stop = self._of._saved, size(self.settings.model)
        slots = {name: buffer[:stop] for name, buffer in saved.state.slots.items()}
        state = State(saved.state.parameters[:stop], slots, saved.state.updates)
        return replace(saved, state=state, best=None)

    @cached_property
    def usual(self) -> Usual | None:
        """None: the losses of held-out documents in the folder are the ensemble's."""
        return None


def first_of(run: Run) -> Run:
    """Return the first GPT of a run's ensemble; a run of one GPT is returned as it is."""
    return FirstGPT(run) if run.settings.training.models > 1 else run


def which(run: Run) -> str:
    """Say which GPT of an ensemble `first_of` returns, a sentence; "" for a run of one GPT."""
    models = run.settings.training.models
    return f"this is the first of the {models} GPTs of {run.folder}." if models > 1 else ""
