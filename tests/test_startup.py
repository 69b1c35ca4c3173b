"""The modules that a command loads: these are counted, because seconds depend on other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import __version__
from microgpt.cli.app import run
from microgpt.cli.front import COMMANDS
from microgpt.cli.parser import app, lay_out_help

Capture = pytest.CaptureFixture[str]

_RUN = "import sys; from microgpt.cli.app import run; run(sys.argv[1:]); print(*sys.modules)"


def loaded(*words: str) -> set[str]:
    """The modules in memory after a command, by their full names."""
    command = [sys.executable, "-c", _RUN, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", ["--version", "--help", "-h", "", "trian", "--vesrion"])
def test_what_needs_no_command_loads_neither_the_parser_nor_numpy(words: str) -> None:
    modules = loaded(*words.split())
    assert not {"numpy", "cyclopts", "rich", "importlib.metadata", "msgspec"} & modules
    assert not {name for name in COMMANDS if f"microgpt.cli.{name}" in modules}
    assert len({name for name in modules if name.startswith("microgpt")}) < 12


def test_a_training_on_a_pipe_loads_what_it_needs(tmp_path: Path) -> None:
    text = tmp_path / "names.txt"
    text.write_text("ada\nbea\n" * 20, "utf-8")
    modules = loaded(
        "train", str(text), "--preset", "microgpt", "--steps", "60", "--log-every", "9"
    )
    assert {"numpy", "cyclopts", "microgpt.training.loop"} <= modules
    # What only a terminal, another command or another program's package needs.
    assert not {"rich", "importlib.metadata", "email", "difflib", "multiprocessing"} & modules
    assert not {"optuna", "jinja2", "plotille", "matplotlib", "sklearn", "sqlalchemy"} & modules
    # Slow to load for the one function that each would be loaded for.
    slow = {"importlib.resources", "tempfile", "shutil", "html", "statistics", "concurrent.futures"}
    assert not slow & modules
    # A run is not read again that is in memory, no log is checked that is new, and plain text needs
    # no reader of tables or objects.
    unneeded = {"runs.run", "runs.events", "data.reader.tables", "data.reader.objects"}
    assert not {f"microgpt.{name}" for name in unneeded} & modules
    others = {f"microgpt.cli.{name}" for name in COMMANDS if name != "train"}
    assert (
        not (others | {"microgpt.bench", "microgpt.report", "microgpt.sweep", "microgpt.compress"})
        & modules
    )


def test_a_run_is_sampled_without_what_trains(tmp_path: Path) -> None:
    run(["train", "--steps", "2", "--n-embd", "8", "--out", str(tmp_path / "r")])
    modules = loaded("sample", str(tmp_path / "r"), "--number", "2")
    assert "microgpt.runs.run" in modules
    unneeded = {"runs.prepare", "training.trainer", "counting.xz"}
    assert not {f"microgpt.{name}" for name in unneeded} & modules


_GARBAGE = """
import gc, sys
from microgpt.cli.app import main
begun = []
gc.callbacks.append(lambda phase, about: begun.append(phase))
try:
    main(sys.argv[1:])
finally:
    print(begun, gc.get_freeze_count() > 30_000, len(gc.get_objects()) < 1_000)
"""


@pytest.mark.slow
def test_a_short_training_looks_for_no_garbage_and_leaves_none_to_look_for(tmp_path: Path) -> None:
    """Both took a tenth of its time; the system frees the memory of a process that ends."""
    words = ["train", "--preset", "microgpt", "--steps", "60", "--out", str(tmp_path / "r")]
    command = [sys.executable, "-c", _GARBAGE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] True True"


_THREADS = """
import os, sys
from microgpt.cli.app import main
sys.argv[1:] = ["data", sys.argv[1]]
try:
    main()
finally:
    print(os.environ["OPENBLAS_NUM_THREADS"], len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted on Linux")
@pytest.mark.parametrize("asked", [None, "2"])
def test_a_command_starts_no_threads_of_linear_algebra(tmp_path: Path, asked: str | None) -> None:
    """They would spin at full speed with nothing to do; a user who sets their number gets them."""
    text = tmp_path / "names.txt"
    text.write_text("ada\nbea\n" * 20, "utf-8")
    others = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    env = others | ({"OPENBLAS_NUM_THREADS": asked} if asked else {})
    command = [sys.executable, "-c", _THREADS, str(text)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    value, threads = done.stdout.split()[-2:]
    assert value == (asked or "1")
    assert asked or threads == "1"


def test_the_front_page_is_what_the_parser_would_say(capsys: Capture) -> None:
    assert run(["--help"]) == 0
    page = capsys.readouterr().out
    root = app()
    lay_out_help(root)
    root(["--help"])
    assert capsys.readouterr().out == page
    assert run([]) == 0
    assert capsys.readouterr().out == page


def test_the_version_is_the_package_s(capsys: Capture) -> None:
    for words in (["--version"], ["--version", "train"], ["train", "--version"]):
        assert run(words) == 0
        assert capsys.readouterr().out == f"{__version__}\n"


def test_a_mistyped_command_is_told_what_it_means(capsys: Capture) -> None:
    for words, meant in (("trian", "train"), ("evalute a", "evaluate"), ("--vesrion", "--version")):
        assert run(words.split()) == 2
        said = capsys.readouterr().err
        typed = words.split()[0]
        assert said.startswith(f'microgpt: Unknown command "{typed}". Did you mean "{meant}"? ')
    assert run(["-"]) == 2
    assert capsys.readouterr().err == (
        'microgpt: Unknown command "-". Available commands: train, sample, score, evaluate, '
        "report, why, data, plot, ... Try --help.\n"
    )
