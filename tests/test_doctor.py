"""The doctor: each symptom's rule on logs written by hand, and what the command says."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.cli.why.ideas import IDEAS
from microgpt.doctor import SYMPTOMS, Evidence, Finding, examine
from microgpt.doctor.finding import UnseenError
from microgpt.doctor.floor import floor, letters
from microgpt.doctor.replay import replayed
from microgpt.errors import DivergedError, UsageError
from microgpt.model import views
from microgpt.runs import checkpoint, prepared
from microgpt.runs.folder import claimed

from .conftest import TINY, laid_out

Lines = list[dict[str, Any]]
STEPS = 60
DOCUMENTS = [*TINY, *(a + b for a in TINY for b in TINY[:8])]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "names.txt").write_text("\n".join(DOCUMENTS))
    microgpt.train(
        folder / "names.txt", preset="microgpt", engine="scalar", n_embd=4, n_head=1,
        block_size=8, steps=STEPS, batch_size=4, holdout=0.25, out=folder / "run",
    )  # fmt: skip
    return Run(folder / "run")  # which computes with the fastest engine


@pytest.fixture
def changed(sound: Run, tmp_path: Path) -> Callable[[Callable[[Lines], Lines]], Run]:
    """Return what makes a copy of the run with another log."""

    def make(change: Callable[[Lines], Lines]) -> Run:
        shutil.copytree(sound.folder, tmp_path / "run")
        log = tmp_path / "run" / "log.jsonl"
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        log.write_text("".join(json.dumps(line) + "\n" for line in change(lines)))
        return Run(tmp_path / "run")

    return make


def found(run: Run, again: Run | None = None) -> dict[str, Finding]:
    return examine(Evidence(run, again)).found


def training(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Lines], Lines]:
    """Change each line of a step."""
    return lambda lines: [line if "heldout" in line else {**line, **change(line)} for line in lines]


def test_a_sound_run_shows_nothing_and_all_that_was_looked_at_is_there(sound: Run) -> None:
    seen = examine(Evidence(sound))
    assert not seen.found
    assert {*seen.unseen} == {"does-not-repeat"}
    assert {*seen.sound} == {*SYMPTOMS} - {"does-not-repeat"}
    assert seen.sound["departs-later"].numbers["step"] == 20
    assert not found(sound, again=sound)


def test_looking_changes_no_file(sound: Run) -> None:
    before = {path: path.read_bytes() for path in sound.folder.iterdir()}
    examine(Evidence(Run(sound.folder)))
    assert {path: path.read_bytes() for path in sound.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("step", "symptom"),
    [(1, "departs-at-first"), (2, "departs-at-update"), (3, "departs-later"),
     (9, "departs-later")],
)  # fmt: skip
def test_a_log_that_departs_from_the_replay_names_the_phase(
    changed: Any, step: int, symptom: str
) -> None:
    off = training(lambda at: {"loss": at["loss"] + 0.003 * (at["step"] >= step)})
    shows = found(changed(off))
    assert {*shows} == {symptom}
    assert shows[symptom].numbers["step"] == step


def test_rounding_is_no_departure(changed: Any) -> None:
    """Floats of 32 bits differ by about this much from the scalar engine's."""
    assert not found(changed(training(lambda at: {"loss": at["loss"] * (1 + 2e-7)})))


def test_a_line_of_many_steps_is_held_against_their_mean(changed: Any, tmp_path: Path) -> None:
    """Its first line cannot tell the first step from the others."""

    def gathered(lines: Lines, off: float) -> Lines:
        steps = [line for line in lines if "heldout" not in line]
        parts = [steps[i : i + 5] for i in range(0, len(steps), 5)]
        means = [sum(s["loss"] * s["positions"] for s in part) for part in parts]
        sizes = [sum(s["positions"] for s in part) for part in parts]
        return [
            {**part[-1], "loss": nats / n + off, "positions": n}
            for part, nats, n in zip(parts, means, sizes)
        ]

    assert not found(changed(lambda lines: gathered(lines, 0.0)))
    shutil.rmtree(tmp_path / "run")
    assert {*found(changed(lambda lines: gathered(lines, 0.003)))} == {"departs-later"}


def test_a_rate_off_its_schedule_is_seen_at_its_first_step(changed: Any) -> None:
    kept = training(lambda at: {"lr": at["lr"] if at["step"] < 31 else 0.005})
    look = found(changed(kept))["off-schedule"]
    assert look.numbers == {"step": 32, "rate": 0.005, "due": pytest.approx(0.01 * 29 / 60)}


def test_batches_of_other_positions_are_seen(changed: Any) -> None:
    fewer = training(lambda at: {"positions": at["positions"] - (at["step"] == 7)})
    shows = found(changed(fewer))
    assert {*shows} == {"other-positions"}
    assert shows["other-positions"].numbers["step"] == 7


