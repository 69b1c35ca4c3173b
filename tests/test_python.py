"""The package as used from Python programs, notebooks and editors."""

from __future__ import annotations

import dataclasses
import inspect
import signal
import subprocess
import sys
import threading
import typing
from collections.abc import Generator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import Source
from microgpt.errors import RunError, UsageError
from microgpt.runs import foreground, prepared
from microgpt.runs.train import READING

from .conftest import Terminal

SMALL: dict[str, Any] = {
    "preset": "microgpt", "n_embd": 8, "n_head": 2, "block_size": 8, "engine": "scalar",
}  # fmt: skip
# Of `train` alone.
OWN = {"data": None, "preset": None, "out": None, "progress": False, "track": None}


def settings() -> dict[str, tuple[Any, Any]]:
    """Return the settings of a training: name, type and default."""
    found: dict[str, tuple[Any, Any]] = {}
    for config in (GPTConfig, TrainConfig):
        kinds = typing.get_type_hints(config)
        found |= {f.name: (kinds[f.name] | None, None) for f in dataclasses.fields(config)}
    del found["vocab_size"]  # the tokenizer's
    kinds = typing.get_type_hints(Source)
    found |= {f.name: (kinds[f.name], f.default) for f in dataclasses.fields(Source)}
    del found["files"]
    kinds = typing.get_type_hints(prepared.ready)
    given = inspect.signature(prepared.ready).parameters
    for name in given.keys() - {"data", "preset_name", "ranks", "overrides"}:
        found[name] = (kinds[name], given[name].default)
    return found


