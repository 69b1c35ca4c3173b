"""A run as a notebook displays it: its settings and its learning curve.

In: a run's settings and log. Out: HTML.
"""

from __future__ import annotations

from pathlib import Path

from microgpt import html, model
from microgpt.counting.ladder import uniform
from microgpt.counting.named import counts_of, kind_of
from microgpt.html import charts
from microgpt.runs.learning import Learning
from microgpt.runs.log import Log
from microgpt.runs.settings import Settings
from microgpt.wording import name_of, printable


def shown(folder: Path, settings: Settings, log: Log, unit: str) -> str:
    """Return the HTML of a run; it only reads the log, so that it is displayed at once."""
    learning, n = Learning.of(log), settings.training.ngram
    is_several = settings.training.mixture == "log-linear"
    mixed_with = counts_of(n, unit, several=is_several) if n else ""
    blind = [(name_of("uniform", 0), uniform(settings.model.vocab_size))]
    curve = charts.learning_curve(learning.training, learning.held_out, blind, learning.mixed)
    return html.fragment(
        "run",
        name=printable(str(folder)),
        kind=kind_of(settings.training.models, mixed_with),
        shape=settings.model,
        parameters=settings.training.models * model.size(settings.model),
        updates=log.steps,
        curve=curve,
        learning=learning,
        alone=bool(n),
    )
