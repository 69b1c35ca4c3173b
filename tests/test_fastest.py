"""The engine of a training: a small one is not measured, a large one goes to the faster engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run as cli
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import from_texts
from microgpt.data.tokenizer import Characters
from microgpt.engines import has_torch, why_not_native
from microgpt.engines.contract import Engine
from microgpt.training import fastest
from microgpt.training.task import Dataset, Task
from tests.conftest import REQUIRED

if (not has_torch() or why_not_native()) and "torch" not in REQUIRED:
    pytest.skip("the native engine and PyTorch are not both installed", allow_module_level=True)


def task(n_embd: int = 16, **training: Any) -> Task:
    texts = from_texts(["a quick brown fox" * 20] * 30)
    tokens = Characters.of(texts.documents)
    config = GPTConfig(vocab_size=tokens.vocab_size, n_embd=n_embd, n_layer=2, block_size=256)
    return Task(Dataset(texts, tokens, 0.0), config, TrainConfig(batch_size=20, **training))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every training be worth measuring, by a little work."""
    for name in ("_WORTH_WORK", "_WORTH_SECONDS", "_WORTH_STEP"):
        monkeypatch.setattr(fastest, name, 0.0)
    monkeypatch.setattr(fastest, "_MEASURED", 1e7)


def test_a_small_training_opens_no_engine_to_choose_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "open", lambda *_: pytest.fail("it must not be opened"))
    assert fastest.fastest(task(steps=1000), 1, None) == ("auto", None)
    # A long one of a small model, and a short one of a large model.
    assert fastest.fastest(task(seconds=3600.0, steps=None), 1, None) == ("auto", None)
    assert fastest.fastest(task(512, seconds=2.0, steps=None), 1, None) == ("auto", None)
    assert fastest.fastest(task(512, steps=1), 1, "cuda") == ("auto", None)


@pytest.mark.parametrize(("native", "torch", "best"), [(5e9, 3e9, "native"), (5e9, 7e9, "torch")])
def test_the_faster_engine_trains(
    always: None, native: float, torch: float, best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {"native": native, "torch": torch}
    monkeypatch.setattr(fastest, "_speed", lambda engine, _: speeds[engine.name])
    name, words = fastest.fastest(task(steps=10), 1, "cpu")
    assert name == best
    assert words == (
        f"Measured on this model, in GFLOP/s: native engine {native / 1e9:.0f}, "
        f"torch engine (cpu, float32) {torch / 1e9:.0f}."
    )


def test_both_engines_are_really_timed_and_left_as_new(always: None) -> None:
    opened: list[Engine] = []
    tried = task(steps=10)
    right = Task.open

    def open_one(self: Task, *arguments: Any) -> Engine:
        opened.append(right(self, *arguments))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "open", open_one)
        name, words = fastest.fastest(tried, 1, "cpu")
    assert [engine.name for engine in opened] == ["native", "torch"]
    assert [engine.updates for engine in opened] == [2, 2]
    assert name in ("native", "torch")
    assert re.fullmatch(
        r"Measured on .*: native engine [\d,]+, torch engine \(.*\) [\d,]+\.", words or ""
    )


def test_a_training_says_what_was_measured(
    always: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("ada\nbea\nlea\n" * 10)
    assert cli(["train", "t.txt", "--steps", "2", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "Measured on this model, in GFLOP/s: native engine " in said
    # One that was asked for is not measured.
    assert cli(["train", "t.txt", "--steps", "2", "--engine", "native"]) == 0
    assert "Measured" not in capsys.readouterr().out
