"""Which recipe a training takes that was not told one.

In: what a person said, the documents, an engine's name. Out: a preset's name, or, where there are
seconds to be kept, what `budget` chooses for this machine, which is measured for a moment.
"""

from __future__ import annotations

import time
from dataclasses import replace

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import batch
from microgpt.data.tokenizer import Bytes, encode_all
from microgpt.engines import about
from microgpt.training import budget
from microgpt.training.presets import MODERN
from microgpt.training.task import Dataset, open_for

CHOSEN = "chosen"
"""In place of a preset's name: the recipe was chosen for the seconds there were."""


def default(engine: str) -> str:
    """Return the preset of a training that was told none: on the slow engine the original."""
    return "micro" if is_fast(engine) else "microgpt"


def is_fast(engine: str) -> bool:
    """Say whether an engine's name, or "auto", stands for one that trains in seconds."""
    return about(engine).is_fast


def choose(
    dataset: Dataset,
    training: TrainConfig,
    engine: str,
    threads: int | None,
    device: str | None,
) -> tuple[budget.ChosenRecipe, float]:
    """Measure this machine for a moment, on these documents, and choose; return what that took."""
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
        # The scalar engine would still be at it.
        if speed < 1e9:
            break
    spent = time.perf_counter() - began
    work = speed * seconds
    is_bytes = isinstance(tokens, Bytes)
    lengths = (documents.sizes if is_bytes else documents.lengths) + 1
    choice = budget.choose(work, lengths, tokens.vocab_size)
    why = f"At {speed / 1e9:.3g} GFLOP/s, {seconds:g} s are {choice.why}"
    return replace(choice, why=why), spent