def test_the_keywords_of_train_are_the_settings_there_are() -> None:
    expected, kinds = settings(), typing.get_type_hints(microgpt.train)
    given = inspect.signature(microgpt.train).parameters
    assert {name: given[name].default for name in OWN} == OWN
    assert given.keys() - OWN == expected.keys()
    for name, (kind, default) in expected.items():
        assert given[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert (kinds[name], given[name].default) == (kind, default), name
    assert {f.name for f in dataclasses.fields(Source)} - {"files"} == set(READING)


def test_the_keywords_of_sample_are_those_of_a_choice() -> None:
    kinds, own = typing.get_type_hints(Run.sample), typing.get_type_hints(microgpt.Choice)
    given = inspect.signature(Run.sample).parameters
    fields = {f.name: f.default for f in dataclasses.fields(microgpt.Choice)}
    assert {name: p.default for name, p in given.items() if name not in ("self", "number")} == (
        fields
    )
    for name in fields:
        assert given[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert kinds[name] == own[name]


@pytest.mark.parametrize("function", [microgpt.train, microgpt.load, Run.sample, Run.resume])
def test_every_keyword_is_explained(function: Any) -> None:
    told = inspect.getdoc(function)
    assert told is not None
    for name in inspect.signature(function).parameters.keys() - {"self"}:
        assert f"\n    {name}: " in told, name


@pytest.mark.slow
def test_an_editor_completes_the_keywords() -> None:
    jedi = pytest.importorskip("jedi")
    for code, expected in (
        ("import microgpt\nmicrogpt.train('a', n_em", "n_embd="),
        ("import microgpt\nmicrogpt.load().sample(temp", "temperature="),
        ("import microgpt\nmicrogpt.Cho", "Choice"),
    ):
        assert expected in [c.name for c in jedi.Script(code).complete()], code


CHECKED = """\
import microgpt

run = microgpt.train("a.txt", preset="small", seconds=5, n_embd=64, optimizer="muon")
texts: list[str] = run.sample(10, temperature=0.8)
losses: list[float] = run.score("emma").losses
many = [one.sum() for one in run.losses(texts)]
loss: float = run.evaluate(texts).loss
version: str = microgpt.__version__
again: microgpt.Run = microgpt.load("names-1", engine="native", threads=2).resume()
microgpt.train("a.txt", steps="many")  # wrong
microgpt.train("a.txt", optimizer="sgd")  # wrong
microgpt.train("a.txt", n_ebmd=64)  # wrong
run.sample(10, temperature="hot")  # wrong
run.sample(10, heat=1.0)  # wrong
microgpt.load(5)  # wrong
"""


@pytest.mark.slow
def test_a_type_checker_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    (tmp_path / "program.py").write_text(CHECKED)
    source = Path(microgpt.__file__).parents[1]
    (tmp_path / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{source}"]}}')
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    lines = {int(line.split(".py:")[1].split(":")[0]) for line in errors}
    wrong = {n for n, line in enumerate(CHECKED.splitlines(), 1) if line.endswith("# wrong")}
    assert lines == wrong, done.stdout


def test_the_version_is_that_of_the_installed_package() -> None:
    assert microgpt.__version__ == metadata.version("microgpt-lm")


def test_a_run_is_found_as_the_command_line_finds_it(tiny: list[str]) -> None:
    with pytest.raises(RunError, match=r"^no runs in runs/ yet\. Try: microgpt train$"):
        microgpt.load()
    older = microgpt.train(tiny, steps=1, out="runs/b", **SMALL)
    newer = microgpt.train(tiny, steps=1, out=Path("runs", "a"), **SMALL)
    for run in ("b", "runs/b", Path("runs", "b").absolute(), Path("b")):
        assert microgpt.load(run).folder.samefile(older.folder)
    assert microgpt.load().folder == newer.folder
    with pytest.raises(RunError, match=r"^c: no such run\. Runs here: runs/a, runs/b\.$"):
        microgpt.load("c")


def test_a_run_computes_on_what_it_was_opened_for(tiny: list[str]) -> None:
    run = microgpt.train(tiny, steps=1, out="r", **SMALL)
    assert run.engine.name == "scalar"
    assert microgpt.load("r", engine="scalar", threads=3).engine.name == "scalar"
    with pytest.raises(UsageError, match="threads must be a whole number from 1"):
        _ = microgpt.load("r", threads=0).engine
    with pytest.raises(UsageError, match="device must be "):
        _ = microgpt.load("r", device="moon").engine


def test_the_losses_of_many_are_those_of_each(model: Run) -> None:
    texts = ["ada", "", "zzz!", "lena" * 9, "é"] * 60
    found = model.losses(iter(texts))
    assert len(found) == len(texts)
    for text, losses in zip(texts[:5], found):
        assert losses.tolist() == pytest.approx(model.score(text).losses, rel=1e-5)
    for one, other in zip(found, found[5:]):
        assert np.array_equal(one, other)
    assert model.losses([]) == []
    with pytest.raises(UsageError, match=r"^texts must be a list of strings; got one string\.$"):
        model.losses("ada")
    with pytest.raises(UsageError, match=r"^texts must be a list of strings; got one string\.$"):
        next(model.scores("ada"))
    with pytest.raises(UsageError, match=r"^text 1 must be a string; got 5\.$"):
        model.losses(["ada", 5])  # type: ignore[list-item]


def test_how_a_file_is_read_is_said_by_keywords(tiny: list[str]) -> None:
    Path("t.csv").write_text("name;age\n" + "".join(f"{name};3\n" for name in tiny))
    run = microgpt.train("t.csv", column="name", delimiter=";", steps=1, out="r", **SMALL)
    assert run.documents[0] == tiny
    Path("book.txt").write_text(" ".join(tiny))
    run = microgpt.train("book.txt", stream=True, steps=1, out="s", **SMALL)
    assert run.settings.source.stream
    with pytest.raises(
        UsageError, match=r"^column must stand with a file or a data frame; got documents\.$"
    ):
        microgpt.train(tiny, column="name")


@contextmanager
def interrupting(step: int, times: int = 1) -> Generator[Any]:
    """A bar that interrupts once at a step, as Ctrl-C does so many times."""
    left = [signal.SIGINT] * times

    def show(_: float, words: str) -> None:
        if words.startswith(f"step {step} "):
            while left:
                signal.raise_signal(left.pop())

    yield show


@pytest.mark.slow
def test_an_interrupted_training_is_saved_and_says_how_to_go_on(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("t.txt").write_text("\n".join(tiny))
    how: dict[str, Any] = {**SMALL, "steps": 30, "holdout": 0.2}
    whole = microgpt.train("t.txt", out="whole", **how)
    with monkeypatch.context() as patch:
        patch.setattr(foreground, "bar", lambda: interrupting(3))
        with pytest.raises(KeyboardInterrupt) as caught:
            microgpt.train("t.txt", out="part", progress=True, **how)
    said = str(caught.value)
    assert said.startswith("stopped after ")
    assert said.endswith(" and saved. Go on with: microgpt.load('part').resume()")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    run = microgpt.load("part")
    before = run.score("ada")
    assert 3 <= run.log.steps < 30
    assert run.resume() is run
    assert run.score("ada") != before
    assert run.score("ada") == microgpt.load("whole").score("ada")
    for name in ("checkpoint.safetensors", "samples.txt", "config.json"):
        assert Path("part", name).read_bytes() == Path(whole.folder, name).read_bytes()
    assert run.resume().log.steps == 30  # it has come to its end


def test_the_second_interruption_ends_at_once(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "bar", lambda: interrupting(1, times=2))
    with pytest.raises(KeyboardInterrupt) as caught:
        microgpt.train(tiny, out="r", steps=30, progress=True, **SMALL)
    assert str(caught.value) == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert microgpt.load("r").score("ada").loss > 0


def test_documents_of_a_program_are_given_again_to_go_on(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(foreground, "bar", lambda: interrupting(1))
        with pytest.raises(KeyboardInterrupt, match=r"microgpt\.load\('r'\)\.resume\(documents\)$"):
            microgpt.train(tiny, out="r", steps=20, progress=True, **SMALL)
    run = microgpt.load("r", engine="scalar")
    with pytest.raises(RunError, match="its documents came from a Python program; give them again"):
        run.resume()
    with pytest.raises(RunError, match=r"must be what it was trained on \(20 documents\)"):
        run.resume(tiny[1:])
    assert run.resume(tiny).log.steps == 20


def test_a_run_on_a_pipe_does_not_wait_for_one_in_a_program(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", open("t.txt", "w+"))  # noqa: PTH123, SIM115
        sys.stdin.write("\n".join(tiny))
        sys.stdin.seek(0)
        microgpt.train("-", steps=2, out="r", **SMALL)
        sys.stdin.close()
    with pytest.raises(
        RunError, match=r"^r: its documents came through a pipe; give them again\.$"
    ):
        microgpt.load("r").resume()
    assert microgpt.load("r").resume(tiny).log.steps == 2


def test_a_program_s_own_handler_and_other_threads_are_left_alone(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        monkeypatch.setattr(foreground, "bar", lambda: interrupting(1))
        assert microgpt.train(tiny, out="r", steps=9, progress=True, **SMALL).log.steps == 9
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.setattr(foreground, "bar", lambda: interrupting(-1))
    made: list[Run] = []
    thread = threading.Thread(
        target=lambda: made.append(microgpt.train(tiny, out="s", steps=9, progress=True, **SMALL))
    )
    thread.start()
    thread.join()
    assert made[0].log.steps == 9


@pytest.mark.slow
def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal)
    small = {**SMALL, "n_embd": 2, "n_head": 1, "block_size": 2}
    letters = [chr(ord("a") + i) for i in range(20)]
    run = microgpt.train(letters, steps=1200, holdout=0.2, out="r", progress=True, **small)
    told = run.log.heldout[-1]["heldout"]["loss"]
    last = terminal.getvalue().rstrip("\n").split("step ")[-1]
    assert last.startswith(
        f"1,200 of 1,200 · loss {run.log.tail(50).mean:.2f} · held out {told:.2f}"
    )
    assert "━━━━" in last
