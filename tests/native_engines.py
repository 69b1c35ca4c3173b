"""Native engines for tests, and what they read: light, as programs of the tests start with it."""

from __future__ import annotations

import random
from functools import cache

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, lay_out
from microgpt.engines.contract import State
from microgpt.engines.native import NativeEngine
from microgpt.optim import Optimizer

# Widths that fill no vector, heads of any width, documents of one position and of many.
SHAPES = [
    GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=3, n_embd=12),
    GPTConfig(vocab_size=5, block_size=6, n_layer=1, n_head=2, n_embd=20),
    GPTConfig(vocab_size=1000, block_size=5, n_layer=1, n_head=3, n_embd=12),
    GPTConfig(vocab_size=27, block_size=16, n_layer=1, n_head=4, n_embd=16),
    GPTConfig(vocab_size=7, block_size=33, n_layer=1, n_head=1, n_embd=24),
    GPTConfig(vocab_size=9, block_size=40, n_head=4, n_embd=16, activation="squared-relu"),
    GPTConfig(vocab_size=9, block_size=30, n_layer=1, n_head=2, n_embd=64),
    GPTConfig(vocab_size=9, block_size=7, n_layer=3, n_head=20, n_embd=20),
    GPTConfig(vocab_size=2, block_size=1, n_layer=1, n_head=1, n_embd=1),
    GPTConfig(vocab_size=17, block_size=25, n_layer=1, n_head=2, n_embd=32),
]  # fmt: skip


def named(config: GPTConfig) -> str:
    return f"V{config.vocab_size}T{config.block_size}H{config.n_head}D{config.n_embd}"


def documents(config: GPTConfig, seed: int = 3) -> Batch:
    rng, T = random.Random(seed), config.block_size
    lengths = (T - 1, 0, T // 2, min(1, T - 1), T - 1, 0)
    texts = [[rng.randrange(config.vocab_size - 1) for _ in range(n)] for n in lengths]
    return lay_out(texts, config.vocab_size - 1, T).batch


@cache
def numbers(config: GPTConfig) -> State:
    drawn = GPTConfig(**{**vars(config), "init_std": 0.3})
    return State.fresh(model.initial(drawn, random.Random(1)))


def native(config: GPTConfig, threads: int | None = 1, build: str | None = None) -> NativeEngine:
    engine = NativeEngine(config, Optimizer(), "cross-entropy", threads, build)
    engine.load(numbers(config))
    return engine
