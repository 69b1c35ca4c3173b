"""A training that is interrupted anywhere and resumed equals one that never was."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.data.corpus import Source
from microgpt.runs import prepare
from microgpt.runs.session import Session
from microgpt.training import pace
from microgpt.training.loop import Steps

from .conftest import some

STEPS = 22
# 20 documents: with a batch of 4 an epoch ends every five steps or earlier.
RECIPE: dict[str, Any] = {
    "steps": STEPS, "order": "per-epoch", "long": "window", "n_embd": 2, "n_head": 1,
    "block_size": 4, "engine": "scalar",
}  # fmt: skip
TRAIN = "train t.txt --n-embd 2 --n-head 1 --block-size 4 --engine scalar"
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine stand still, and the checkpoint be saved, after every step."""
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(pace, "SAVE_SHARE", 1e9)


@pytest.fixture
def file(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny))


def finish(training: Session, stop_at: int = 0) -> None:
    with training:
        for event in training:
            if isinstance(event, Steps) and event.last == stop_at:
                training.stop()


def left(folder: Path) -> tuple[bytes, list[dict[str, Any]]]:
    """Return the checkpoint's bytes, and the log without what depends on the clock."""
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for record in records:
        record.pop("seconds", None)
    return (folder / "checkpoint.safetensors").read_bytes(), records


def uninterrupted(folder: Path, documents: Sequence[str], **told: Any) -> tuple[bytes, list[Any]]:
    finish(prepare.new(documents, out=folder, **RECIPE, **told))
    return left(folder)


def differences(
    whole: tuple[bytes, list[Any]], folders: Iterator[tuple[object, Path]], tiny: list[str]
) -> list[str]:
    """Resume each folder; return where its end differs from the uninterrupted training's."""
    found = []
    for where, folder in folders:
        finish(prepare.resume(folder, documents=tiny))
        checkpoint, log = left(folder)
        found += [f"{where}: the checkpoint"] if checkpoint != whole[0] else []
        found += [f"{where}: {set(map(str, whole[1])) ^ set(map(str, log))}"] * (log != whole[1])
    return found


# In these every two of the settings meet in all ways; in the others they do all three. By
# default each has both of its values.
PAIRS = [(1, 0.0, 1), (1, 0.2, 4), (7, 0.0, 4), (7, 0.2, 1)]
OTHERS = [(1, 0.0, 4), (1, 0.2, 1), (7, 0.0, 1), (7, 0.2, 4)]


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    ("log_every", "holdout", "batch_size"),
    some([*PAIRS, *OTHERS], 2, 3),
)
def test_a_stop_at_any_step_leaves_no_trace_after_resuming(
    tmp_path: Path, tiny: list[str], log_every: int, holdout: float, batch_size: int
) -> None:
    told = {"log_every": log_every, "holdout": holdout, "batch_size": batch_size}
    whole = uninterrupted(tmp_path / "whole", tiny, **told)

    def stopped() -> Iterator[tuple[int, Path]]:
        for at in (6, 13, STEPS - 1, STEPS):
            finish(prepare.new(tiny, out=tmp_path / f"{at}", **RECIPE, **told), stop_at=at)
            yield at, tmp_path / f"{at}"

    assert differences(whole, stopped(), tiny) == []


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("holdout", [0.0, 0.2])
@pytest.mark.parametrize("log_every", some([1, 7], 0))
def test_a_crash_at_any_event_leaves_no_trace_after_resuming(
    tmp_path: Path, tiny: list[str], log_every: int, holdout: float
) -> None:
    told = {"log_every": log_every, "holdout": holdout}
    crashes = []
    # What the disk holds at an event is what a kill -9 leaves then.
    with prepare.new(tiny, out=tmp_path / "whole", **RECIPE, **told) as training:
        for event in training:
            at = event.last if isinstance(event, Steps) else event.step
            crashes.append(tmp_path / f"{type(event).__name__}{at}")
            shutil.copytree(tmp_path / "whole", crashes[-1])
    some = [crashes[0], *crashes[4:-5:5], *crashes[-5:]]
    named = ((folder.name, folder) for folder in some)
    assert differences(left(tmp_path / "whole"), named, tiny) == []


@pytest.mark.usefixtures("often")
def test_a_row_of_stops_and_crashes_leaves_no_trace(tmp_path: Path, tiny: list[str]) -> None:
    told = {"log_every": 7, "batch_size": 4}
    whole = uninterrupted(tmp_path / "whole", tiny, **told)
    finish(prepare.new(tiny, out=tmp_path / "0", **RECIPE, **told), stop_at=1)
    for at in range(1, STEPS):
        with prepare.resume(tmp_path / f"{at - 1}", documents=tiny) as training:
            next(iter(training))
            shutil.copytree(training.folder, tmp_path / f"{at}")
        finish(prepare.resume(tmp_path / f"{at}", documents=tiny), stop_at=at + 1)
    assert differences(whole, iter([("the last", tmp_path / f"{at}")]), tiny) == []


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("log_every", [1, 7])
def test_resuming_a_finished_run_changes_nothing_and_says_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log_every: int
) -> None:
    assert run(f"{TRAIN} --steps 20 --holdout 0.2 --log-every {log_every} --out r".split()) == 0
    first = capsys.readouterr().out
    before = {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()}
    assert run(["train", "--resume", "r"]) == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()} == before
    # The closing lines are what they were: the mean of the last steps, held out, the ladder.
    again = capsys.readouterr().out
    assert again[again.index("Mean of the last") :] == first[first.index("Mean of the last") :]


