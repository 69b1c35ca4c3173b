"""Fixtures of all tests: the engines, a tiny corpus, the texts to measure on."""

from __future__ import annotations

import importlib
import io
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from copy import copy
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import hypothesis
import numpy as np
import pytest
from cyclopts import App, ArgumentCollection
from filelock import FileLock
from numpy.typing import NDArray

import microgpt
from microgpt import model as gpt
from microgpt.cli.app import run as cli
from microgpt.config import GPTConfig
from microgpt.data import batch
from microgpt.data.batch import Batches
from microgpt.engines import ENGINES, open_engine
from microgpt.engines.contract import Engine, State
from microgpt.engines.ensemble import Ensemble
from microgpt.runs.run import Run

# Where this names engines, as in CI, one that is missing fails instead of skipping.
REQUIRED = tuple(filter(None, os.environ.get("MICROGPT_TEST_ENGINES", "").split(",")))
# Likewise what other programs a test needs: "postgresql", "chromium".
REQUIRED_PROGRAMS = tuple(filter(None, os.environ.get("MICROGPT_TEST_PROGRAMS", "").split(",")))
# Beside the checkout unless this says where.
DATA = Path(
    os.environ.get("MICROGPT_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)

# What each engine computes in.
PRECISION = {"scalar": np.float64, "native": np.float32, "torch": np.float32}

# How far a loss may lie from what it is with other documents beside it, relatively: PyTorch's
# matrix products round by the shape of the whole batch.
BESIDE = {"scalar": 1e-12, "native": 1e-12, "torch": 1e-6}

TINY = [
    "ada", "alan", "anna", "bea", "ben", "bob", "dana", "dean", "eba", "eda", "ella", "ena", "lea",
    "lena", "nan", "neal", "nell", "noa", "noel", "ola",
]  # fmt: skip


def examples(most: int) -> int:
    """Return how many random examples to try: a third, and in CI all."""
    return most if REQUIRED else most // 3


def some(cases: Iterable[Any], *places: int) -> list[Any]:
    """Return a test's cases: those at these places as they are, the others for CI, as slow."""
    return [
        case
        if place in places
        else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for place, case in enumerate(cases)
    ]


# No deadline: an example's time depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None, max_examples=examples(100))
hypothesis.settings.load_profile("untimed")


@pytest.fixture(params=[*ENGINES, *(name for name in REQUIRED if name not in ENGINES)])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Return an engine's name; a test runs once for each."""
    name: str = request.param
    try:
        open_engine(name, GPTConfig(vocab_size=3))
    except Exception as error:
        if name in REQUIRED:
            raise
        pytest.skip(str(error))
    return name


def required(program: str, reason: str) -> NoReturn:
    """Skip a test if a program is missing; fail it where that program is required."""
    if program in REQUIRED_PROGRAMS:
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """Return the program that writes the docs."""
    return importlib.import_module("make")


@pytest.fixture
def tiny() -> list[str]:
    """Return twenty short names."""
    return list(TINY)


@pytest.fixture
def names() -> Path:
    """Return the corpus of the original; skip the test where it is missing."""
    return _data("names.txt")


def _data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the checkout")
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test write its runs into a folder of its own, and not wait for the disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Clock:
    """A clock that advances only when a test lets something take time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now

    def steps_take(self, seconds: float, engine: type[Any], patch: pytest.MonkeyPatch) -> None:
        """Let every update of an engine take a number of seconds on the clock."""
        train = engine.train

        def slowly(own: Engine, batches: Batches, lr_K: NDArray[np.float64]) -> object:
            self.now += seconds * batches.n_steps
            return train(own, batches, lr_K)

        patch.setattr(engine, "train", slowly)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the trainings' clock, so that the machine's load does not matter."""
    made = Clock()
    monkeypatch.setattr(time, "perf_counter", made.perf_counter)
    return made


@pytest.fixture(autouse=True)
def _migrations_run_once() -> None:
    """Let a process run Optuna's migration scripts once: that is most of opening a database."""
    scripts = sys.modules.get("alembic.util.pyfiles")
    if scripts and not hasattr(scripts.load_module_py, "cache_info"):
        vars(scripts)["load_module_py"] = lru_cache(scripts.load_module_py)


@pytest.fixture(autouse=True, scope="session")
def _flags_are_read_once() -> None:
    """Let a process make the flags of a command once: tests call a thousand commands."""
    assemble, kept = App.assemble_argument_collection, dict[Any, ArgumentCollection]()

    def once(self: App, **how: Any) -> ArgumentCollection:
        key = (self.default_command, repr(how))
        if key not in kept:
            kept[key] = assemble(self, **how)
        flags = {id(flag): copy(flag) for flag in kept[key]}
        for flag in flags.values():
            flag.tokens = []  # the words that a command gives it
            flag.children = ArgumentCollection(flags[id(child)] for child in flag.children)
        return ArgumentCollection(flags.values())

    App.assemble_argument_collection = once  # type: ignore[method-assign]


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the trials of sweeps in no database: it takes longer than what a sweep thinks."""
    kept: dict[str, Any] = {}

    def connect(address: str, *, beats: bool = False) -> Any:
        from optuna.storages import InMemoryStorage

        storage: Any = kept.setdefault(address, InMemoryStorage())
        storage.engine = SimpleNamespace(dispose=lambda: None)
        return storage

    monkeypatch.setattr("microgpt.sweep.study.connect", connect)


def opened(name: str, config: GPTConfig, seed: int = 1, std: float = 0.3, **kind: object) -> Engine:
    """Open an engine on random parameters, large enough that no gradient is tiny."""
    engine = open_engine(name, config, **kind)  # type: ignore[arg-type]
    rng = random.Random(seed)
    spread = GPTConfig(**{**vars(config), "init_std": std, "zero_init": False})
    models = len(engine.members) if isinstance(engine, Ensemble) else 1
    engine.load(State.fresh(gpt.joined([gpt.initial(spread, rng) for _ in range(models)])))
    return engine


def hair(name: str) -> float:
    """Return an engine's permitted relative rounding: some units in the last place."""
    return 16 * float(np.finfo(PRECISION[name]).eps)


def as_kept(name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round numbers to what an engine computes in."""
    with np.errstate(over="ignore"):
        return numbers.astype(PRECISION[name]).astype(np.float64)


def laid_out(documents: list[list[int]], bos: int, block_size: int = 16) -> batch.Batch:
    """Lay token ids out in windows."""
    return batch.lay_out(documents, bos, block_size).batch


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a small run with some held-out documents."""
    folder = tmp_path_factory.mktemp("score")
    (folder / "names.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY[:6])]))
    return microgpt.train(
        folder / "names.txt", engine="scalar", preset="microgpt",
        n_embd=4, n_head=1, block_size=6, steps=40, holdout=0.3, out=folder / "run",
    )  # fmt: skip


def out(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """Return what a successful command prints: all of it on stdout, without style."""
    assert cli([*words.split()]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    return printed.out


class Terminal(io.StringIO):
    """A terminal that records what is written."""

    def isatty(self) -> bool:
        return True


def shown(words: str, width: int, monkeypatch: pytest.MonkeyPatch, **env: str) -> str:
    """Return what a command shows on a terminal of this width, in columns."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color", **env}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", terminal)
        assert cli(words.split()) == 0
    return terminal.getvalue()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of one module: its driver's loop must not outlive them."""
    from .browser import chromium  # which skips where there is none

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the docs, built by the first process that needs it."""
    from .sites import built  # which skips where its tools are missing

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which all processes share
    with FileLock(folder / "site.lock"):
        if not (folder / "site").exists():
            done = built(folder / "site")
            assert (done.returncode, done.stderr) == (0, "")
    return folder / "site"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run trained on names and on texts that would act as code in a page; alone in its folder."""
    from .studios import hostile_run

    return hostile_run(tmp_path_factory.mktemp("runs"))


# Batches that no engine with a border takes, for a block of 6 and 5 tokens, and what it says.
REFUSED = pytest.mark.parametrize(
    ("tokens", "targets", "offsets", "text"),
    [
        ([1, 7], [0, 0], [0, 2], "token at position 1 must be in [0, 5); got 7."),
        ([1, -1], [0, 0], [0, 2], "token at position 1 must be in [0, 5); got -1."),
        ([1, 1], [0, -1], [0, 2], "target at position 1 must be in [0, 5); got -1."),
        ([1] * 7, [1] * 7, [0, 7], "a document must have 1 to block_size=6 positions; got 7 in"),
        ([1, 1], [1, 1], [0, 0, 2], "a document must have 1 to block_size=6 positions; got 0 in"),
        ([1, 1], [1, 1], [0, 5, 2], "a document must have 1 to block_size=6 positions; got 5 in"),
        ([1, 1], [1, 1], [0, 3], "documents must run from position 0 to the last; got 0 to 3"),
        ([1, 1], [1], [0, 2], "targets must be as many as tokens, 2; got 1."),
        ([], [], [0], "a batch must have a document; got none."),
    ],
)