def test_a_loss_below_the_floor_is_seen_and_one_just_above_is_not(
    changed: Any, tmp_path: Path
) -> None:
    least = floor(Evidence(changed(lambda lines: lines)).documents)
    for factor, is_below in ((0.9, True), (1.02, False)):
        shutil.rmtree(tmp_path / "run")
        low = changed(training(lambda at, f=factor: {"loss": least * f}))
        assert ("below-floor" in found(low)) == is_below


def test_a_held_out_loss_that_the_checkpoint_does_not_have_is_a_leak(changed: Any) -> None:
    def flatter(lines: Lines) -> Lines:
        last = lines[-1]["heldout"]
        return [*lines[:-1], {**lines[-1], "heldout": {**last, "loss": last["loss"] - 0.02}}]

    assert {*found(changed(flatter))} == {"leak"}


def test_a_loss_that_stays_at_blind_guessing_has_learnt_nothing(changed: Any) -> None:
    flat = training(lambda at: {"loss": math.log(8) + 0.01 * (-1) ** at["step"]})
    shows = found(changed(flat))
    assert {"nothing-learnt"} <= {*shows} <= {"nothing-learnt", "departs-at-first"}


def rising(at: dict[str, Any]) -> dict[str, Any]:
    return {"loss": at["loss"] if at["step"] < 3 else 2.0 + 0.1 * at["step"]}


def test_a_loss_that_rises_where_a_replay_falls_does_not_blame_the_rate(changed: Any) -> None:
    shows = found(changed(training(rising)))
    assert {*shows} == {"rises", "departs-later"}


def test_a_loss_that_only_rises_was_lowest_where_it_began(changed: Any) -> None:
    rose = found(changed(training(lambda at: {"loss": 3.0 + 0.1 * at["step"]})))["rises"]
    assert rose.numbers["lowest"] == rose.numbers["first"] == pytest.approx(3.1)


def test_without_its_documents_the_rate_is_blamed(changed: Any, sound: Run) -> None:
    run, names = changed(training(rising)), sound.folder.parent / "names.txt"
    away = names.rename(names.with_suffix(".away"))
    try:
        seen = examine(Evidence(run))
    finally:
        away.rename(names)
    assert {*seen.found} == {"rate-too-high"}
    assert "names.txt" in seen.unseen["departs-at-first"]


def test_a_rate_that_is_too_high_is_blamed_where_the_replay_rises_too(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(DOCUMENTS))
    with pytest.warns(UserWarning, match="Try a smaller learning rate"):
        run = microgpt.train(
            tmp_path / "names.txt", preset="microgpt", n_embd=4, n_head=1, block_size=8,
            steps=STEPS, batch_size=4, lr=3.0, out=tmp_path / "run",
        )  # fmt: skip
    assert {*found(run)} == {"rate-too-high"}


def test_what_is_learnt_by_heart_is_seen_by_the_held_out_loss(changed: Any) -> None:
    def overfits(lines: Lines) -> Lines:
        own = {"positions": 500, "standard_error": 0.03}
        losses = (2.0, 1.8, 1.9, 2.3)
        steps = [line for line in lines if "heldout" not in line]
        at = [{"step": 12 * i, "heldout": {**own, "loss": x}} for i, x in enumerate(losses, 1)]
        closing = {"step": 60, "heldout": {**own, "loss": 1.8, "kept": 24}}
        return [*steps, *at, closing]

    shows = found(changed(overfits))["learnt-by-heart"]
    numbers = ("best_step", "best", "last_step", "last")
    assert [shows.numbers[name] for name in numbers] == [24, 1.8, 48, 2.3]


def test_a_loss_that_is_no_number_is_the_rate_s_and_departs_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(DOCUMENTS))
    with pytest.raises(DivergedError):
        microgpt.train(
            tmp_path / "names.txt", preset="microgpt", steps=60, lr=1e200, out=tmp_path / "run"
        )
    shows = found(Run(tmp_path / "run"))
    assert {*shows} == {"broke-off", "rate-too-high"}
    assert shows["rate-too-high"].numbers["not_finite"] == 2


def test_a_step_that_would_take_minutes_is_not_made_again(tmp_path: Path) -> None:
    run = microgpt.train(
        DOCUMENTS, preset="micro", n_embd=8, n_head=1, steps=2, out=tmp_path / "run"
    )
    task = prepared.in_memory(DOCUMENTS, preset_name="small", engine="scalar").trainer.task
    with pytest.raises(UnseenError, match="takes too long for a step"):
        replayed(task, task.first_state(), run.log, ("scalar", None, None), is_coarse=False)


def test_a_first_loss_far_above_blind_guessing_is_seen(changed: Any) -> None:
    high = training(lambda at: {"loss": at["loss"] * (2.0 if at["step"] == 1 else 1.0)})
    assert {*found(changed(high))} == {"began-high", "departs-at-first"}