@pytest.mark.usefixtures("often", "file")
def test_the_closing_lines_of_a_resumed_training_tell_of_as_many_steps_as_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Source(files=("t.txt",))
    finish(prepare.new(source, out=tmp_path / "r", log_every=7, **RECIPE), stop_at=STEPS - 2)
    assert run(["train", "--resume", "r"]) == 0
    one, other = re.findall(r"the last (\d+) steps", capsys.readouterr().out)
    assert one == other


@pytest.mark.usefixtures("often", "file")
@pytest.mark.parametrize("holdout", ["0", "0.2"])
def test_a_training_whose_log_is_lost_goes_on_and_compares_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], holdout: str
) -> None:
    words = f"{TRAIN} --steps 12 --holdout {holdout} --out r"
    assert run(words.split()) == 0
    first = capsys.readouterr().out
    (tmp_path / "r" / "log.jsonl").unlink()
    assert run(["train", "--resume", "r"]) == 0
    again = capsys.readouterr().out
    assert "Mean of the last" not in again
    assert " ┃ pairs " in first
    assert " ┃ pairs " in again
    finish(prepare.new(Source(files=("t.txt",)), out=tmp_path / "s", **RECIPE), stop_at=9)
    (tmp_path / "s" / "log.jsonl").unlink()
    assert run(["train", "--resume", "s"]) == 0
    assert [line["step"] for line in left(tmp_path / "s")[1]][:2] == [10, 11]


@pytest.mark.usefixtures("file")
def test_a_folder_with_files_of_somebody_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("tokenizer.json", "log.jsonl", "checkpoint.safetensors"):
        (tmp_path / "mine" / name).write_text("mine")
        assert run(f"{TRAIN} --steps 2 --out mine".split()) == 2
        assert "must be empty or new; it holds" in capsys.readouterr().err
        assert (tmp_path / "mine" / name).read_text() == "mine"
        # Not even where a training was refused before, and has left its lock.
        assert run(f"{TRAIN} --steps 2 --out mine".split()) == 2
        assert (tmp_path / "mine" / name).read_text() == "mine"
        capsys.readouterr()
    assert sorted(p.name for p in (tmp_path / "mine").iterdir() if p.name != ".lock") == sorted(
        ("tokenizer.json", "log.jsonl", "checkpoint.safetensors")
    )


def started(words: str, often: bool = False, begun: str = "") -> subprocess.Popen[str]:
    """Start a training in a process of its own, which Ctrl-C reaches as in a terminal.

    The file `begun` exists from the first step on.
    """
    patch = "pace.SAVE_SECONDS = 0.02; pace.SAVE_SHARE = 1e9;" if often else ""
    if begun:
        patch += (
            "from pathlib import Path; from microgpt.engines.scalar import ScalarEngine;"
            "train = ScalarEngine.train;"
            f"ScalarEngine.train = lambda *told: Path('{begun}').touch() or train(*told);"
        )
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"from microgpt.training import pace; {patch} from microgpt.cli.app import main; main()"
    )
    command = [sys.executable, "-u", "-c", program, *words.split()]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")


def read_until(process: subprocess.Popen[str], start: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@posix
@pytest.mark.usefixtures("file")
def test_a_kill_in_mid_training_and_a_resume_are_as_if_nothing_had_happened(tmp_path: Path) -> None:
    words = f"{TRAIN} --steps 400 --holdout 0.2 --order per-epoch --log-every 3 --out"
    process = started(f"{words} killed", often=True)
    read_until(process, "step 180:")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(left(tmp_path / "killed")[1]) < 100
    # The lock went with the process.
    finish(prepare.resume(tmp_path / "killed"))
    assert run(f"{words} whole".split()) == 0
    assert left(tmp_path / "killed") == left(tmp_path / "whole")


@posix
@pytest.mark.usefixtures("file")
def test_ctrl_c_saves_and_says_how_to_go_on_and_a_second_training_is_refused_meanwhile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"{TRAIN} --steps 100000 --log-every 50 --out r"
    process = started(words)
    read_until(process, "step 50:")
    assert run(["train", "--resume", "r"]) == 2
    assert run(words.split()) == 2
    refused = (
        "microgpt: r: another training is writing to it. Wait for it, or choose another --out."
    )
    assert capsys.readouterr().err.splitlines() == [refused, refused]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    stopping = "Stopping after this step. Ctrl-C again ends at once.\n"
    sentence = (
        stopping
        + r"Stopped after step ([\d,]+) and saved\. Go on with: microgpt train --resume r\n"
    )
    stopped = re.fullmatch(sentence, err)
    assert stopped is not None
    with prepare.resume(tmp_path / "r") as training:
        assert training.updates == int(stopped[1].replace(",", "")) >= 50


@pytest.mark.slow
@posix
@pytest.mark.usefixtures("file")
def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    # A step of this takes many seconds.
    process = started(
        "train t.txt --n-embd 64 --n-head 1 --batch-size 60 --engine scalar --out r",
        begun="begun",
    )
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "Stopping after this step. Ctrl-C again ends at once.\n"
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    with prepare.resume(tmp_path / "r") as training:
        assert training.updates == 0
