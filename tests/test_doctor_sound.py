"""The doctor is silent on sound runs, whatever kind they are of."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt import Run
from microgpt.data.corpus import Source
from microgpt.data.datasets import names_path
from microgpt.doctor import SYMPTOMS, Diagnosis, Evidence, examine
from microgpt.engines import has_torch, why_not_native
from microgpt.runs import prepare
from microgpt.training.loop import Steps

from .kinds import LINES

NAMES = names_path().read_text("utf-8").splitlines()
# Nothing can be learnt from it, and nothing is wrong with that.
NOISE = ["".join(random.Random(i).choices("abcdefghij", k=12)) for i in range(3000)]
SCALAR = {"preset": "microgpt", "engine": "scalar", "n_embd": 8, "n_head": 2, "block_size": 8}

# The settings of each kind; "data" is written to a file, unless it is given in memory.
SOUND: dict[str, dict[str, Any]] = {
    "the original": {"preset": "microgpt"},
    "its first form": {"preset": "microgpt-v1"},
    "micro": {"preset": "micro", "steps": 400},
    "small": {"preset": "small", "steps": 150},
    "medium": {"preset": "medium", "steps": 60},
    "large, in small": {"preset": "large", "n_embd": 32, "n_layer": 2, "block_size": 32,
                        "steps": 200},
    "another seed": {"preset": "micro", "steps": 300, "seed": 7},
    "a third seed": {"preset": "microgpt", "seed": 1234, "steps": 600},
    "the scalar engine": {**SCALAR, "steps": 60, "batch_size": 2},
    "the scalar engine, all that is new": {**SCALAR, "preset": "micro", "n_embd": 8, "n_head": 2,
                                           "steps": 20, "batch_size": 4},
    "torch": {"preset": "micro", "engine": "torch", "steps": 12, "batch_size": 16,
              "data": NAMES[:2000]},
    "bytes": {"preset": "micro", "tokenizer": "bytes", "steps": 200},
    "bpe": {"preset": "micro", "tokenizer": "bpe", "vocab_size": 300, "steps": 200},
    "masks": {"preset": "micro", "mask": "digits,ip,dates,hex,uuid", "steps": 60, "data": LINES},
    "a mixture by the clock": {"seconds": 1.5, "data": NAMES[:8000]},
    "counts of three": {"preset": "micro", "ngram": 3, "steps": 300},
    "a line of the log for many steps": {"preset": "micro", "steps": 300, "log_every": 10},
    "windows": {"preset": "micro", "block_size": 4, "steps": 300},
    "a stream": {"preset": "micro", "stream": True, "steps": 200, "data": [" ".join(NAMES[:8000])]},
    "few documents": {"preset": "micro", "steps": 30, "data": NAMES[:60]},
    "nothing held out": {"preset": "micro", "holdout": 0, "steps": 300},
    "dropout": {"preset": "micro", "dropout": 0.2, "steps": 300},
    "another objective": {"preset": "micro", "loss": "quadratic", "steps": 40},
    "plain Adam": {"preset": "micro", "optimizer": "adam", "lr": 0.003, "steps": 300},
    "a token that is read in the first step alone": {"preset": "micro", "batch_size": 1,
                                                     "steps": 50, "seed": 4,
                                                     "data": NAMES[:3000]},
    "one step": {"preset": "microgpt", "steps": 1},
    "noise": {"preset": "micro", "steps": 100, "data": NOISE},
}  # fmt: skip
DEFAULT = ("the original",)


def trained(folder: Path, data: list[str] | None = None, **settings: Any) -> Run:
    file = folder / "lines.txt"
    file.write_text("\n".join(data or NAMES) + "\n", "utf-8")
    return microgpt.train(file, out=folder / "run", **settings)


def quietly(folder: Path, **settings: Any) -> Run:
    """Train; a warning that the counts weigh more than a GPT of one second is none on the GPT."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* weigh more than the GPT")
        return trained(folder, **settings)


def silent(run: Run) -> Diagnosis:
    """Examine a run that shows no symptom; all that can be looked for has been."""
    found = examine(Evidence(run))
    assert {name: look.said for name, look in found.found.items()} == {}
    assert {*found.sound, *found.unseen} == {*SYMPTOMS}
    return found


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind in DEFAULT else pytest.mark.slow) for kind in SOUND],
)
def test_a_sound_run_shows_no_symptom(kind: str, tmp_path: Path) -> None:
    settings = SOUND[kind]
    if settings.get("engine") == "torch" and not has_torch():
        pytest.skip("PyTorch is not installed")
    if settings.get("engine") != "scalar" and (reason := why_not_native()):
        pytest.skip(reason)
    silent(quietly(tmp_path, **settings))


def interrupted(folder: Path, steps: int) -> Path:
    """Train, stop after some steps, and return the run's folder."""
    file = folder / "lines.txt"
    file.write_text("\n".join(NAMES[:500]) + "\n", "utf-8")
    source = Source(files=(str(file),))
    made = prepare.new(source, preset_name="microgpt", out=folder / "run", steps=400, holdout=0.1)
    with made as training:
        for event in training:
            if isinstance(event, Steps) and event.last >= steps:
                training.stop()
    return training.folder


def test_a_training_that_was_stopped_shows_none_and_neither_does_it_when_resumed(
    tmp_path: Path,
) -> None:
    folder = interrupted(tmp_path, steps=100)
    run = Run(folder)
    assert run.engine.updates < 400
    stopped = silent(run)
    assert "leak" in stopped.unseen
    run.resume()
    assert run.engine.updates == 400
    assert "leak" in silent(run).sound


def test_a_run_whose_documents_were_in_memory_is_judged_by_its_log(tmp_path: Path) -> None:
    run = microgpt.train(NAMES[:500], preset="microgpt", steps=60, out=tmp_path / "run")
    seen = silent(run)
    assert {*seen.sound} == {"broke-off", "off-schedule", "rate-too-high", "began-high"}
    assert "came from a Python program" in seen.unseen["departs-at-first"]


def test_a_run_of_the_first_version_shows_none(tmp_path: Path) -> None:
    fixtures = Path(__file__).parent / "fixtures"
    shutil.copytree(fixtures / "old-run", tmp_path / "old-run")
    shutil.copy(fixtures / "old-run.txt", tmp_path / "names.txt")
    seen = silent(Run(tmp_path / "old-run"))
    assert "departs-later" in seen.sound


@pytest.mark.slow
def test_a_replay_by_the_scalar_engine_agrees_too(tmp_path: Path) -> None:
    trained(tmp_path, preset="micro", n_embd=8, n_head=2, batch_size=2, steps=30)
    seen = silent(Run(tmp_path / "run", engine="scalar"))
    assert "the scalar engine" in seen.sound["departs-later"].said
