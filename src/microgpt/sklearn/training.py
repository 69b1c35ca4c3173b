"""The training of an estimator: in memory, with a seed drawn as scikit-learn draws it.

In: texts and settings. Out: a run, the training texts and the held-out ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from microgpt.errors import TrainingWarning
from microgpt.runs import prepared
from microgpt.runs.memory import MemoryRun
from microgpt.training import verdict


def trained(
    texts: list[str], preset: str | None, settings: Mapping[str, Any]
) -> tuple[MemoryRun, list[str], list[str]]:
    """Train; return the run, the training texts and the held-out ones."""
    made = prepared.in_memory(texts, preset_name=preset, **settings)
    run, dataset = MemoryRun(made), made.trainer.task.dataset
    made.corpus.warn(stacklevel=3)
    if said := verdict.divergence(made.trainer, made.settings.asked):
        warnings.warn(said, TrainingWarning, stacklevel=3)
    held_out, share = list(dataset.heldout_documents), made.settings.training.holdout
    if share and not held_out:
        warnings.warn(
            f"none of {len(texts):,} texts fell into holdout={share:g}: the threshold of predict "
            "is taken from those trained on, which the model prices too well. Try more texts, or "
            "a larger holdout.",
            stacklevel=3,
        )
    return run, list(dataset.train_documents), held_out


def seed_of(random_state: Any) -> int:
    """Return an integer unchanged; else draw one from the generator, or from numpy's global one."""
    from sklearn.utils import check_random_state  # pyright: ignore

    if isinstance(random_state, (int, np.integer)):
        return int(cast("int", random_state))
    return int(check_random_state(random_state).randint(2**31 - 1))
