"""`microgpt why gradient`, `adam`, `training` and `sampling`: held to computations of their own."""

from __future__ import annotations

import json
import math
import re
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import microgpt
from microgpt import Run, model
from microgpt.cli.app import run as cli
from microgpt.cli.why.ideas import idea
from microgpt.cli.why.subject import Subject
from microgpt.config import GPTConfig
from microgpt.engines import open_engine
from microgpt.engines.scalar.update import orthogonal
from microgpt.errors import TrainingWarning
from microgpt.inside.difference import STEPS, difference, nudged_logits, relative_error
from microgpt.inside.moments import adam, singular_values
from microgpt.inside.nudged import TextLoss
from microgpt.optim import SMALLEST_NORM, Optimizer
from microgpt.runs.fall import Fall
from microgpt.runs.log import Log
from microgpt.sampling import entropies
from microgpt.scoring.price import Laid

from .conftest import laid_out, opened, out, shown, some
from .kinds import LINES

ROOT = Path(__file__).resolve().parents[1]
Capture = pytest.CaptureFixture[str]
CONFIG = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=4)
KINDS: dict[str, dict[str, Any]] = {
    "characters": {"preset": "microgpt", "n_layer": 2, "n_embd": 8},
    "counts": {"preset": "micro", "n_embd": 8, "ngram": 3, "block_size": 9},
    "bytes": {"preset": "micro", "n_embd": 8, "n_layer": 1, "tokenizer": "bytes", "block_size": 5},
    "masks": {"preset": "micro", "n_embd": 8, "n_layer": 1, "mask": "digits,ip", "block_size": 16},
    "bpe": {"preset": "micro", "n_embd": 8, "n_layer": 1, "tokenizer": "bpe", "vocab_size": 270},
}
TEXTS = ["é€x", "", "ada", "ada took 12ms at 10.0.0.1 and then some more"]
EVERY = pytest.mark.parametrize(
    ("kind", "text"),
    some([(kind, text) for text in TEXTS for kind in KINDS], 0, 1, 2, 3, 4, 6, 18),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A small run of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "lines.txt").write_text("\n".join(LINES), "utf-8")
    how = {"steps": 20, "batch_size": 10, "holdout": 0.2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # so short a training: counts weigh more
        return {
            name: microgpt.train(folder / "lines.txt", out=folder / name, **how, **kind)
            for name, kind in KINDS.items()
        }


def numbers_of(name: str, run: Run, text: str = "") -> Any:
    """Return an idea's numbers as JSON has them."""
    return json.loads(json.dumps(idea(name).numbers(Subject(run, text)), allow_nan=False))


def test_a_nudged_logit_changes_the_loss_by_p_less_one_hot() -> None:
    logits_V = [0.3, -2.0, 1.7, 0.0]
    exps = [math.exp(z) for z in logits_V]
    for one in nudged_logits(logits_V, target=2, h=1e-4):
        p = exps[one.token] / sum(exps)
        assert one.p == pytest.approx(p)
        assert one.slope == pytest.approx(p - (one.token == 2))
        assert one.change == pytest.approx(one.slope, abs=1e-8)
    order = [one.token for one in nudged_logits(logits_V, target=1, h=1e-4)]
    assert order == [1, 2, 0, 3]


def test_truncation_shrinks_with_h_and_rounding_grows() -> None:
    errors = {}
    for h in STEPS:
        found = difference(lambda nudge: math.exp(1.0 + nudge), h)
        errors[h] = [relative_error(x, math.e) for x in (found.one_sided, found.central)]
    # Taylor: h / 2 for the one-sided difference of e^x, h^2 / 6 for the central one.
    assert errors[STEPS[1]] == pytest.approx([0.01 / 2, 0.0001 / 6], rel=0.01)
    assert errors[STEPS[2]] == pytest.approx([0.001 / 2, 0.000001 / 6], rel=0.01)
    assert errors[STEPS[11]][1] > 1e-6 > errors[STEPS[4]][1]


def test_the_gradient_of_a_text_is_the_engine_s() -> None:
    engine = opened("scalar", CONFIG)
    batch = laid_out([[0, 1, 2, 3]], bos=4, block_size=6)
    loss = TextLoss(CONFIG, engine.state().parameters, *(x.tolist() for x in batch.document(0)))
    sums = engine.gradients(batch)
    for name, matrix in model.views(loss.gradient, CONFIG).items():
        assert matrix == pytest.approx(sums[name] / 5, abs=1e-12), name
    assert loss.nudged(0, 0.0) == pytest.approx(float(engine.losses(batch).mean()))


def test_an_unknown_character_has_no_part_in_the_gradient() -> None:
    parameters = opened("scalar", CONFIG).state().parameters
    tokens, targets = [4, 0, 1, 2], [0, 1, 2, 4]
    each = [
        TextLoss(CONFIG, parameters, tokens[: t + 1], [-1] * t + [targets[t]]) for t in range(4)
    ]
    without = TextLoss(CONFIG, parameters, tokens, [0, -1, 2, 4])
    assert without.positions == 3
    expected = sum(each[t].gradient for t in (0, 2, 3)) / 3
    assert without.gradient == pytest.approx(expected, abs=1e-12)


@EVERY
def test_gradients_agree_with_nudges_on_every_run(
    runs: dict[str, Run], kind: str, text: str
) -> None:
    numbers = numbers_of("gradient", runs[kind], text)
    assert numbers["sum"] == pytest.approx(0.0, abs=1e-12)
    for one in numbers["logits"]:
        assert one["change"] == pytest.approx(one["slope"], abs=1e-6)
    assert sum(one["p"] for one in numbers["logits"]) == pytest.approx(1.0)
    assert max(one["error"] for one in numbers["parameters"]) < 1e-4
    assert min(one["central_error"] for one in numbers["nudges"]) < 1e-7


def test_the_gradients_shown_are_those_of_an_engine(runs: dict[str, Run]) -> None:
    run = runs["characters"]
    numbers = numbers_of("gradient", run, "ada")
    config = run.settings.model
    engine = open_engine("scalar", config)
    engine.load(run.engine.state())
    ids = run.tokenizer.encode("ada")[0].tolist()
    batch = laid_out([ids], bos=run.tokenizer.bos, block_size=config.block_size)
    sums = engine.gradients(batch)
    assert len(numbers["parameters"]) == 9
    for one in numbers["parameters"]:
        name = one["name"].partition("[")[0]
        largest = max(sums[name].ravel().tolist(), key=abs)
        assert one["gradient"] == pytest.approx(largest / batch.positions, rel=1e-9)
    losses = engine.losses(batch).tolist()
    assert numbers["position"] == losses.index(max(losses))
    assert numbers["mean"] == pytest.approx(sum(losses) / len(losses))


def test_what_is_printed_of_a_gradient_has_its_numbers(
    capsys: Capture, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(runs["counts"].folder)
    numbers = numbers_of("gradient", runs["counts"], "ada")
    printed = out(capsys, f"why gradient {folder} ada")
    assert out(capsys, f"why --gradient {folder} ada") == printed
    assert printed.startswith(f'The gradient: "ada", position {numbers["position"]}\n')
    first, row = numbers["logits"][0], numbers["parameters"][1]
    assert f"{first['slope']:.7f}" in printed
    assert re.search(rf"^{re.escape(row['name'])} .* {row['gradient']:.8f} ", printed, re.MULTILINE)
    assert len(re.findall(r"^1e-\d\d ", printed, re.MULTILINE)) == len(STEPS)
    assert "This is the GPT alone, without the counts of 3 characters" in printed
    narrow = shown(f"why gradient {folder} ada", 50, monkeypatch)
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", narrow).split("\n"))) <= 50


def test_an_example_of_a_gradient_can_be_checked_by_hand(capsys: Capture) -> None:
    printed = out(capsys, "why gradient")
    assert re.search(r"^w +2 +12 +12\.0000$", printed, re.MULTILINE)
    assert re.search(r"^loss = d \* d +4 +2, 2 +1 +1\.0000$", printed, re.MULTILINE)
    # e / (e^2 + e + 1) - 1
    assert "-0.7552715" in printed


def test_a_gradient_stands_without_another_idea(capsys: Capture) -> None:
    assert cli(["why", "--gradient", "adam"]) == 2
    assert 'without another idea; got "adam".' in capsys.readouterr().err


def test_a_text_without_a_known_character_is_one_sentence(
    capsys: Capture, runs: dict[str, Run]
) -> None:
    assert cli(["why", "gradient", str(runs["counts"].folder), "€" * 20]) == 2
    assert "text must have a character that the model knows" in capsys.readouterr().err


def test_moments_are_weighted_sums_of_all_gradients() -> None:
    adam_s, g_T = Optimizer(beta1=0.85, beta2=0.99), [0.3, -1.2, 0.0, 2.5, 0.01]
    for t, one in enumerate(adam(adam_s, g_T, lr=0.02, value=1.0), 1):
        m = 0.15 * sum(0.85 ** (t - i) * g for i, g in enumerate(g_T[:t], 1))
        v = 0.01 * sum(0.99 ** (t - i) * g * g for i, g in enumerate(g_T[:t], 1))
        assert (one.m, one.v) == pytest.approx((m, v))
        step = 0.02 * m / (1 - 0.85**t) / (math.sqrt(v / (1 - 0.99**t)) + 1e-8)
        assert one.step == pytest.approx(step)


def test_singular_values_are_those_of_what_the_scalar_engine_orthogonalises() -> None:
    for shape in ((3, 5), (5, 3), (4, 4)):
        matrix = np.random.default_rng(1).normal(size=shape)
        *_, last = singular_values(matrix)
        by_engine = np.linalg.svd(np.array(orthogonal(matrix.tolist())), compute_uv=False)
        # U S V^T with other singular values: the iterations change these alone.
        assert sorted(last) == pytest.approx(sorted(by_engine), abs=1e-10)
        assert sorted(last) == pytest.approx(sorted(map(polynomial, first_of(matrix))), abs=1e-10)


def first_of(matrix: NDArray[np.float64]) -> list[float]:
    values = np.linalg.svd(matrix, compute_uv=False)
    return (values / (math.sqrt((values**2).sum()) + SMALLEST_NORM)).tolist()


def polynomial(s: float) -> float:
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


@EVERY
def test_updates_by_hand_are_those_of_the_program_on_every_run(
    runs: dict[str, Run], kind: str, text: str
) -> None:
    numbers = numbers_of("adam", runs[kind], text)
    assert [one["name"].partition("[")[0] for one in numbers["parameters"]] == [
        "lm_head", "lm_head", "wte",
    ]  # fmt: skip
    for one in numbers["parameters"]:
        assert len(one["updates"]) == 4
        for update in one["updates"]:
            assert update["by_program"] == pytest.approx(update["value"], abs=2e-6)
        assert one["updates"][0]["step"] == pytest.approx(
            math.copysign(numbers["lr"], one["updates"][0]["gradient"]), rel=1e-3
        )
    assert numbers["losses"][0] > numbers["losses"][-1]
    matrix = numbers["matrix"]
    assert (matrix["by_program"] is None) == (kind == "characters")
    if matrix["by_program"]:
        largest = [s for s in matrix["gradient"] if s > 1e-4 * matrix["gradient"][0]]
        found = sorted(matrix["by_program"], reverse=True)[: len(largest)]
        expected = sorted(matrix["iterations"][-1], reverse=True)[: len(largest)]
        assert found == pytest.approx(expected, abs=2e-3)
    assert numbers["unknown"] == (text == "é€x" and kind in {"characters", "counts", "masks"})


def test_the_first_gradient_followed_is_a_nudge_s(runs: dict[str, Run]) -> None:
    run = runs["characters"]
    numbers, checked = (numbers_of(name, run, "ada") for name in ("adam", "gradient"))
    slopes = {one["name"]: one["gradient"] for one in checked["parameters"]}
    followed = [(one["name"], one["updates"][0]["gradient"]) for one in numbers["parameters"]]
    assert [slopes[name] for name, _ in followed[::2]] == pytest.approx(
        [slope for _, slope in followed[::2]], rel=1e-4
    )


def test_what_is_printed_of_adam_has_its_numbers(
    capsys: Capture, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(runs["counts"].folder)
    numbers = numbers_of("adam", runs["counts"], "ada")
    printed = out(capsys, f"why adam {folder} ada")
    last = numbers["parameters"][2]["updates"][-1]
    row = rf"^4 +{last['gradient']:.5g} .* {last['step']:.6f} +{last['value']:.6f} +"
    assert re.search(row, printed, re.MULTILINE)
    assert "This run's optimizer for it is Muon:" in printed
    assert "each first step is lr." in printed
    other = out(capsys, f"why adam {runs['characters'].folder} ada")
    assert "This run's optimizer is Adam; Muon would do:" in other
    narrow = shown(f"why adam {folder} ada", 50, monkeypatch)
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", narrow).split("\n"))) <= 50


def test_an_example_of_adam_can_be_checked_by_hand(capsys: Capture) -> None:
    printed = out(capsys, "why adam")
    # m = -0.125 over 1 - 0.5^3 = 0.875: a seventh; v is the mean of ones.
    assert re.search(r"^3 +-1 +-0\.125 +0\.57812 +-0\.14286 +1 +-0\.014286 ", printed, re.MULTILINE)
    assert "0.1000, 0.1000, -0.0143, 0.0467" in printed
    assert re.search(r"^ +0\.01 +0\.0032 +0\.0109 ", printed, re.MULTILINE)


def log_of(losses: Iterable[float], **heldout: float) -> Log:
    lines = [
        {"step": k, "loss": loss, "positions": 10 + k % 3, "lr": 0.01}
        for k, loss in enumerate(losses, 1)
    ]
    return Log(lines, [{"step": len(lines), "heldout": heldout}] if heldout else [])


def test_the_noise_of_a_step_and_of_a_mean_is_found_beside_a_slow_fall() -> None:
    rng = np.random.default_rng(1)
    losses = 2.0 + 0.2 * np.linspace(1, 0, 20_000) + rng.normal(0, 0.3, 20_000)
    noise = Fall.of(log_of(losses.tolist())).noise
    assert noise is not None
    assert (noise.lines, noise.one) == (50, pytest.approx(0.3, rel=0.03))
    assert noise.mean == pytest.approx(0.3 / math.sqrt(50), rel=0.15)
    assert Fall.of(log_of([2.0, 1.0] * 10)).noise is None


def test_a_fall_is_measured_in_spans_that_double() -> None:
    losses = [3.0, 2.0, 2.0, *[1.5] * 4, *[1.0] * 93]
    fall = Fall.of(log_of(losses, loss=1.4, gpt=1.3, positions=9, standard_error=0.1))
    spans = [(span.first, span.last) for span in fall.spans]
    assert spans == [(1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 100)]
    shares = [span.share for span in fall.spans]
    assert shares == pytest.approx([0.0, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0])
    assert (fall.half, fall.most) == (fall.spans[1], fall.spans[3])
    # In a mixture the GPT's own loss is what compares with training.
    assert (fall.first, fall.last, fall.held_out, fall.error) == (3.0, 1.0, 1.3, 0.1)
    assert fall.gap == pytest.approx(0.3)
    risen = Fall.of(log_of([1.0, 2.0, 3.0]))
    assert (risen.half, risen.gap, risen.spans[0].share) == (None, None, None)


@pytest.mark.parametrize(("steps", "tail"), [(1, 1), (7, 2), (60, 15), (200, 50), (5_000, 50)])
def test_the_end_of_a_short_training_is_its_last_quarter(steps: int, tail: int) -> None:
    losses = np.linspace(3.0, 2.0, steps).tolist()
    log = log_of(losses)
    fall, end = Fall.of(log), log.lines[-tail:]
    nats = sum(line["loss"] * line["positions"] for line in end)
    assert fall.tail == tail
    assert fall.last == pytest.approx(nats / sum(line["positions"] for line in end))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_log_says_is_what_it_has(runs: dict[str, Run], kind: str) -> None:
    run = runs[kind]
    numbers = numbers_of("training", run)
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "heldout" not in line]
    assert numbers["first_lines"][0] == steps[0]
    assert (numbers["lines"], numbers["evaluations"]) == (len(steps), len(lines) - len(steps))
    last = steps[-numbers["tail"] :]
    nats = sum(line["loss"] * line["positions"] for line in last)
    assert numbers["last"] == pytest.approx(nats / sum(line["positions"] for line in last))
    assert numbers["blind"] == pytest.approx(math.log(run.tokenizer.vocab_size))
    laid = Laid.of([*run.held_out], run.tokenizer, run.settings.model.block_size)
    batch = laid.windows(run.tokenizer)
    held_out = float(batch.counted(run.gpt.losses(batch)).mean())
    assert numbers["held_out"] == pytest.approx(held_out, rel=1e-5)


def test_what_is_printed_of_a_training_has_its_numbers(
    capsys: Capture, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs["counts"]
    numbers = numbers_of("training", run)
    printed = out(capsys, f"why training {run.folder}")
    assert "20 steps of 10 documents" in printed
    assert json.dumps(numbers["first_lines"][1]) in printed
    assert re.search(rf"^ +8-15 +{numbers['spans'][3]['loss']:.4f} ", printed, re.MULTILINE)
    assert f"Ended at {numbers['last']:.4f}, the mean of the last 5 steps." in printed
    side = "above" if numbers["gap"] >= 0 else "below"
    assert f"{abs(numbers['gap']):.4f} {side} the last steps." in printed
    assert "Held out (the GPT alone): " in printed
    narrow = shown(f"why training {run.folder}", 50, monkeypatch)
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", narrow).split("\n"))) <= 50


def test_a_run_without_a_step_is_one_sentence(
    capsys: Capture, runs: dict[str, Run], tmp_path: Path
) -> None:
    shutil.copytree(runs["characters"].folder, tmp_path / "run")
    (tmp_path / "run" / "log.jsonl").write_text("")
    assert cli(["why", "training", str(tmp_path / "run")]) == 2
    assert "the log must have a step; it has none yet." in capsys.readouterr().err


def test_the_example_of_a_training_is_that_of_microgpt_train(
    capsys: Capture, tmp_path: Path
) -> None:
    printed = out(capsys, "why training")
    names = ["ada", "alan", "anna", "bea", "ben", "bob", "dana", "lena"]
    run = microgpt.train(
        names, engine="scalar", n_embd=8, n_head=2, block_size=8, steps=40, batch_size=2,
        holdout=0.2, seed=1, order="per-epoch", long="window", preset="microgpt",
        out=tmp_path / "run",
    )  # fmt: skip
    rows = re.findall(r"^ +(\d+) +\d+ +(\w+), (\w+) +(\d+) +(\S+) ", printed, re.MULTILINE)
    assert [int(row[0]) for row in rows[:6]] == [1, 2, 3, 4, 5, 6]
    for step, one, other, positions, loss in rows:
        line = run.log.lines[int(step) - 1]
        assert len(one) + len(other) + 2 == int(positions) == line["positions"]
        assert float(loss) == pytest.approx(line["loss"], abs=6e-5)
    learned = {*names} - {*run.held_out}
    for epoch in (rows[:3], rows[3:6]):
        assert {name for row in epoch for name in row[1:3]} == learned
    kept = run.log.heldout[-1]["heldout"]["kept"]
    assert f"it was lowest after step {kept}, and that model is kept." in printed


def test_entropy_is_the_mean_loss_of_what_is_drawn() -> None:
    p_BV = np.array([[0.5, 0.25, 0.25, 0.0], [0.25] * 4, [0.0, 1.0, 0.0, 0.0]])
    expected = [1.5 * math.log(2), math.log(4), 0.0]
    assert entropies(p_BV).tolist() == pytest.approx(expected, abs=1e-12)


@EVERY
def test_a_next_token_is_reshaped_as_the_formulas_say(
    runs: dict[str, Run], kind: str, text: str
) -> None:
    run = runs[kind]
    numbers = numbers_of("sampling", run, text)
    block = run.settings.model.block_size
    batch = Laid.of([text], run.tokenizer, block).windows(run.tokenizer).head(1)
    logits_V = run.predictor.logits(batch)[-1]
    p_V = np.sort(np.exp(logits_V) / np.exp(logits_V).sum())[::-1]
    shapes = {shape["name"]: shape for shape in numbers["shapes"]}
    expected = {
        "T = 1": p_V,
        "T = 0.5": p_V**2,
        "T = 2": p_V**0.5,
        "top-k 5": p_V * (np.arange(len(p_V)) < 5),
    }
    for name, q_V in expected.items():
        shape, q_V = shapes[name], q_V / q_V.sum()
        assert shape["p"] == pytest.approx(q_V[:8].tolist(), rel=1e-4, abs=1e-6)
        assert shape["others"] == pytest.approx(q_V[8:].sum(), abs=1e-5)
        assert shape["loss"] == pytest.approx(float(-(q_V * np.log(p_V)).sum()), rel=1e-4)
    assert shapes["T = 1"]["entropy"] == pytest.approx(shapes["T = 1"]["loss"])
    order = [shapes[name]["entropy"] for name in ("T = 0.5", "T = 1", "T = 2")]
    assert order == sorted(order)
    assert shapes["min-p 0.1"]["left"] == int((p_V >= 0.1 * p_V[0]).sum())
    kept = shapes["top-p 0.9"]["left"]
    assert p_V[:kept].sum() >= 0.9 > p_V[: kept - 1].sum()


def test_samples_are_counted_by_whether_they_were_seen(runs: dict[str, Run]) -> None:
    run = runs["characters"]
    for one in numbers_of("sampling", run)["samples"]:
        texts = run.sample(20, temperature=one["temperature"])
        assert [text for text, _ in one["first"]] == [*dict.fromkeys(texts)][:5]
        assert one["distinct"] == len(set(texts))
        assert one["seen"] == sum(text in [*run.documents[0]] for text in texts)
    greedy = numbers_of("sampling", run)["samples"][0]
    assert (greedy["temperature"], greedy["distinct"]) == (0.0, 1)


def test_what_is_printed_of_sampling_has_its_numbers(
    capsys: Capture, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = runs["counts"].folder
    numbers = numbers_of("sampling", runs["counts"], "ada")
    printed = out(capsys, f"why sampling {folder} ada")
    assert printed.startswith("What comes after BOS a d a: ")
    for key in ("entropy", "loss"):
        row = "  +".join(f"{shape[key]:.4f}" for shape in numbers["shapes"])
        assert re.search(rf"^{key} +{row}$", printed, re.MULTILINE)
    last = numbers["samples"][-1]
    row = rf"^1\.5 +{last['loss']:.2f} +{last['distinct']} +{last['seen']}  "
    assert re.search(row, printed, re.MULTILINE)
    assert "Drawn from the GPT + counts" in printed
    narrow = shown(f"why sampling {folder} ada", 50, monkeypatch)
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", narrow).split("\n"))) <= 50


def test_without_the_training_data_nothing_is_said_of_seen(
    capsys: Capture, runs: dict[str, Run]
) -> None:
    folder = runs["counts"].folder
    data = folder.parent / "lines.txt"
    data.rename(data.with_suffix(".gone"))
    try:
        printed = out(capsys, f"why sampling {folder} ada")
    finally:
        data.with_suffix(".gone").rename(data)
    assert "Whether they were seen is not known: " in printed
    assert re.search(r"^1\.5 +\d+\.\d\d +\d+    ", printed, re.MULTILINE)


def test_an_example_of_sampling_can_be_checked_by_hand(capsys: Capture) -> None:
    printed = out(capsys, "why sampling")
    # e^2 of e^2 + e + 1 + 1/e; and with T = 2 e of e + sqrt(e) + 1 + 1/sqrt(e).
    sums = [sum(math.exp(z / T) for z in (2, 1, 0, -1)) for T in (1.0, 2.0)]
    first, second = math.exp(2) / sums[0], math.e / sums[1]
    assert re.search(rf"^logit 2 +{first:.4f} +\S+ +{second:.4f} ", printed, re.MULTILINE)
    assert re.search(r"^tokens left +4 +4 +4 +2 +3 +2$", printed, re.MULTILINE)


def test_what_the_pages_say_of_their_experiments_is_what_the_record_has() -> None:
    """Each sentence below a table, with every seed."""
    record = json.loads((ROOT / "benchmarks" / "records" / "learn.json").read_text("utf-8"))
    values: dict[str, dict[str, Any]] = {
        f"{idea}: {row['label']}": row["values"] for idea in record for row in record[idea]["rows"]
    }

    def held_out(label: str) -> list[float]:
        return values[label]["held out"]

    def above(one: str, other: str) -> bool:
        return all(x > y for x, y in zip(held_out(one), held_out(other)))

    own, plain = "adam: Adam, rate 0.01", "adam: plain gradient descent, rate"
    assert above(own, "adam: Muon, rate 0.02")
    assert above(f"{plain} 1", f"{plain} 3")
    assert max(x - y for x, y in zip(held_out(f"{plain} 3"), held_out(own))) < 0.02
    assert min(held_out(f"{plain} 10")) > 1e6
    gained = median(values[own]["step 1"]) - median(held_out(own))
    for rate in ("0.001", "0.1"):
        worse = held_out(f"adam: Adam, rate {rate}")
        assert max(x - y for x, y in zip(worse, held_out(own))) < gained / 5
    assert min(held_out("adam: Adam, rate 1")) > math.log(27)
    base = "training: batch_size 16, 1,000 steps"
    four, one = ("training: batch_size 4, 4,000 steps", "training: batch_size 1, 16,000 steps")
    assert above(base, four)
    assert above(one, base)
    assert max(held_out(one)) - min(held_out(one)) > max(held_out(base)) - min(held_out(base))
    assert above("training: batch_size 64, 250 steps", base)
    for rate in ("0.001", "0.1"):
        worse = held_out(f"training: batch_size 16, lr {rate}")
        assert median(worse) - median(held_out(base)) > 0.1
    assert 2.8 < median(held_out("training: batch_size 16, lr 0.0001")) < 2.95
    at = {T: values[f"sampling: temperature {T}"] for T in ("0", "0.5", "1", "2")}
    assert max(at["0"]["distinct"]) == 0.001 < 0.9 < min(at["0.5"]["distinct"])
    assert median(at["0.5"]["in the data"]) > 10 * median(at["2"]["in the data"])
    assert math.log(27) - 0.2 < median(at["2"]["loss"]) < math.log(27)
    assert round(median(held_out(base)), 2) == 2.27
    assert abs(median(at["1"]["loss"]) - 2.27) < 0.04
