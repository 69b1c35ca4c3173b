"""The recipe of a training without a preset: the default one, or one chosen for a budget in
seconds.

In: the documents, the training's settings, an engine's name. Out: a preset's name; or a recipe that
`budget` chooses, for which this machine's speed is measured for a moment.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from microgpt.config import GPTConfig, MixtureName, TrainConfig
from microgpt.data import batch
from microgpt.data.batch import Batch
from microgpt.data.tokenizer import encode_all
from microgpt.engines import about
from microgpt.engines.machine import processors
from microgpt.training import budget
from microgpt.training.presets import MODERN
from microgpt.training.task import Dataset, open_for

CHOSEN = "chosen"
"""The preset's name of a run whose recipe was chosen for a budget in seconds."""


def default(engine: str) -> str:
    """Return the default preset's name: the original for a slow engine, else micro.

    >>> default("scalar")
    'microgpt'
    """
    return "micro" if about(engine).is_fast else "microgpt"


def choose(
    dataset: Dataset,
    training: TrainConfig,
    engine: str,
    threads: int | None,
    device: str | None,
    *,
    is_set: bool = False,
    mixture: MixtureName | None = None,
) -> tuple[budget.ChosenRecipe, float]:
    """Measure this machine's speed on these documents and choose a recipe.

    Args:
        dataset: the documents.
        training: the settings so far.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.
        is_set: whether the number of models is given, and not to be chosen.
        mixture: of the GPTs and counts; None: it is chosen, too.

    Returns:
        The recipe, and the seconds that measuring took.
    """
    documents, tokens = dataset.train_documents, dataset.tokenizer
    seconds = training.seconds or 0.0
    few = [text[:512] for text in documents[:128]]
    data = batch.lay_out(encode_all(tokens, few), tokens.bos, 32).batch
    began = time.perf_counter()

    def speed(width: int, layers: int, sample: Batch, models: int) -> float:
        config = GPTConfig(
            vocab_size=tokens.vocab_size, block_size=32, n_embd=width, n_layer=layers, **MODERN
        )
        own = replace(training, models=models)
        opened = open_for(engine, config, own, threads, device)
        return budget.speed(opened, config, sample, min(0.01 * seconds, 0.1))

    models = training.models
    each = speed(16, 1, data.head(1), models)
    # The larger model would take the scalar engine too long.
    if each >= 1e9:
        each = speed(64, 4, data, models)
        if (
            models == 1
            and not is_set
            and each * seconds >= budget.TWO
            and _halves(engine, threads, device)
        ):
            models, each = 2, speed(64, 4, data, 2)
    spent = time.perf_counter() - began
    work = each * seconds
    lengths = np.diff(dataset.encoded.offsets)
    choice = budget.choose(work, lengths, tokens.vocab_size, models, mixture)
    rate = f"{each / 1e9:.3g} GFLOP/s{' for each GPT' if models > 1 else ''}"
    why = f"At {rate}, {seconds:g} s are {choice.why}"
    return replace(choice, why=why), spent


def _halves(engine: str, threads: int | None, device: str | None) -> bool:
    """Return whether two models can have half of the processors each."""
    if device not in (None, "cpu"):
        return False
    return about(engine).is_concurrent and (threads or processors()) >= 2
