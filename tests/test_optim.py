"""Adam's numbers and the learning rate, against their closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import microgpt
from microgpt.config import TrainConfig
from microgpt.optim import Optimizer, learning_rate


def test_corrections_make_a_constant_gradient_s_moments_the_gradient() -> None:
    adam, g = Optimizer(), 0.3
    m = v = 0.0
    for update in range(1, 50):
        m = adam.beta1 * m + (1 - adam.beta1) * g
        v = adam.beta2 * v + (1 - adam.beta2) * g * g
        m_lacks, v_lacks = adam.corrections(update)
        assert m / m_lacks == pytest.approx(g, rel=1e-12)
        assert v / v_lacks == pytest.approx(g * g, rel=1e-12)


def test_the_rate_falls_in_a_line_and_would_be_zero_after_the_last_step() -> None:
    config = TrainConfig(steps=1000, lr=0.01)
    rates = [learning_rate(config, step, 0.0) for step in range(1, 1002)]
    assert rates[0] == 0.01
    assert rates == pytest.approx([0.01 * (1 - k / 1000) for k in range(1001)], abs=1e-18)


def test_with_a_budget_in_seconds_the_clock_counts() -> None:
    config = TrainConfig(steps=None, seconds=10.0, lr=0.01)
    assert learning_rate(config, 12345, 2.5) == pytest.approx(0.0075)
    assert learning_rate(config, 12345, 11.0) == 0.0


def test_of_two_budgets_the_nearer_counts() -> None:
    config = TrainConfig(steps=100, seconds=10.0, lr=0.01)
    assert learning_rate(config, 51, 2.5) == pytest.approx(0.005)
    assert learning_rate(config, 51, 7.5) == pytest.approx(0.0025)


def test_a_training_is_by_the_optimizer_that_was_asked_for(
    tmp_path: Path, tiny: list[str], engine_name: str
) -> None:
    def after_a_step(folder: str, **told: object) -> dict[str, np.ndarray]:
        microgpt.train(
            tiny, preset="microgpt", n_embd=8, steps=1, batch_size=20, engine=engine_name,
            out=tmp_path / folder, **told,
        )  # fmt: skip
        return load_file(tmp_path / folder / "checkpoint.safetensors")

    # The rates are apart, so that one cannot stand for the other.
    told = {"lr": 0.001, "muon_lr": 0.05}
    start = after_a_step("start", lr=1e-30)
    for optimizer in ("adam", "muon"):
        end = after_a_step(optimizer, optimizer=optimizer, **told)
        for name in ("wte", "lm_head", "layer0.attn_wq", "layer0.mlp_fc1"):
            moved = (end[name] - start[name]).astype(np.float64)
            if optimizer == "muon" and name.startswith("layer"):
                # All directions that a gradient has are taken nearly equally far.
                most = np.linalg.svd(moved)[1][0] / (0.05 * max(1.0, len(moved) / 8) ** 0.5)
                assert 0.6 < most < 1.3, name
            else:
                # Adam's first step is the rate, up or down, wherever the slope is not all but 0.
                steps = np.abs(moved[moved != 0.0])
                assert np.median(steps) == pytest.approx(0.001, rel=0.01), (optimizer, name)
                assert steps.max() < 0.00101, (optimizer, name)
