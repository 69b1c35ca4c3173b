"""What a training needs, estimated: held to the measured peak, and refused where it cannot fit."""

from __future__ import annotations

import random
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt import model, train
from microgpt.cli.app import run as cli
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import from_texts
from microgpt.data.plan import Plan
from microgpt.data.tokenizer import Characters
from microgpt.engines import has_torch, open_engine, why_not_native
from microgpt.engines.compute import Compute
from microgpt.engines.memory import ByParameters
from microgpt.errors import UsageError
from microgpt.optim import Optimizer
from microgpt.training.estimate import estimate
from microgpt.training.presets import MODERN, PRESETS
from microgpt.training.task import Dataset, Task
from tests.conftest import REQUIRED, laid_out

BETTER = GPTConfig(vocab_size=65, block_size=64, n_embd=64, n_layer=3, **MODERN)
PLAIN = GPTConfig(vocab_size=65, block_size=64, n_embd=64, n_layer=2)


@pytest.fixture
def needs_torch() -> None:
    if not has_torch() and "torch" not in REQUIRED:
        pytest.skip("PyTorch is not installed")


def live_peak(work: Any) -> int:
    """Return the most bytes of tensors that lived at once while `work` was done."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    live: dict[int, int] = {}
    peak = [0]

    class Live(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            for one in tree_leaves(result):
                if isinstance(one, torch.Tensor):
                    storage = one.untyped_storage()
                    if storage._cdata not in live:
                        live[storage._cdata] = storage.nbytes()
                        weakref.finalize(storage, live.pop, storage._cdata)
            peak[0] = max(peak[0], sum(live.values()))
            return result

    with Live():
        work()
    return peak[0]


CASES: list[tuple[GPTConfig, Optimizer, dict[str, Any]]] = [
    (PLAIN, Optimizer(), {}),
    (BETTER, Optimizer(), {}),
    (BETTER, Optimizer(muon=2.0, dropout=0.1), {}),
    (PLAIN, Optimizer(dropout=0.1), {}),
    (BETTER, Optimizer(), {"recompute": True}),
    (BETTER, Optimizer(), {"accumulate": 3}),
    (BETTER, Optimizer(), {"precision": "float64"}),
    (BETTER, Optimizer(), {"precision": "bfloat16"}),
    (replace(BETTER, vocab_size=5000), Optimizer(), {}),
    (replace(BETTER, n_embd=256, n_layer=1), Optimizer(muon=2.0), {}),
]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("config", "optimizer", "compute"), CASES)
def test_memory_is_within_fifteen_per_cent_of_the_measured_peak(
    needs_torch: None,
    config: GPTConfig,
    optimizer: Optimizer,
    compute: dict[str, Any],
    ragged: bool,
) -> None:
    from microgpt.engines.torch import TorchEngine

    rng = random.Random(1)
    lengths = [rng.randint(1, 63) if ragged else 63 for _ in range(40)]
    batch = laid_out([[rng.randrange(64) for _ in range(n)] for n in lengths], 64, 64)
    steps = Plan(batch, batch_size=len(batch)).batches(0, 1)
    engines: list[TorchEngine] = []

    def work() -> None:
        engine = TorchEngine(config, optimizer, "cross-entropy", 1, "cpu", Compute(**compute))
        engine.train(steps, np.array([1e-3]))
        engines.append(engine)

    peak = live_peak(work)
    estimated = engines[0].memory.step(batch.positions, ragged=ragged)
    assert estimated == pytest.approx(peak, rel=0.15)


def task(batch_size: int = 64) -> Task:
    texts = from_texts([("ab" * 500) + str(i) for i in range(200)])
    config = GPTConfig(vocab_size=13, block_size=256, n_embd=64, n_layer=2)
    dataset = Dataset(texts, Characters.of(texts.documents), 0.0)
    return Task(dataset, config, TrainConfig(steps=10, batch_size=batch_size))


def test_what_does_not_fit_is_refused_with_what_would(
    needs_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.engines.torch.installed", lambda: 20_000_000)
    tried = task()
    with pytest.raises(UsageError) as caught:
        estimate(tried, tried.open("torch", 1, "cpu"))
    words = str(caught.value)
    assert words.startswith("the training must fit in memory: it needs 1")
    assert "this machine has 20 MB. Try --batch-size " in words
    size, parts = _numbers(words)
    fits = task(size)
    estimate(fits, fits.open("torch", 1, "cpu"))
    in_parts = replace(tried, training=replace(tried.training, accumulate=parts))
    estimate(in_parts, in_parts.open("torch", 1, "cpu"))
    for worse in (
        task(size * 2),
        replace(tried, training=replace(tried.training, accumulate=parts - 1)),
    ):
        with pytest.raises(UsageError):
            estimate(worse, worse.open("torch", 1, "cpu"))


def _numbers(words: str) -> tuple[int, int]:
    """Return the batch size and the number of parts that a message proposes."""
    _, _, rest = words.partition("--batch-size ")
    size, _, parts = rest.rstrip(".").partition(" or --accumulate ")
    return int(size), int(parts)


def test_where_nothing_helps_the_model_is_too_large(
    needs_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.engines.torch.installed", lambda: 100_000)
    with pytest.raises(UsageError, match=r"Try a smaller n_embd, n_layer or vocabulary\.$"):
        estimate(task(), task().open("torch", 1, "cpu"))


def test_an_engine_that_needs_parameters_alone_says_so() -> None:
    found = estimate(task(), open_engine("scalar", task().model))
    assert found.memory == 200 * found.parameters
    assert str(found) == (
        f"About {found.memory / 1e6:.3g} MB of memory, {found.step / 1e9:.3g} GFLOP a step, "
        f"{found.step * 10 / 1e9:.3g} GFLOP in all"
    )
    assert ByParameters(5).step(10**9) == 5


def test_each_thread_of_the_native_engine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    if "native" not in REQUIRED and (reason := why_not_native()):
        pytest.skip(reason)
    config = GPTConfig(vocab_size=27, n_embd=64)
    one, nine = (open_engine("native", config, threads=n).memory.step(1) for n in (1, 9))
    # Each further one has a copy and sums of gradients, in float32.
    assert nine - one == 8 * 8 * model.size(config)
    muon = open_engine("native", config, Optimizer(muon=1.0), threads=9).memory.step(1)
    assert muon - nine == 9 * 4 * (2 * 4 * 64 * 64 + 4 * 64 * 64)
    monkeypatch.setattr("microgpt.engines.memory.installed", lambda: one)
    open_engine("native", config, threads=1)
    with pytest.raises(UsageError, match=r"^the model must fit in memory; .* or fewer threads\.$"):
        open_engine("native", config, threads=9)


def test_a_large_training_says_what_it_needs_before_it_starts(
    needs_torch: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join("abcdefgh" * 30 + str(i) for i in range(50)))
    words = ["train", "t.txt", "--engine", "torch", "--device", "cpu", "--steps", "1"]
    words += ["--n-embd", "128", "--n-layer", "2", "--block-size", "256", "--batch-size", "40"]
    assert cli(words) == 0
    said = capsys.readouterr().out
    assert "torch engine (cpu, float32)" in said
    assert "MB of memory, " in said
    assert "FLOP a step, " in said


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_s_needs_are_estimated(needs_torch: None, name: str) -> None:
    from microgpt.engines.torch.memory import Memory

    preset = PRESETS[name]
    config = GPTConfig(vocab_size=50_257, **preset.model)
    training = TrainConfig(**preset.training)
    memory = Memory(config, Optimizer.of(training), Compute.of(training), "bfloat16")
    needed = memory.step(training.batch_size * config.block_size)
    assert needed < 24e9


def test_a_setting_of_the_torch_engine_is_refused_by_others(tiny: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        train(tiny, engine="scalar", steps=1, accumulate=3)
    assert str(caught.value) == (
        "accumulate 3 needs the torch engine; got scalar. Try --engine torch."
    )
