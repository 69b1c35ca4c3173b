"""Damaged files of a run: read, or refused in one sentence, soon and in little memory.

Each case is a run's folder damaged once, or a few times; then it is used by the calls that users
make. By default there are few cases; `MICROGPT_TEST_CASES` is the number of the slow test's.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import pytest

from microgpt import schema
from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs import prepare
from microgpt.runs.run import Run
from microgpt.training.loop import Steps

from .damage import FILES, damage

CASES = int(os.environ.get("MICROGPT_TEST_CASES", "1500"))
SECONDS = 10
# Beside what a few files of some kilobytes are.
BYTES = 2**28

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are POSIX")

NAMES = "ada alan bea ben bob dana dean eba eda ella ena lea lena neal nell noa noel ola ole"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with names and a run that was stopped: all kinds of files are in it."""
    home = tmp_path_factory.mktemp("whole")
    (home / "names.txt").write_text("\n".join(NAMES.split()) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        with prepare.new(
            Source(files=("names.txt",)), preset_name="micro", out=Path("run"), engine="scalar",
            n_embd=4, n_head=1, n_layer=1, block_size=8, steps=12, batch_size=4, ngram=3,
            log_every=3, holdout=0.3, lr=0.05,
        ) as session:  # fmt: skip
            for event in session:
                if isinstance(event, Steps) and event.last == 7:
                    session.stop()
        # It measures what is usual, and keeps that.
        assert cli(["score", "run", "ada", "bob", "--json"]) == 0
    assert {path.name for path in (home / "run").iterdir()} >= {*FILES}
    (home / "run" / ".lock").unlink(missing_ok=True)
    return home


class HungError(Exception):
    """Raised in a call that takes too long."""


@contextmanager
def bounded() -> Iterator[None]:
    """Limit a call's time and the memory that it may add."""

    def hung(*_: object) -> NoReturn:
        raise HungError

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, hung)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _no_number(_: str) -> NoReturn:
    raise ArithmeticError("not a number")


def _command(*words: str) -> str:
    """Run a command; return its outcome in a word."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli(words)
    if code == 2:
        # What is done without is said before the error, a line each.
        assert all(line.startswith("microgpt: ") for line in err.getvalue().splitlines()), err
        return "told"
    assert code in (0, 1), code
    if "--json" in words and words[0] != "plot":
        for line in out.getvalue().splitlines():
            json.loads(line, parse_constant=_no_number)
    return "answered"


def _scored(engine: str = "auto") -> str:
    scores = Run("run", engine).scores(["ada", "", "noël xyz"])
    if not all(math.isfinite(nats) for score in scores for nats in score.losses):
        raise ArithmeticError("a score that is not finite")
    return "answered"


def _logged() -> str:
    log = Run("run").log
    assert all(math.isfinite(loss) for _, loss in log.curve(9))
    return "answered"


CALLS: dict[str, Callable[[], str]] = {
    "score": _scored,
    "score slowly": lambda: _scored("scalar"),
    "log": _logged,
    "sample": lambda: "answered" if len(Run("run").sample(2)) == 2 else "nothing",
    "evaluate": lambda: _command("evaluate", "run", "--json"),
    "plot": lambda: _command("plot", "run"),
    "runs": lambda: _command("runs", "run", "run"),
    "report": lambda: _command("report", "run"),
    "resume": lambda: _command("train", "--resume", "run", "--json"),
    "judge": lambda: _command("score", "run", "ada", "bob", "--json"),
    "why": lambda: _command("why", "run", "ada"),
}
ALWAYS = ("score", "score slowly", "log", "sample")


def outcome(call: Callable[[], str]) -> str:
    """Return how a call ends: with a result, with an error of ours, or otherwise."""
    try:
        with bounded():
            return call()
    except (UsageError, MicroGPTError) as error:
        return "told" if "\n" not in str(error) else f"of several lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]}"


def fuzz(whole: Path, at: Path, cases: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Try this many cases; count the outcomes, and list the calls that failed."""
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    others = [name for name in CALLS if name not in ALWAYS]
    for case in range(cases):
        rng = random.Random(f"{seed} {case}")
        home = at / "case"
        shutil.copytree(whole, home)
        done = [damage(home / "run", rng)]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            # One of those that take longer, in turn.
            for name in (*ALWAYS, rng.choice(others)):
                how = outcome(CALLS[name])
                ended[how.partition(":")[0]] += 1
                if how not in ("answered", "told"):
                    wrong.append(f"{case} {name} ({'; '.join(done)}): {how}")
        shutil.rmtree(home)
    return ended, wrong


@pytest.mark.parametrize("cases", [30, pytest.param(CASES, marks=pytest.mark.slow)])
def test_a_damaged_file_of_a_run_is_read_or_one_sentence(
    whole: Path, tmp_path: Path, cases: int
) -> None:
    ended, wrong = fuzz(whole, tmp_path, cases)
    print(cases, "cases,", dict(ended))
    assert wrong == []
    # Most damage is told of; some changes nothing that a call looks at.
    assert ended["told"] > ended["answered"] / 2 > 0
    assert sum(ended.values()) == 5 * cases


def test_a_decoder_that_lets_anything_pass_is_found_by_these_cases(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lax(kind: Any, value: Any, name: str = "") -> Any:
        if isinstance(value, dict) and hasattr(kind, "__dataclass_fields__"):
            made = object.__new__(kind)
            vars(made).update(value)
            return made
        return value

    monkeypatch.setattr(schema, "convert", lax)
    _, wrong = fuzz(whole, tmp_path, 15)
    assert len(wrong) > 10


@pytest.mark.parametrize(
    "changed", [{"step": 10**12}, {"heldout": {"loss": 1e300, "positions": 5}}]
)
def test_an_evaluation_far_outside_the_curve_is_drawn_at_once(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    shutil.copytree(whole, tmp_path / "case")
    monkeypatch.chdir(tmp_path / "case")
    lines = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    last = max(i for i, line in enumerate(lines) if "heldout" in line)
    lines[last] |= changed
    Path("run/log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert outcome(CALLS["plot"]) == "answered"
