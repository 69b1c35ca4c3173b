"""`microgpt sweep`: its trials, comparisons, files and output."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.errors import DivergedError, SweepError
from microgpt.runs.run import Run
from microgpt.sweep import folder
from microgpt.sweep.knob import KNOBS
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import Report, TrialTrainer
from microgpt.sweep.trial import Trial, best
from microgpt.sweep.worker import Failed, Workers
from microgpt.training.presets import PRESETS

from .conftest import TINY

# Small enough for any engine.
TOLD = (
    "t.txt --preset microgpt --steps 40 --holdout 0.2 --seed 7 --budget 1h --jobs 1 "
    "--knob block_size=8 --knob lr=0.001..0.1 --knob n_embd=4,8 --knob n_head=1,2"
)
Capture = pytest.CaptureFixture[str]
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


@pytest.fixture(autouse=True)
def file(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny) + "\n")


def settings(**told: Any) -> SweepSettings:
    given: dict[str, Any] = {
        "preset": "microgpt", "tokenizer": "characters", "source": Source(files=("t.txt",)),
        "fingerprint": corpus.from_documents(TINY).fingerprint, "engine": "scalar",
        "seconds": None, "steps": 10, "holdout": 0.2, "seed": 3,
        "knobs": ("lr=0.001..0.1", "n_embd=4,8"),
    }  # fmt: skip
    return SweepSettings(**{**given, **told})


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with a sweep in `s` of five trials, and what was printed of it as JSON."""
    at = tmp_path_factory.mktemp("swept")
    (at / "t.txt").write_text("\n".join(TINY) + "\n")
    words = [sys.executable, "-W", "error", "-m", "microgpt", "sweep", *TOLD.split()]
    words += ["--trials", "5", "--json", "--out", "s"]
    done = subprocess.run(words, cwd=at, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    return at, objects(done.stdout)


def test_a_trial_s_loss_is_that_of_the_run_it_stands_for(tiny: list[str]) -> None:
    told = settings()
    values = {"lr": 0.05, "n_embd": 8}
    *early, last = TrialTrainer(told, corpus.from_documents(tiny)).run(values)
    assert [report.percent for report in early] == [12, 25, 50]
    assert (last.percent, last.steps) == (100, 10)
    microgpt.train("t.txt", steps=10, holdout=0.2, seed=3, engine="scalar", out="r", **values)
    trained = Run("r", engine="scalar")
    assert last.loss == pytest.approx(trained.evaluate(trained.documents[1]).loss, rel=1e-12)


def test_all_trials_are_measured_on_the_same_text_whatever_their_block() -> None:
    text = ["abcdefghijklmnopqrstuvwxyz"[i:] for i in range(20)]
    trainer = TrialTrainer(settings(), corpus.from_documents(text))

    def read(block_size: int) -> list[int]:
        batch = trainer._laid_out(early=False, block_size=block_size)
        return batch.counted(batch.targets_N).tolist()

    assert read(3) == read(8) == read(100)
    assert len(read(3)) == sum(len(document) + 1 for document in trainer.held_out)


def test_what_is_given_up_is_trained_no_further(tiny: list[str]) -> None:
    reports = TrialTrainer(settings(steps=100), corpus.from_documents(tiny)).run({"lr": 0.01})
    assert next(reports).steps == 15


def test_the_sweep_tells_every_trial_and_keeps_it(
    swept: tuple[Path, list[dict[str, Any]]],
) -> None:
    at, (*trials, summary) = swept
    assert [trial["trial"] for trial in trials] == [1, 2, 3, 4, 5]
    assert all(set(trial["knobs"]) == {"lr", "n_embd", "n_head"} for trial in trials)
    assert (summary["trials"], summary["done"]) == (5, 5)
    assert summary["best"] == min(trials, key=lambda trial: trial["loss"])
    about = folder.read_json(at / "s", "sweep.json", folder.SweepRecord.from_json)
    assert (about.study, about.storage, about.settings.steps) == ("s", None, 40)
    study = Study(f"sqlite:///{at / 's' / 'study.db'}", "s", about.settings)
    kept = study.trials()
    study.close()
    assert [(t.number, t.loss, t.values) for t in kept] == [
        (t["trial"], t["loss"], t["knobs"]) for t in trials
    ]
    assert (at / "s" / "knobs.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_is_a_run_and_the_command_makes_it_again(
    swept: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    at, (*_, summary) = swept
    monkeypatch.chdir(at)
    found = microgpt.load(summary["run"])
    assert summary["run"] == str(Path("s", "best"))
    assert found.log.steps == 40
    # The budget is in steps: the clock decides nothing.
    assert summary["loss"] == summary["best"]["loss"]
    assert run(shlex.split(summary["command"])[1:]) == 0
    made = re.search(r"--out (\S+)", summary["command"])
    assert made is not None
    for name in ("checkpoint.safetensors", "tokenizer.json", "samples.txt"):
        assert Path(made[1], name).read_bytes() == (found.folder / name).read_bytes(), name
    # The sweep has asked for every setting, the command for those that the preset has otherwise.
    settings = microgpt.load(made[1]).settings
    assert settings == replace(found.settings, asked=settings.asked)
    assert run(["sample", "s/best", "-n", "2"]) == 0


@pytest.mark.slow
def test_the_same_seed_tries_the_same_and_resuming_adds_to_it(
    swept: tuple[Path, list[dict[str, Any]]], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (*trials, _) = swept
    monkeypatch.setattr("microgpt.cli.sweep.knobs.save", lambda *_: None)
    assert run(f"sweep {TOLD} --trials 3 --out s --json".split()) == 0
    *first, _ = objects(capsys.readouterr().out)

    def tried(records: list[dict[str, Any]]) -> list[Any]:
        return [(record["knobs"], record["loss"], record["steps"]) for record in records]

    assert tried(first) == tried(trials)[:3]
    assert run(["sweep", "--resume", "s", "--trials", "5", "--budget", "1h", "--jobs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "Going on after 3 trials." in printed
    assert "5 trainings: 5 whole" in printed
    assert "\x1b" not in printed
    row = min(first, key=lambda record: record["loss"])
    assert re.search(rf"^ *(?:{row['trial']}|preset) +{row['loss']:.4f} ", printed, re.M)
    # What is there is there: nothing is trained that was trained before.
    before = Path("s/best/checkpoint.safetensors").stat().st_mtime_ns
    assert run(["sweep", "--resume", "s", "--trials", "5"]) == 0
    assert Path("s/best/checkpoint.safetensors").stat().st_mtime_ns == before


@pytest.mark.usefixtures("in_memory")
def test_the_preset_itself_is_the_first_trial_where_the_knobs_hold_it(tmp_path: Path) -> None:
    for knobs, values in (((), len(KNOBS)), (("lr=0.02..0.03",), 0)):
        told = settings(knobs=knobs)
        study = Study(f"sqlite:///{tmp_path / f'{values}.db'}", "s", told)
        number, first = study.ask()
        model, training = told.configs({}, 1)
        own = {name: {**vars(model), **vars(training)}[name] for name in first}
        assert (number, len(first) == len(KNOBS), first == own) == (1, bool(values), bool(values))
        study.close()


@pytest.mark.usefixtures("in_memory")
def test_what_falls_behind_is_given_up_and_what_diverged_is_not_the_best(tmp_path: Path) -> None:
    study = Study(f"sqlite:///{tmp_path / 's.db'}", "s", settings())

    def trial(*losses: float) -> Trial:
        number, _ = study.ask()
        report = None
        for percent, loss in zip((12, 25, 50, 100), losses):
            report = Report(percent, loss, percent, 0.0)
            if percent < 100 and study.report(number, report):
                return study.tell(number, "pruned", report)
        return study.tell(number, "done" if len(losses) == 4 else "diverged", report)

    usual = [trial(3.0 + i / 100, 2.8, 2.6, 2.5 + i / 100) for i in range(8)]
    assert {each.outcome for each in usual} == {"done", "pruned"}
    behind, ahead, lost = trial(9.0, 8.0, 7.0, 0.1), trial(1.0, 0.9, 0.8, 0.7), trial(0.1)
    assert (behind.outcome, behind.loss) == ("pruned", 9.0)
    assert (ahead.outcome, lost.outcome) == ("done", "diverged")
    assert best(study.trials()) == ahead
    assert study.trials() == [*usual, behind, ahead, lost]
    study.close()


def test_a_trial_that_diverges_or_cannot_be_is_told_and_the_next_one_trained(
    tiny: list[str],
) -> None:
    data = corpus.from_documents(tiny)
    with Workers(settings(), data, 1) as workers:
        told = []
        (worker,) = workers.all
        trials = [{"lr": 1e300}, {"n_embd": 7}, {"lr": 0.01}]
        while len(told) < 3:
            for waiting in workers.waiting:
                workers.give(waiting, len(told), trials[len(told)])
            for _, message in workers.messages(10.0):
                if isinstance(message, Failed) or (message and message.percent == 100):
                    told.append(message)
                    worker.trial = None
        diverged, impossible, good = told
        assert isinstance(diverged, Failed)
        assert diverged.diverged
        assert isinstance(impossible, Failed)
        assert impossible.why == "n_embd must be a multiple of n_head; got n_embd=7, n_head=4."
        assert isinstance(good, Report)
        workers.give(worker, 4, trials[2])
        worker.process.kill()
        with pytest.raises(SweepError, match=r"^a worker ended by itself \(code -?\d+\)"):
            while True:
                list(workers.messages(10.0))
    with pytest.raises(DivergedError):
        list(TrialTrainer(settings(), data).run({"lr": 1e300}))


@pytest.mark.slow
def test_a_sweep_whose_best_is_worse_than_a_blind_guess_is_no_success(capsys: Capture) -> None:
    words = "sweep t.txt --steps 60 --holdout 0.2 --knob lr=100..900 --trials 1 --jobs 1 --out s"
    words += " --budget 1h --preset microgpt --engine scalar --knob block_size=8 --knob n_embd=4"
    assert run(words.split()) == 1
    told = capsys.readouterr()
    assert re.search(
        r"^microgpt: the best training costs [\d.e+]+ nats, and blind guessing 2\.08\. "
        r"Try lower learning rates, or longer trainings\.$",
        told.err,
        re.MULTILINE,
    )
    assert "The same by hand:" in told.out


def test_a_sweep_in_which_nothing_comes_to_its_end_says_so(capsys: Capture) -> None:
    words = "sweep t.txt --steps 9 --holdout 0.2 --trials 2 --jobs 1 --out s --engine scalar"
    words += " --budget 1h --knob lr=1e290..1e300 --knob n_embd=8 --knob block_size=8"
    words += " --knob batch_size=1"
    assert run(words.split()) == 2
    assert capsys.readouterr().err == (
        "microgpt: no trial came to its end (2 diverged); they are kept in s. Try a longer "
        "--budget, shorter trainings, or lower learning rates.\n"
    )


@posix
@pytest.mark.slow
def test_ctrl_c_keeps_what_has_ended_says_how_to_go_on_and_leaves_no_process() -> None:
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from microgpt.cli.app import main\nif __name__ == '__main__': main()"
    )
    Path("program.py").write_text(program)
    words = f"sweep {TOLD} --trials 100000 --out s --json".replace("--jobs 1", "--jobs 2")
    process = subprocess.Popen(
        [sys.executable, "-u", "program.py", *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    assert run(["sweep", "--resume", "s"]) == 2  # it is in use
    # As a terminal does it: to all processes of the group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    stopped = re.fullmatch(
        r"Stopping now; what has ended is kept\. Ctrl-C again ends at once\.\n"
        r"Stopped; (\d+) trials kept\. The best so far: loss \d\.\d{4}\. "
        r"Go on with: microgpt sweep --resume s\n",
        err,
    )
    assert stopped is not None, err
    assert int(stopped[1]) == 3 + len(out.splitlines())
    with pytest.raises(ProcessLookupError):
        for _ in range(50):  # the last one may just be going
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    with folder.resume(Path("s")) as sweep:
        assert len(sweep.trials) == int(stopped[1])


def test_without_optuna_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(["sweep", "t.txt"]) == 2
    assert capsys.readouterr().err == (
        "microgpt: sweep needs Optuna, which is not installed. "
        "Try: pip install 'microgpt-lm[sweep]'\n"
    )
    assert not Path("sweeps").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("t.txt --budget soon", 'budget must be a time like 60s, 2m or 1h; got "soon".'),
        ("t.txt --budget 0", 'budget must be a time like 60s, 2m or 1h; got "0".'),
        ("t.txt --budget 3x", 'budget must be a time like 60s, 2m or 1h; got "3x".'),
        (
            "t.txt --budget 1s --seconds 2",
            "budget must be 8s or more for trainings of 2 s and the best once more; got 1 s.",
        ),
        ("t.txt --final x", 'final must be a time like 60s, 2m or 1h; got "x".'),
        ("t.txt --jobs 0", "jobs must be a whole number from 1; got 0."),
        ("t.txt --trials 0", "trials must be a whole number from 1; got 0."),
        ("t.txt --seconds -1", "seconds must be a number above 0; got -1.0."),
        ("t.txt --knob lr=", "knob lr must say its values; got none. Try lr=LOW..HIGH."),
        ("t.txt --preset x", 'preset must be one of .*; got "x".'),
        ("t.txt --holdout 0", r"holdout must be in \(0, 1\): trials are compared .*; got 0.0."),
        ("t.txt --holdout 1e-9", "holdout=1e-09 holds out none of 20 documents, .*"),
        ("no.txt", "no.txt: no such file.*"),
        ("-", "a sweep must have a file, to read it again; got standard input."),
        ("t.txt --storage sqlite:///x.db", "--storage must come with --name: .*"),
        ("t.txt --name a --storage nowhere", 'storage must be an address .*; got "nowhere" .*'),
        ("t.txt --name a --storage x://me:pw@y", r"storage must be .*; got \"x://me:\*\*\*@y\" .*"),
        (
            "t.txt --name a --storage sqlite:////no/such/folder/x.db",
            "storage sqlite:////no/such/folder/x.db cannot be used: unable to open .*",
        ),
        (
            "t.txt --name a --storage postgresql+psycopg://me:secret@127.0.0.1:1/x",
            r"storage postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x cannot be used: .*refused.*",
        ),
        ("--resume nothing", "nothing: not a sweep: there is no such folder."),
        ("--resume t.txt", "t.txt: not a sweep: it is a file. Expected a folder."),
        ("--resume .", r"\.: not a sweep: it has no sweep.json."),
        ("t.txt --resume x", "--resume must stand without data: the sweep knows. .*"),
        ("--resume x --knob lr", "--resume must stand without knob: the sweep knows. .*"),
        ("t.txt --out t.txt", "t.txt: a file. Expected a folder, or a name for a new one."),
        ("t.txt --out .", r"\.: must be empty or new; it holds t.txt. Try another --out."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(capsys: Capture, words: str, message: str) -> None:
    assert run(["sweep", *words.split()]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(f"microgpt: {message}\n", err), err
    assert {path.name for path in Path().iterdir()} - {".lock"} == {"t.txt"}


def test_a_folder_holds_one_sweep_and_only_of_its_text(
    swept: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    at, _ = swept
    monkeypatch.chdir(at)
    assert run(["sweep", "t.txt", "--holdout", "0.2", "--out", "s"]) == 2
    assert capsys.readouterr().err == (
        "microgpt: s: holds a sweep already. Try --resume s, or another --out.\n"
    )
    text = Path("t.txt").read_text()
    Path("t.txt").write_text(text + "more\n")
    assert run(["sweep", "--resume", "s"]) == 2
    assert capsys.readouterr().err == (
        "microgpt: s: t.txt must be what the sweep was begun on; got other text. "
        "Bring it back, or begin another sweep.\n"
    )
    Path("t.txt").write_text(text)
    assert run(["sweep", "--resume", "s", "--storage", "sqlite:///other.db"]) == 2
    Path("s", "study.db").rename("away.db")
    assert run(["sweep", "--resume", "s"]) == 2
    assert capsys.readouterr().err == (
        "microgpt: s: its trials are in its study.db; --storage must not be given.\n"
        "microgpt: s: damaged: it has no study.db.\n"
    )
    Path("away.db").rename(Path("s", "study.db"))


def test_a_study_of_other_settings_is_not_joined(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 's.db'}"
    Study(address, "s", settings()).close()
    Study(address, "s", settings()).close()
    with pytest.raises(SweepError, match=r'^study "s": steps must be 10, as .*; got 11. Try '):
        Study(address, "s", settings(steps=11))
    Study(address, "t", settings(steps=11)).close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"format": 2}, "format must be 1; got 2."),
        ({"study": 7}, "damaged or foreign (study must be text; got a whole number)."),
        ({"storage": []}, "damaged or foreign (storage must be text or null; got a list)."),
        ({"seed": 2**70}, f"seed must be at most {2**63 - 1:,}; got {2**70}."),
        (
            {"holdout": 1.0},
            "holdout must be in (0, 1): trials are compared on what is held out; got 1.0.",
        ),
        ({"knobs": [1]}, "damaged or foreign (knobs[0] must be text; got a whole number)."),
        (
            {"knobs": ["n_head=1..1000000000"]},
            "knob n_head must be at most 65,536; got 1000000000.",
        ),
        (
            {"source": {"files": [1000000000]}},
            "damaged or foreign (source.files[0] must be text; got a whole number).",
        ),
        (
            {"source": {"encoding": 7}},
            "damaged or foreign (source.encoding must be text; got a whole number).",
        ),
        (
            {"tokenizer": "runes"},
            "tokenizer must be one of characters, bytes, bpe, or the path of a tokenizer.json; "
            'got "runes".',
        ),
        ({"preset": "huge"}, None),
    ],
)
def test_a_sweep_s_file_with_a_value_out_of_its_domain_is_one_sentence(
    tmp_path: Path, changed: dict[str, Any], reason: str | None
) -> None:
    told = {"study": "s", "storage": None, **settings().to_json(), **changed}
    (tmp_path / "sweep.json").write_text(json.dumps(told))
    with pytest.raises(SweepError) as caught, folder.resume(tmp_path):
        pass
    reason = reason or f'preset must be one of {", ".join(PRESETS)}; got "huge".'
    assert str(caught.value) == f"{tmp_path / 'sweep.json'}: {reason}"


def test_a_trial_that_another_program_has_written_is_one_sentence(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 's.db'}"
    study = Study(address, "s", settings())
    number, _ = study.ask()
    study.tell(number, "done", Report(100, 2.0, 10, 0.5))
    assert [trial.steps for trial in study.trials()] == [10]
    about = {"outcome": "won", "steps": 1, "seconds": 0.5}
    optuna = pytest.importorskip("optuna")
    study._study.add_trial(optuna.trial.create_trial(value=1.0, user_attrs={"microgpt": about}))
    with pytest.raises(SweepError) as caught:
        study.trials()
    assert str(caught.value) == (
        "the sweep's study: damaged or foreign (trial 2.outcome must be one of its choices; "
        'got "won").'
    )
    study.close()


@pytest.mark.slow
def test_a_budget_in_seconds_ends_on_time_with_many_trials(capsys: Capture) -> None:
    began = time.perf_counter()
    assert run(["sweep", "--budget", "12s", "--seconds", "0.2", "--out", "s", "--json"]) == 0
    took = time.perf_counter() - began
    *trials, summary = objects(capsys.readouterr().out)
    assert took < 14
    assert len(trials) == summary["trials"] >= 10
    whole = [trial for trial in trials if trial["outcome"] == "done"]
    assert all(0.15 < trial["seconds"] < 0.6 for trial in whole)
    # The first one is the preset; on a busy machine it may be the best.
    assert summary["best"]["loss"] <= trials[0]["loss"] < math.log(27)
    # As many steps on the same documents make the same, but for when the rate fell.
    assert summary["loss"] == pytest.approx(summary["best"]["loss"], abs=0.03)
    assert f"--steps {summary['best']['steps']} " in summary["command"]
