"""Beginnings that several texts share are computed once, and no loss changes by a bit."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.tokenizer import Characters
from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats
from microgpt.optim import Optimizer
from microgpt.scoring.price import Laid
from tests.conftest import REQUIRED

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS, NativeEngine
from tests.native_engines import numbers

LETTERS = Characters.of(["ab"])
# Each twice; "?" is unknown. The last have both kinds of attention: up to 24 positions, and more.
TEXTS = [
    *("".join(text) for n in range(5) for text in itertools.product("ab?", repeat=n)),
    *("ab" * 9, "ab" * 11 + "a", "ab" * 12, "ab" * 12 + "a", "ab" * 14 + "?"),
] * 2
SHORT_HEADS = GPTConfig(vocab_size=LETTERS.vocab_size, n_layer=1, n_head=2, n_embd=4)
ROTATED = GPTConfig(
    vocab_size=LETTERS.vocab_size,
    n_layer=2,
    n_head=2,
    n_embd=12,
    activation="squared-relu",
    position="rotary",
    qk_norm=True,
    final_norm=True,
)


def losses_one_by_one(engine: NativeEngine, batch: Batch) -> Floats:
    each = (batch.take(np.array([d])) for d in range(len(batch)))
    return np.concatenate([engine.losses(one) for one in each])


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("block", [3, 5, 40])
@pytest.mark.parametrize("shape", [SHORT_HEADS, ROTATED], ids=["short heads", "rotated"])
def test_losses_are_those_of_each_text_alone(shape: GPTConfig, block: int, build: str) -> None:
    config = replace(shape, block_size=block)
    engines = [NativeEngine(config, Optimizer(), "cross-entropy", n, build) for n in (1, 2)]
    for engine in engines:
        engine.load(numbers(config))
    for seed in range(3):
        texts = random.Random(seed).sample(TEXTS, len(TEXTS))
        batch = Laid.of(texts, LETTERS, block).windows(LETTERS)
        alone_N = losses_one_by_one(engines[0], batch)
        assert len(np.unique(alone_N)) > 30
        for engine in engines:
            assert (engine.losses(batch) == alone_N).all()
