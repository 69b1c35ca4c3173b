"""Arguments that the parser rejects, with the spelling it suggests; and shell completion."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.cli.front import COMMANDS
from microgpt.cli.mistakes import SYNONYMS
from microgpt.cli.parser import app
from microgpt.config import GPTConfig, TrainConfig
from microgpt.config.setting import settings
from microgpt.runs.run import Run

from .conftest import some

Capture = pytest.CaptureFixture[str]


def mistake(capsys: Capture, words: str) -> str:
    assert run(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train --epochs 3", "--steps"), ("train --learning-rate 1", "--lr"),
        ("train --hidden 3", "--n-embd"), ("train --width=3", "--n-embd"),
        ("train --heads 2", "--n-head"), ("train --num-layers 2", "--n-layer"),
        ("train --batch 3", "--batch-size"), ("train --stepz 3", "--steps"),
        ("train --context_length 3", "--block-size"), ("train --val-split 3", "--holdout"),
        ("train --output x", "--out"), ("sample --temp 1", "--temperature"),
        ("sample --count 1", "--number"), ("score r x --threshold 1", "--flag-rate"),
        ("sweep --n-jobs 3", "--jobs"), ("train --seeds 3", "--seed"),
    ],
)  # fmt: skip
def test_a_mistyped_flag_is_told_what_it_means(capsys: Capture, words: str, meant: str) -> None:
    name = next(word for word in words.split() if word.startswith("-")).split("=")[0]
    expected = f"microgpt: Unknown option: {name}. Did you mean {meant}? Try --help.\n"
    assert mistake(capsys, words) == expected


@pytest.mark.parametrize(
    "words", ["train --frob 1", "sample --heads 1", "data --epochs 3", "why -q"]
)
def test_a_flag_that_is_near_to_none_is_told_of_none(capsys: Capture, words: str) -> None:
    assert "Did you mean" not in mistake(capsys, words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "why attention names-1 mary ann",
            'why must have no further word; got "ann". Put quotes around words that belong '
            "together, or try --help.",
        ),
        (
            "why --step abc names-1 smith",
            'Invalid value for --step: expected a whole number; got "abc". Try --help.',
        ),
    ],
)
def test_a_word_too_many_and_a_bad_value_are_told_in_sentences(
    capsys: Capture, words: str, told: str
) -> None:
    assert mistake(capsys, words) == f"microgpt: {told}\n"


def test_a_text_of_several_words_without_quotes_is_told_of_them(capsys: Capture) -> None:
    assert mistake(capsys, "why names-1 mary ann").endswith(
        'got "names-1". A text of several words needs quotes.\n'
    )


def test_every_synonym_is_of_a_flag_that_there_is_and_is_none_itself(capsys: Capture) -> None:
    flags: set[str] = set()
    for command in COMMANDS:
        assert run([command, "--help"]) == 0
        flags |= {w.strip("-,:") for w in capsys.readouterr().out.split() if w.startswith("--")}
    assert set(SYNONYMS) <= flags
    # What is a flag of one command may be meant by another where that has it not.
    elsewhere = {"size", "name", "width", "budget", "jobs", "threads", "to"}
    assert flags & {w for others in SYNONYMS.values() for w in others.split()} <= elsewhere


def test_train_has_a_flag_for_every_setting_as_its_config_declares_it(capsys: Capture) -> None:
    assert run(["train", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line.split()[0].strip(",:"): line for line in lines if line.startswith("  --")}
    kinds = {int: "INT: ", float: "FLOAT: "}
    for name, setting in {**settings(GPTConfig), **settings(TrainConfig)}.items():
        if name == "vocab_size":  # the data's
            continue
        line = told[f"--{name.replace('_', '-')}"]
        assert setting.help[:-1] in line
        assert f"[choices: {', '.join(setting.choices)}]" in line or not setting.choices
        assert kinds.get(setting.type, "") in line
        if setting.bounds:
            assert run(["train", f"--{name.replace('_', '-')}=-1"]) == 2
            assert f"{name} must be" in capsys.readouterr().err


def test_a_missing_run_is_named_and_the_newest_suggested(
    capsys: Capture, model: Run, tmp_path: Path
) -> None:
    shutil.copytree(model.folder, tmp_path / "runs" / "names-7")
    for words, meant in (
        ("score smith", "microgpt score runs/names-7 smith"),
        ("compress some.txt", "microgpt compress runs/names-7 some.txt"),
        ("decompress some.mgpt --force", "microgpt decompress runs/names-7 some.mgpt"),
    ):
        given = words.split()[1]
        said = mistake(capsys, words)
        assert said.endswith(f'got "{given}" alone. Did you mean: {meant}\n')
        assert said.count("\n") == 1
    Path("a.txt").write_text("anna\n", "utf-8")
    assert mistake(capsys, "evaluate a.txt") == (
        "microgpt: a.txt: not a run: it is a file. Expected a folder, such as runs/names-7.\n"
    )


@cache
def completion(shell: Any) -> str:
    return app().generate_completion(shell=shell)


@pytest.mark.parametrize("shell", some(["bash", "zsh", "fish", "powershell"], 0))
def test_a_shell_can_complete_commands_and_flags(shell: str, tmp_path: Path) -> None:
    script = completion(shell)
    assert all(name in script for name in COMMANDS)
    assert "n-embd" in script
    path = tmp_path / "script"
    path.write_text(script, "utf-8")
    if shell != "powershell" and shutil.which(shell):
        subprocess.run([shell, "-n", path], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tra", "train"), ("train --n-e", "--n-embd"), ("train --loss q", "quadratic"),
        ("train so", "some.txt"), ("score runs/names-1 so", "some.txt"), ("plot so", "some.txt"),
        ("compress r so", "some.txt"), ("evaluate so", "some.txt"), ("report -o so", "some.txt"),
    ],
)  # fmt: skip
def test_bash_completes_commands_flags_values_and_files(words: str, offered: str) -> None:
    Path("some.txt").write_text("a\n", "utf-8")
    Path("script").write_text(completion("bash"), "utf-8")
    typed = ["microgpt", *words.split()]
    asks = f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}; COMPREPLY=()"
    command = f'. ./script; {asks}; _microgpt; echo "${{COMPREPLY[*]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [offered]


def test_completion_is_installed_where_the_shell_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["--install-completion", "--shell", "bash"]) == 0
    assert "source ~/.bashrc" in capsys.readouterr().out
    script = tmp_path / ".local/share/bash-completion/completions/microgpt"
    assert "complete -F _microgpt microgpt" in script.read_text("utf-8")
    assert str(script) in (tmp_path / ".bashrc").read_text("utf-8")
