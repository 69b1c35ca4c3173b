"""A model whose parameters have diverged: every use is an error of one sentence, never a score."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt import model as gpt
from microgpt.errors import RunError, UsageError
from microgpt.runs import checkpoint
from microgpt.runs.run import Run

from .conftest import hair

SENTENCE = (
    "r: its parameters are too large to compute with: the training has run away. "
    "Train anew, with a smaller learning rate."
)


@pytest.fixture
def folder(tmp_path: Path, tiny: list[str]) -> Path:
    return microgpt.train(
        tiny, steps=3, engine="scalar", preset="microgpt", n_embd=4, n_head=1, out=Path("r")
    ).folder


@pytest.mark.parametrize("call", ["score", "evaluate", "sample"])
def test_a_model_whose_numbers_are_too_large_gives_no_score_but_one_sentence(
    folder: Path, engine_name: str, call: str
) -> None:
    model = Run(folder).settings.model
    saved = checkpoint.load(folder, model)
    head = gpt.views(saved.state.parameters, model)["lm_head"]
    head[:] = np.where(head > 0, 1.7e308, -1.7e308)
    checkpoint.save(folder, model, saved)
    run = Run(folder, engine_name)
    calls = {
        "score": lambda: run.score("ada"),
        "evaluate": lambda: run.evaluate(["ada"]),
        "sample": lambda: run.sample(3),
    }
    with pytest.raises(RunError) as caught:
        calls[call]()
    assert str(caught.value) == SENTENCE


def test_a_sound_model_answers_what_its_engine_does(folder: Path, engine_name: str) -> None:
    run = Run(folder, engine_name)
    assert run.engine.name == engine_name
    assert all(map(math.isfinite, run.score("ada").losses))
    assert run.score("ada").losses == pytest.approx(
        Run(folder, "scalar").score("ada").losses, rel=100 * hair(engine_name)
    )
    # More tokens than the block are the caller's mistake still.
    decoder = run.predictor.decoder(1)
    with pytest.raises(UsageError, match="block"):
        for _ in range(run.settings.model.block_size + 1):
            decoder.push([0])
