"""The recipe of a training without a preset: the default one, or one chosen for a budget in
seconds.

In: the documents, the training's settings, an engine's name. Out: a preset's name; or a recipe that
`budget` chooses, for which this machine's speed is measured for a moment.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import batch
from microgpt.data.tokenizer import encode_all
from microgpt.engines import about
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
) -> tuple[budget.ChosenRecipe, float]:
    """Measure this machine's speed on these documents and choose a recipe.

    Returns:
        The recipe, and the seconds that measuring took.
    """
    documents, tokens = dataset.train_documents, dataset.tokenizer
    seconds = training.seconds or 0.0
    few = [text[:512] for text in documents[:128]]
    data = batch.lay_out(encode_all(tokens, few), tokens.bos, 32).batch
    began = time.perf_counter()
    for width, layers, sample in ((16, 1, data.head(1)), (64, 4, data)):
        config = GPTConfig(
            vocab_size=tokens.vocab_size, block_size=32, n_embd=width, n_layer=layers, **MODERN
        )
        opened = open_for(engine, config, training, threads, device)
        speed = budget.speed(opened, config, sample, min(0.01 * seconds, 0.1))
        # The larger model would take the scalar engine too long.
        if speed < 1e9:
            break
    spent = time.perf_counter() - began
    work = speed * seconds
    lengths = np.diff(dataset.encoded.offsets)
    choice = budget.choose(work, lengths, tokens.vocab_size)
    why = f"At {speed / 1e9:.3g} GFLOP/s, {seconds:g} s are {choice.why}"
    return replace(choice, why=why), spent
