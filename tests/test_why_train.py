"""`microgpt why --train`: one initialisation, one measure, and only true sentences."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import experiment
from microgpt.cli.app import run
from microgpt.cli.terminal import pictures
from microgpt.cli.why import sentences as in_words
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import Source, from_documents
from microgpt.data.plan import Plan
from microgpt.data.split import split
from microgpt.data.tokenizer import Characters
from microgpt.engines.contract import State
from microgpt.evaluation import evaluate
from microgpt.experiment import PLAIN_RATE, Base, Experiment, Point
from microgpt.loss import OBJECTIVES
from microgpt.model import views
from microgpt.optim import learning_rate

from .conftest import TINY, hair, shown

Capture = pytest.CaptureFixture[str]
NAMES = ("cross-entropy", "linear", "quadratic")


def tiny_experiment(engine: str = "scalar", **training: Any) -> Experiment:
    """Twenty names, some of them longer than the block."""
    tokens = Characters.of(TINY, "last")
    config = GPTConfig(vocab_size=tokens.vocab_size, block_size=4, n_embd=4, n_head=1)
    how = TrainConfig(**{"steps": 16, "holdout": 0.3, **training})
    return Experiment(Base(from_documents(TINY), tokens, config, how), engine)


def told(capsys: Capture, words: str, code: int = 0) -> str:
    assert run(words.split()) == code
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out
    assert printed.err == "" or code
    return printed.out if code == 0 else printed.err


@pytest.fixture
def text() -> Path:
    path = Path("t.txt")
    path.write_text("\n".join(TINY) + "\n", "utf-8")
    return path


@pytest.fixture
def small(text: Path) -> str:
    """A run on the text whose model is small: six trainings like it take little."""
    shape = "--n-embd 4 --n-head 1 --block-size 6 --engine scalar --holdout 0.1"
    assert run(f"train {text} {shape} --steps 5 --lr 0.02 --out t-1".split()) == 0
    return "t-1"


def test_all_start_from_the_same_numbers_bit_for_bit(engine_name: str) -> None:
    one = tiny_experiment(engine_name)
    starts = [one.opened(name, plain=plain).state() for name in NAMES for plain in (True, False)]
    for start in starts:
        assert start.parameters.tobytes() == starts[0].parameters.tobytes()
        assert not any(slot.any() for slot in start.slots.values())
        assert start.updates == 0


@pytest.mark.parametrize("objective", NAMES)
def test_the_slope_is_the_length_of_the_mean_objective_s_by_finite_differences(
    objective: Any,
) -> None:
    one = tiny_experiment()
    positions = one.measured.head(6)
    engine = one.opened(objective, plain=False)
    start = engine.state().parameters

    def mean(parameters: Any) -> float:
        engine.load(State.fresh(parameters))
        nats = engine.losses(positions).tolist()
        return math.fsum(map(OBJECTIVES[objective].value, nats)) / len(nats)

    h = 1e-5
    slopes = []
    for i in range(len(start)):
        step = np.zeros_like(start)
        step[i] = h
        slopes.append((mean(start + step) - mean(start - step)) / (2 * h))
    engine.load(State.fresh(start))
    point, _ = experiment.measure(engine, positions, objective, 0)
    assert point.slope == pytest.approx(float(np.linalg.norm(slopes)), rel=1e-6)


def test_the_measure_is_that_of_evaluate_whatever_is_pushed_down(engine_name: str) -> None:
    one = tiny_experiment(engine_name)
    _, held_out = split(from_documents(TINY), 0.3)
    tokens = Characters.of(TINY, "last")
    for name in NAMES:
        engine = one.opened(name, plain=False)
        engine.train(Plan(one.measured).batches(0, 8), np.full(8, 0.05))
        point, wrong = experiment.measure(engine, one.measured, name, 8)
        by_hand = evaluate(engine, tokens, 4, held_out)
        assert by_hand.sum.positions == one.measured.n_counted == len(wrong)
        assert point.accuracy == by_hand.accuracy
        assert point.loss == pytest.approx(by_hand.loss, rel=hair(engine_name))
        p = np.exp(-one.measured.counted(engine.losses(one.measured)))
        assert point.wrong == np.mean(p < 0.01)
        assert wrong.tolist() == (p < 0.01).tolist()
        w = {"cross-entropy": np.ones_like(p), "linear": p, "quadratic": 2 * p * (1 - p)}[name]
        assert point.weight == pytest.approx(w.mean())
        assert point.wrong_weight == (pytest.approx(w[p < 0.01].mean()) if wrong.any() else None)


@pytest.mark.parametrize("objective", NAMES)
def test_plain_steps_are_the_rate_times_the_slope(engine_name: str, objective: Any) -> None:
    one = tiny_experiment(engine_name)
    training, engine = one.how(objective, plain=True), one.opened(objective, plain=True)
    batches = Plan(one.measured).batches(0, 1)
    before, slopes = engine.state().parameters, engine.gradients(batches)
    engine.train(batches, np.array([learning_rate(training, 1, 0.0)]))
    moved = engine.state().parameters - before
    for name, change in views(moved, one.config).items():
        expected = -PLAIN_RATE * slopes[name] / batches.positions
        # The divisor is the large number and the slope's length: 1 in 10,000 at most.
        assert np.allclose(change, expected, rtol=2e-4, atol=hair(engine_name) * 1.0)


def test_a_curve_is_that_of_an_ordinary_training(engine_name: str) -> None:
    settings = {"n_embd": 4, "n_head": 1, "block_size": 6, "holdout": 0.3, "steps": 16}
    trained = microgpt.train(
        TINY, preset="microgpt", loss="linear", engine=engine_name, out="r", **settings
    )
    config, training = trained.settings.model, trained.settings.training
    base = Base(from_documents(TINY), trained.tokenizer, config, training)
    one = Experiment(base, engine_name)
    *_, end = one.curve("linear", plain=False)
    assert end.step == 16
    assert end.loss == pytest.approx(float(trained.engine.losses(one.measured).mean()), rel=1e-6)


def test_stayed_is_the_share_of_a_quarter_s_that_are_there_still() -> None:
    one = tiny_experiment(lr=0.2, steps=40)
    points = list(one.curve("linear", plain=False))
    assert [point.step for point in points] == one.marks
    engine, training = one.opened("linear", plain=False), one.how("linear", plain=False)
    wrong = {}
    for step in range(1, 41):
        batches = one._task.plan.batches(step - 1, 1)
        engine.train(batches, np.array([learning_rate(training, step, 0.0)]))
        wrong[step] = np.exp(-engine.losses(one.measured)) < 0.01
    assert wrong[10].any()
    assert points[-1].stayed == wrong[40][wrong[10]].mean()
    assert all(point.stayed is None for point in points if point.step <= 10)


def point(step: int, loss: float, **others: Any) -> Point:
    plain = Point(step, loss, 0.2, 0.4, 1.0, 0.0, None)
    return replace(plain, **others)


def sentences(**curves: list[Point]) -> tuple[str, str]:
    """Return the sentences about curves, for plain gradient descent and for Adam."""
    named = {name.replace("_", "-"): points for name, points in curves.items()}
    counted = {"uniform": SimpleNamespace(mean=3.3), "unigram": SimpleNamespace(mean=2.9)}
    prepared: Any = SimpleNamespace(baselines=counted, quarter=4, marks=[0, 4, 16])
    told_of = (in_words.plain_told, in_words.adam_told)
    plain, adam = (" ".join(tell(prepared, named)) for tell in told_of)
    return plain, adam


def test_what_was_seen_is_told_with_its_numbers() -> None:
    good = [point(0, 3.3), point(4, 3.0, slope=0.5), point(16, 2.4, wrong=0.03, stayed=0.5)]
    slow = {"slope": 0.02, "weight": 0.05}
    bad = [point(0, 3.3, **slow), point(4, 3.02)]
    bad += [point(16, 9.0, accuracy=0.1, wrong=0.8, wrong_weight=1e-5, stayed=0.9)]
    half = [point(0, 3.3, **slow), point(4, 3.01), point(16, 3.28)]
    plain, adam = sentences(cross_entropy=good, linear=bad, quadratic=half)
    for both in (plain, adam):
        assert (
            "costs 2.90 nats: -log p costs less from step 16 on; 1 - p and (1 - p)^2 cost" in both
        )
        assert "less than 0.01 at 80.0% of the positions (-log p: 3.0%); there w is 1e-05." in both
        assert "so at step 4, 90% still do (-log p: 50%)." in both
        assert both.count("It stalls there") == 1
    assert "w is 0.05 and 0.05 on average for 1 - p and (1 - p)^2" in plain
    assert "20 and 20 times shorter" in plain
    assert "hardly started" not in plain
    assert "after 4 steps the three stand at 3.00, 3.02 and 3.01 nats." in adam
    assert (
        "1 - p is at its best after step 4, with 3.02 nats; at the end it costs 9.00, more" in adam
    )
    # It costs more than before, but less than a blind guess.
    assert (
        "(1 - p)^2 is at its best after step 4, with 3.01 nats; at the end it costs 3.28." in adam
    )
    assert "at 10.0% and 20.0% of the positions with 1 - p and (1 - p)^2, and at 20.0%" in adam


def test_what_was_not_seen_is_not_told() -> None:
    same = [point(0, 3.3), point(4, 3.0), point(16, 2.4, wrong=0.03, wrong_weight=1.0, stayed=0.5)]
    plain, adam = sentences(cross_entropy=same, linear=same, quadratic=same)
    for both in (plain, adam):
        for claim in ("stalls", "shorter", "hardly", "at its best", "blind", "cost more"):
            assert claim not in both
    assert "-log p costs less from step 16 on; 1 - p costs less from step 16 on;" in plain
    apart = [point(0, 3.3), point(4, 3.29), point(16, 3.28)]
    plain, adam = sentences(cross_entropy=same, linear=apart, quadratic=apart)
    assert "made up for" not in adam
    assert "After 16 steps -log p has come from 3.30 to 2.40 nats" in plain
    one_only = sentences(cross_entropy=same, linear=same, quadratic=apart)[0]
    assert "; (1 - p)^2 costs more at the end." in one_only


def test_the_answer_as_json_has_every_curve(capsys: Capture, small: str) -> None:
    capsys.readouterr()
    words = f"why --train {small} --engine scalar --steps 8 --seed 3 --json"
    first = json.loads(told(capsys, words))
    assert first == json.loads(told(capsys, words))
    kinds = [(curve["objective"], curve["steps"]) for curve in first["curves"]]
    assert kinds == [(name, steps) for steps in ("plain", "adam") for name in NAMES]
    starts = [curve["points"][0] for curve in first["curves"]]
    assert {start["loss"] for start in starts} == {starts[0]["loss"]}
    assert {start["accuracy"] for start in starts} == {starts[0]["accuracy"]}
    assert [start["slope"] for start in starts[:3]] == [start["slope"] for start in starts[3:]]
    assert all(curve["points"][-1]["step"] == 8 for curve in first["curves"])
    assert (first["training"]["seed"], first["training"]["steps"]) == (3, 8)
    assert first["baselines"]["uniform"] == pytest.approx(math.log(first["model"]["vocab_size"]))


def test_a_run_gives_its_text_and_recipe_and_is_left_as_it_was(capsys: Capture, small: str) -> None:
    capsys.readouterr()
    before = {path: path.read_bytes() for path in Path(small).iterdir()}
    answer = json.loads(told(capsys, "why t-1 --train --engine scalar --json"))
    assert (answer["model"]["n_embd"], answer["training"]["lr"]) == (4, 0.02)
    assert (answer["training"]["steps"], answer["training"]["holdout"]) == (5, 0.1)
    assert {path: path.read_bytes() for path in Path(small).iterdir()} == before
    error = told(capsys, "why t-1 --train --preset micro", code=2)
    assert error == (
        "microgpt: --train t-1 must stand without preset flags: a run has its own. "
        "Only steps, seed and engine may change.\n"
    )
    assert "without data flags" in told(capsys, "why t-1 --train --stream", code=2)


def test_a_column_of_a_table_can_be_trained_on(capsys: Capture) -> None:
    Path("t.csv").write_text("id,name\n" + "".join(f"1,{name}\n" for name in TINY), "utf-8")
    words = "why --train t.csv --column name --engine scalar --steps 2 --json"
    assert json.loads(told(capsys, words))["model"]["vocab_size"] == len(set("".join(TINY))) + 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("t.txt b.txt --train", '--train must have one file or run at most; got "b.txt" as well.'),
        ("--steps 5", "steps must stand with --train: only what is trained has it."),
        ("--seed 5", "seed must stand with --train: only what is trained has it."),
        ("--preset micro", "preset must stand with --train: only what is trained has it."),
        ("--save a.svg", "save must stand with --train: only what is trained has it."),
        ("--column a", "data must stand with --train: only what is trained has it."),
        ("nams.txt --train", "nams.txt: no such file. Did you mean names.txt?"),
        ("folder --train", "folder: not a run: it has no config.json."),
        ("t.txt --train --steps 0", "steps must be a whole number from 1; got 0."),
        ("t.txt --train --seed -1", "seed must be a whole number from 0; got -1."),
        ("t.txt --train --save a.gif", "save must end in .png or .svg; got a.gif."),
        ("t.txt --train --save no/a.svg", "save must be in a folder that exists; got no/a.svg."),
        ("t.txt --train --engine x", 'engine must be one of auto, native, torch, scalar; got "x".'),
        (
            "t.txt --train --preset x",
            "preset must be one of microgpt, microgpt-v1, micro, small, medium, large, "
            'gpt2-small; got "x".',
        ),
        (
            "one.txt --train",
            "documents must be enough to hold some out; got 1, and holdout=0.1 holds out none. "
            "Try more text.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(capsys: Capture, text: Path, words: str, sentence: str) -> None:
    shutil.copy(text, "names.txt")
    Path("one.txt").write_text("a\n")
    Path("folder").mkdir()
    assert run(["why", *words.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"microgpt: {sentence}\n"


def test_without_matplotlib_that_is_said_before_anything_is_trained(
    capsys: Capture, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    error = told(capsys, f"why --train {text} --save a.svg", code=2)
    assert error == (
        "microgpt: --save needs matplotlib, which is not installed. "
        "Try: pip install 'microgpt-lm[plot]'\n"
    )


@pytest.mark.slow
def test_the_table_loses_columns_where_the_terminal_is_narrow(
    capsys: Capture, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    words = f"why --train {small} --engine scalar --steps 8"
    wide = told(capsys, words)
    assert "The scalar engine is slow: 8 steps" in wide.replace("\n", " ")
    (head, *_) = [line for line in wide.splitlines() if line.startswith("loss ")]
    wanted = "loss nats, step 0 2 8 right slope, step 0 8 p < 0.01 w there stayed"
    assert " ".join(head.split()) == wanted
    assert "o -log p   + 1 - p   x (1 - p)^2" in wide
    for columns, lacks in ((70, "2"), (45, "slope,")):
        narrow = re.sub(r"\x1b\[[\d;]*m", "", shown(words, columns, monkeypatch))
        (head, *_) = [line for line in narrow.splitlines() if line.startswith("loss ")]
        assert lacks not in head.split()
        assert {"right", "nats,"} < set(head.split())
        # But for a folder, which has no spaces, and the closing line of marks, nothing is longer.
        prose = [line for line in narrow.splitlines() if line[:1].isalpha() and "/" not in line]
        assert max(len(line.rstrip()) for line in prose) <= columns
        assert not re.search(r"(-log| 1 -|\(1 - p\))$", "\n".join(prose), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is not installed")
def test_a_picture_is_saved_whole_or_not_at_all(
    capsys: Capture, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    words = f"why --train {small} --engine scalar --steps 2 --save"
    for name in ("a.png", "a.SVG"):
        assert told(capsys, f"{words} {name}").endswith(f"Saved in {name}.\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ET.parse("a.SVG").getroot().tag == "{http://www.w3.org/2000/svg}svg"

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Experiment, "curve", interrupted)
    before = sorted(Path().iterdir())
    with pytest.raises(SystemExit, match=r"^130$"):
        run(f"{words} b.svg".split())
    assert sorted(Path().iterdir()) == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_an_interruption_ends_with_130_and_nothing_else(text: Path) -> None:
    words = f"why --train {text} --engine scalar --steps 100000 --save a.svg".split()
    # The same as `python -m microgpt`, but that it says when it has begun to train.
    program = (
        "from pathlib import Path; from microgpt.__main__ import main;"
        "from microgpt.experiment import Experiment; curve = Experiment.curve;"
        "Experiment.curve = lambda *a, **k: Path('begun').touch() or curve(*a, **k);"
        "main()"
    )
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not Path("begun").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=120) == (b"", b"")
    Path("begun").unlink()
    assert process.returncode == 130
    assert [path.name for path in Path().iterdir()] == ["t.txt"]


@pytest.mark.slow
def test_names_as_they_come_show_what_the_page_says(engine_name: str) -> None:
    if engine_name == "scalar":
        pytest.skip("takes minutes on the scalar engine")
    one = Experiment(experiment.new(Source(), seed=5))
    letters = one.baselines["unigram"].mean
    for plain in (True, False):
        curves = {name: list(one.curve(name, plain=plain)) for name in NAMES}
        ends = {name: points[-1] for name, points in curves.items()}
        assert ends["cross-entropy"].loss < letters
        assert min(ends["linear"].loss, ends["quadratic"].loss) > letters
        assert ends["linear"].wrong > 5 * ends["cross-entropy"].wrong


def test_why_says_where_the_proof_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "microgpt", "why"], capture_output=True, text=True, check=True
    )
    assert "See it happen: microgpt why --train\n" in done.stdout