def test_a_log_longer_than_the_checkpoint_broke_off_unless_it_is_still_being_written(
    changed: Any,
) -> None:
    run = changed(lambda lines: lines)
    saved = checkpoint.load(run.folder, run.settings.model)
    progress = microgpt.training.progress.Progress(lines=20)
    state = replace(saved.state, updates=20)
    checkpoint.save(run.folder, run.settings.model, replace(saved, state=state, progress=progress))
    assert found(run)["broke-off"].numbers == {"logged": 60, "saved": 20, "running": False}
    with claimed(run.folder):
        assert "broke-off" not in found(run)


@pytest.mark.parametrize(
    ("matrix", "rows", "said"),
    [("wte", slice(None), "wte"), ("layer0.attn_wq", slice(None), "layer0.attn_wq"),
     ("wpe", slice(1, 3), "2 of 8 rows of wpe")],
)  # fmt: skip
def test_a_matrix_or_an_embedding_that_has_not_moved_is_named(
    changed: Any, matrix: str, rows: slice, said: str
) -> None:
    run = changed(lambda lines: lines)
    saved = checkpoint.load(run.folder, run.settings.model)
    first = Evidence(run).task.first_state().parameters
    views(saved.state.parameters, run.settings.model)[matrix][rows] = views(
        first, run.settings.model
    )[matrix][rows]
    checkpoint.save(run.folder, run.settings.model, saved)
    assert found(run)["not-moved"].numbers["still"] == [said]


def test_a_training_that_does_not_repeat_is_seen_beside_another(changed: Any, sound: Run) -> None:
    other = changed(training(lambda at: {"loss": at["loss"] + 0.01 * (at["step"] > 4)}))
    look = found(sound, again=other)["does-not-repeat"]
    assert look.numbers["step"] == 5


def test_a_second_run_of_other_settings_is_refused(sound: Run, model: Run) -> None:
    with pytest.raises(UsageError, match="must have the settings of the first one"):
        Evidence(sound, model)


def test_the_floor_counts_the_orders_in_which_documents_can_come() -> None:
    """Of every order the code length of one who knows all that can still come is the floor."""
    documents = [(0,), (1,), (2, 2), (2, 2), (0, 1), (0, 1)]
    batch = laid_out([[*d] for d in documents], bos=3)
    for order in {*permutations(documents)}:
        left, nats = Counter(documents), 0.0
        for document in order:
            nats -= math.log(left[document] / left.total())
            left[document] -= 1
        assert nats / batch.positions == pytest.approx(floor(batch), rel=1e-12)


def test_windows_are_told_their_first_token() -> None:
    """Of two documents of five positions in a block of three: the second windows are alike."""
    batch = laid_out([[0, 1, 2, 4], [1, 0, 2, 4]], bos=5, block_size=3)
    assert len(batch) == 4
    assert floor(batch) == pytest.approx(math.log(2) / 10)  # the order of the first windows


def test_the_letters_are_the_entropy_of_all_targets() -> None:
    batch = laid_out([[0, 0, 1], [0]], bos=2)
    times = np.array([3, 1, 2]) / 6
    assert letters(batch) == pytest.approx(-(times * np.log(times)).sum())


def test_every_symptom_has_a_page_of_the_course_and_speaks_in_sentences() -> None:
    for name, symptom in SYMPTOMS.items():
        assert symptom.idea in IDEAS, name
        for text in (symptom.title, symptom.cause, symptom.remedy):
            assert text.endswith(".")
            assert text[0].isupper() or text.startswith("microgpt")


def test_the_command_says_what_was_looked_at(
    sound: Run, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["doctor", str(sound.folder)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith("run: no symptom")
    assert "Looked at, and sound:" in out
    assert "microgpt doctor RUN AGAIN" in out
    off = changed(training(lambda at: {"loss": at["loss"] + 0.01 * (at["step"] > 2)}))
    assert cli(["doctor", str(off.folder)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith("run: 1 symptom")
    for text in ("seen     step 3 has ", "usually  Gradients that", "read     microgpt why gradi"):
        assert f"  {text}" in out
    assert cli(["doctor", str(off.folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (symptom,) = told["symptoms"]
    assert (symptom["name"], symptom["step"]) == ("departs-later", 3)
    assert len(told["sound"]) + len(told["unseen"]) == len(SYMPTOMS) - 1


def test_the_command_tells_a_mistake_in_one_line(
    sound: Run, model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["doctor", str(sound.folder), str(model.folder)]) == 2
    assert "must have the settings of the first one" in capsys.readouterr().err
    assert cli(["doctor", "none-such"]) == 2
    assert "no such run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("log.jsonl", b"", ": the log has no step yet. Train the run first."),
        ("log.jsonl", b"nonsense\n{}\n", ": line 1: damaged or foreign"),
        ("checkpoint.safetensors", b"nonsense", ": damaged"),
        ("checkpoint.safetensors", None, ": not a run: it has no checkpoint.safetensors."),
    ],
)
def test_a_run_that_cannot_be_read_is_a_mistake_and_not_sound(
    changed: Any, capsys: pytest.CaptureFixture[str], file: str, content: bytes | None, told: str
) -> None:
    path = changed(lambda lines: lines).folder / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert cli(["doctor", str(path.parent)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert told in printed.err
