"""Benchmarks: the operations they count, and the rows they print."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microgpt import bench, model
from microgpt.cli.app import run
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.plan import Plan
from microgpt.training import presets
from tests.conftest import laid_out


def test_the_formula_counts_the_multiplications_of_the_forward_pass() -> None:
    config = GPTConfig(vocab_size=7, block_size=5, n_layer=2, n_head=1, n_embd=6)
    batch = laid_out([[1, 2, 3, 4], [2]], bos=6, block_size=5)
    weights = sum(p.size for p in model.parameters(config)[2:])
    pairs = 15 + 3
    steps = Plan(batch, batch_size=2, order="once").batches(0, 1)
    counted = bench.operations(config, steps) - 14 * model.size(config)
    # Forward, in multiply-adds: each parameter once a position, keys and values once a pair.
    assert counted == 3 * 2 * (weights * batch.positions + 2 * 2 * 6 * pairs)


def test_the_formula_counts_muon_s_products_symmetric_ones_by_half() -> None:
    config = GPTConfig(vocab_size=7, block_size=5, n_layer=2, n_head=1, n_embd=6)
    steps = Plan(laid_out([[1, 2]], bos=6, block_size=5)).batches(0, 3)
    multiply_adds = parameters = 0
    for p in filter(lambda p: p.hidden, model.parameters(config)):
        k, n = sorted(p.shape)
        parameters += p.size
        for together in (3, 2) if n > k else (1,) * 5:
            multiply_adds += n * k * k // 2 + n * k * k  # the Gram matrix, and a product with it
            multiply_adds += together * k**3 // 2  # its square
            multiply_adds += (
                (together - 1) * 3 * k**3 // 2
            )  # the next one; the polynomials' product
    more = bench.operations(config, steps, "muon") - bench.operations(config, steps)
    assert more == 3 * (2 * multiply_adds + (11 - 14) * parameters)


def test_the_task_of_a_preset_is_the_preset_s() -> None:
    names = ["ada", "bob", "eve", "dana"]
    for name in ("micro", "small", "medium"):
        case, recipe = bench.Case.of(name), presets.preset(name)
        assert case in bench.CASES
        task = bench.task(case, names, "")
        assert vars(task.model).items() >= recipe.model.items()
        assert vars(task.training).items() >= recipe.training.items()


def test_the_update_that_is_timed_is_the_preset_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 1)
    case = bench.Case(n_embd=8, batch_size=2, block_size=4, preset="micro")
    opened: list[str] = []

    def engine(name: str, config: GPTConfig, training: TrainConfig, threads: int) -> bench.Trains:
        opened.append(f"{training.optimizer}, {config.position}")
        return bench.engine(name, config, training, threads)

    (row,) = bench.rows([case], ["ada", "bo"], "", [("scalar", 1)], 1.0, 0.01, engine)
    assert (row.label, opened) == ("micro: 8, batch 2", ["muon, rotary"])
    task = bench.task(case, ["ada", "bo"], "")
    counted = bench.operations(task.model, task.plan.batches(0, 1), "muon") / 2
    assert row.limit == pytest.approx(counted / 1e9, rel=0.05)


def test_a_row_is_a_median_within_its_range_and_adds_up() -> None:
    case = bench.Case(n_embd=8, batch_size=2, block_size=8)
    names = ["ada", "bob", "eve", "dana"]
    engines = [("scalar", 1)]
    (row,) = bench.rows([case], names, "", engines, peak=100.0, seconds=0.01)
    assert row.low <= row.document <= row.high
    task = bench.task(case, names, "")
    data, steps = task.layout.batch, task.plan.batches(0, 2)
    per_document = bench.operations(task.model, steps) / len(steps)
    assert row.speed == pytest.approx(per_document / row.document / 1e9, rel=0.02)
    assert row.limit == pytest.approx(per_document / 100e9, rel=0.02)
    assert row.token == pytest.approx(row.document * len(data) / data.positions, rel=0.02)


def test_a_stream_is_read_in_windows_of_the_block() -> None:
    task = bench.task(bench.Case(8, 1, block_size=5, stream=True), [], "to be or not")
    assert task.model.vocab_size == 8
    assert np.diff(task.layout.batch.documents).tolist() == [5, 5, 3]


@pytest.mark.slow
def test_bench_prints_rows_or_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 1)
    small = [bench.Case(width, size, block_size=4) for width in (4, 8) for size in (1, 2)]
    monkeypatch.setattr("microgpt.cli.bench.CASES", small)
    words = ["bench", "--width", "4", "--engine", "scalar"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "4, block 4, batch 1 " in out
    assert "x limit" in out
    assert run([*words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["label"] for line in lines] == ["4, block 4, batch 1", "4, block 4, batch 2"]
    assert all(line["engine"] == "scalar" and line["document"] > 0 for line in lines)
    assert run(["bench", "--width", "17"]) == 2
    assert "width must be one of 4, 8; got 17." in capsys.readouterr().err
