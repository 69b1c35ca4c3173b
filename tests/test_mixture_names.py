"""A GPT and a GPT mixed with counts are two models: no number of one goes by the other's name."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.data.batch import lay_out, whole
from microgpt.data.corpus import Source
from microgpt.data.encoded import Encoded
from microgpt.data.measured import overlapped
from microgpt.engines import why_not_native
from microgpt.loss import OBJECTIVES
from microgpt.runs import prepare
from microgpt.runs.run import Run
from microgpt.training.presets import PRESETS
from tests.conftest import TINY, out, some

Capture = pytest.CaptureFixture[str]
native = pytest.mark.skipif(why_not_native() is not None, reason=why_not_native() or "")

TRAIN = (
    "train t.txt --preset microgpt --n-embd 4 --n-head 1 --block-size 8 --engine scalar "
    "--steps 150 --lr 0.02 --holdout 0.3 --ngram 2 --out r"
)
ALONE = TRAIN.replace("--ngram 2", "").replace("--out r", "--out s")


TEXTS = "\n".join([*TINY, *(a + b for a in TINY for b in TINY[:6])]) + "\n"


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEXTS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the two trainings were: with counts in `r`, without in `s`.

    What they printed is in `r.out` and `s.out`.
    """
    at = tmp_path_factory.mktemp("mixed")
    (at / "t.txt").write_text(TEXTS)
    with pytest.MonkeyPatch.context() as here:
        here.chdir(at)
        for name, words in (("r", TRAIN), ("s", ALONE)):
            printed = io.StringIO()
            here.setattr(sys, "stdout", printed)
            assert cli(words.split()) == 0
            Path(f"{name}.out").write_text(printed.getvalue(), "utf-8")
    return at


@pytest.fixture
def trained(made: Path, tmp_path: Path) -> None:
    """The two runs, a test's own."""
    for name in ("r", "s"):
        shutil.copytree(made / name, tmp_path / name)


def both(run: Run) -> tuple[float, float, float]:
    """What held-out documents cost the GPT, the counts and the two mixed, by hand."""
    assert run.mixture is not None
    encoded = [run.tokenizer.encode(text)[0] for text in run.documents[1]]
    texts = whole(Encoded.of(encoded, run.tokenizer.bos))
    batch = overlapped(texts, run.settings.model.block_size)
    gpt_N, counts_N = batch.counted(run.gpt.losses(batch)), run.mixture.ngram.losses(texts)
    share = run.mixture.weight
    mixed_N = -np.log((1 - share) * np.exp(-gpt_N) + share * np.exp(-counts_N))
    return float(gpt_N.mean()), float(counts_N.mean()), float(mixed_N.mean())


def test_what_teaches_is_a_gpt_alone_and_what_is_to_cost_least_is_mixed() -> None:
    assert [preset.training.get("ngram", 0) for preset in PRESETS.values()] == [0] * len(PRESETS)
    with prepare.new(TINY, seconds=0.1, engine="scalar", out=Path("r")) as session:
        assert session.training.ngram == 5


@native
@pytest.mark.slow
def test_the_default_model_stands_below_every_rung_of_the_ladder(tmp_path: Path) -> None:
    with prepare.new(Source(), preset_name="micro", out=tmp_path / "r", seed=1) as session:
        list(session)
        ladder = session.ladder()
    assert session.trainer.mixture is None
    assert ladder.model.positions > 20_000
    assert set(ladder.baselines) == {"uniform", "unigram", "bigram", "ngram"}
    # The n-gram costs 2.0907; four seeds of this come to 2.064 to 2.072.
    assert ladder.model.mean < min(total.mean for total in ladder.baselines.values()) - 0.01


@pytest.mark.slow
@native
def test_a_fifth_of_the_default_training_comes_near_the_best_rung(tmp_path: Path) -> None:
    told = {"preset_name": "micro", "steps": 500, "seed": 1}
    with prepare.new(Source(), out=tmp_path / "r", **told) as session:
        list(session)
        ladder = session.ladder()
    assert session.trainer.mixture is None
    assert ladder.model.positions > 20_000
    # The n-gram costs 2.0907; two seeds of this come to 2.147 and 2.149.
    assert ladder.model.mean < 2.16


@pytest.mark.usefixtures("trained")
def test_a_training_calls_each_by_its_name(made: Path) -> None:
    said = (made / "r.out").read_text("utf-8")
    run = microgpt.load("r")
    gpt, _, mixed = both(run)
    share = f"{100 * (run.weight or 0.0):.0f} %"
    assert "GPT + counts of 2 characters · 1 layer" in said
    step = r"step 150: loss [\d.]+  val: GPT alone ([\d.]+) · GPT \+ counts ([\d.]+) · "
    last = re.findall(step, said)
    assert last == [(f"{gpt:.4f}", f"{mixed:.4f}")]
    assert re.search(r"^Mean of the last 50 steps, the GPT alone: ", said, re.MULTILINE)
    assert f"Held out, the GPT alone: {gpt:.4f} nats" in said
    assert f"Held out, GPT + counts of 2 characters ({share}): {mixed:.4f} nats" in said
    assert f"GPT alone {gpt:.2f}" in said
    assert "GPT alone is what was trained, " in said
    assert (
        f"scores come from: each probability is a mean of both, the counts' share of it {share}."
        in said
    )
    assert f"GPT + counts {mixed:.2f} ●" in said
    assert "this model" not in said
    told = run.log.heldout[-1]["heldout"]
    assert (told["gpt"], told["loss"]) == pytest.approx((gpt, mixed))


@pytest.mark.parametrize("n", some([1, 2], 0))
def test_the_ladder_s_n_gram_is_the_one_that_is_mixed_in(capsys: Capture, n: int) -> None:
    told = out(capsys, TRAIN.replace("--ngram 2", f"--ngram {n} --json"))
    summary = json.loads(told.splitlines()[-1])
    # Not the one that these documents cost least with: that has one length, these have two.
    assert summary["baselines"]["ngram"] == pytest.approx(both(microgpt.load("r"))[1])


@pytest.mark.usefixtures("trained")
def test_a_mixture_that_is_resumed_says_its_share(capsys: Capture) -> None:
    said = out(capsys, "train --resume r")
    share = microgpt.load("r").weight or 0.0
    assert f"GPT + counts of 2 characters ({100 * share:.0f} %) · 1 layer" in said


def test_without_held_out_documents_the_ladder_has_the_gpt_s_own_loss(capsys: Capture) -> None:
    said = out(capsys, TRAIN.replace("--holdout 0.3", "--holdout 0").replace("150", "60"))
    # Their share cannot be fitted.
    assert "GPT + counts of 2 characters (20 %) · 1 layer" in said
    tail = microgpt.load("r").log.tail(50).mean
    assert f"GPT alone {tail:.2f} ●" in said
    assert "this model" not in said


@pytest.mark.usefixtures("trained")
def test_a_gpt_alone_is_called_as_ever(made: Path, capsys: Capture) -> None:
    said = (made / "s.out").read_text("utf-8")
    assert "GPT · 1 layer" in said
    assert "counts" not in said
    assert "GPT alone" not in said
    assert "Mean of the last 50 steps: " in said
    assert "this model" in said
    told = json.loads(out(capsys, "evaluate s --json"))
    assert not {"gpt", "weight"} & set(told)
    assert microgpt.load("s").alone(["ada"]) is None


@pytest.mark.usefixtures("trained")
def test_an_evaluation_says_both(capsys: Capture) -> None:
    run = microgpt.load("r")
    gpt, _, mixed = both(run)
    told = json.loads(out(capsys, "evaluate r --json"))
    assert (told["gpt"], told["loss"], told["weight"]) == pytest.approx((gpt, mixed, run.weight))
    said = out(capsys, "evaluate r")
    assert f"GPT + counts of 2 characters ({100 * told['weight']:.0f} %): {mixed:.4f} nats" in said
    assert f"GPT alone: {gpt:.4f} nats" in said
    assert re.search(rf"^GPT alone +{gpt:.4f} ", said, re.MULTILINE)
    assert re.search(rf"^GPT \+ counts +{mixed:.4f} ", said, re.MULTILINE)
    assert "this model" not in said
    # What the vocabulary lacks costs both the same.
    strange = run.alone(["ada?"])
    assert strange is not None
    assert strange.nats > run.tokenizer.unknown_nats


@pytest.mark.usefixtures("trained")
def test_tables_and_curves_say_both(capsys: Capture) -> None:
    gpt, _, mixed = both(microgpt.load("r"))
    Path("runs").mkdir()
    Path("r").rename("runs/r")
    row = out(capsys, "runs").splitlines()
    assert " ".join(row[0].split()).endswith("held out GPT + counts error positions seconds")
    assert row[1].split()[6:8] == [f"{gpt:.4f}", f"{mixed:.4f}"]
    assert row[-1] == "held out: of the GPT alone, where there is a GPT + counts beside it"
    told = json.loads(out(capsys, "runs --json"))
    assert (told["gpt"], told["heldout"]) == pytest.approx((gpt, mixed))
    curve = json.loads(out(capsys, "plot r --json"))["curves"][0]
    assert curve["heldout"][-1] == [150, pytest.approx(gpt)]
    assert curve["mixed"][-1] == [150, pytest.approx(mixed)]
    drawn = out(capsys, "plot r")
    assert f" · held out: GPT alone {gpt:.4f} · GPT + counts {mixed:.4f}" in drawn
    assert f"  GPT alone, held out {gpt:.2f}" in drawn
    assert f"  GPT + counts {mixed:.2f}" in drawn


@pytest.mark.usefixtures("trained")
def test_a_report_says_both(capsys: Capture) -> None:
    pytest.importorskip("jinja2")
    from tests.test_report import Page, number

    gpt, _, mixed = both(microgpt.load("r"))
    share = f"{100 * (microgpt.load('r').weight or 0.0):.0f} %"
    assert f"GPT + counts of 2 characters ({share})." in out(capsys, "report r -o out.html")
    got = Page(Path("out.html").read_text("utf-8"))
    assert f"a GPT mixed with counts of 2 characters ({share})" in got.words
    ladder = {name.rstrip(" ●"): number(nats) for name, nats, *_ in got.table("model")}
    assert ladder["GPT alone"] == pytest.approx(gpt, abs=5.1e-5)
    assert ladder["GPT + counts"] == pytest.approx(mixed, abs=5.1e-5)
    for name, loss in (("GPT alone, held out", gpt), ("GPT + counts", mixed)):
        assert f"{name} {loss:.2f}" in got.words
    assert "GPT alone, training" in got.words
    assert "this model" not in got.words


@pytest.mark.usefixtures("trained")
def test_why_explains_the_gpt_s_own_p_and_slopes(capsys: Capture) -> None:
    run = microgpt.load("r")
    told = json.loads(out(capsys, "why r bea --json"))
    batch = lay_out([run.tokenizer.encode("bea")[0]], run.tokenizer.bos, 8).batch
    assert [c["nats"] for c in told["positions"]] == pytest.approx(run.gpt.losses(batch).tolist())
    assert told["loss"] != pytest.approx(run.score("bea").loss, abs=1e-3)
    said = out(capsys, "why r bea")
    p = told["positions"][0]["p"]
    slopes = [f"{-o.weight(-np.log(p)) * (1 - p):.4f}" for o in OBJECTIVES.values()]
    row: list[Any] = next(line.split() for line in said.splitlines() if line.startswith("b  "))
    assert row[1:7] == [f"{p:.4f}", f"{-np.log(p):.2f}", f"{-np.log2(p):.2f}", *slopes]
    assert f"as in microgpt score: {run.score('bea').loss:.4f} nats a character." in said
    assert "as in microgpt score" not in out(capsys, "why s bea")


def test_more_than_half_of_a_mixture_is_said(capsys: Capture) -> None:
    assert cli(TRAIN.replace("--steps 150", "--steps 2").split()) == 0
    share = microgpt.load("r").weight or 0.0
    assert share > 0.5
    assert capsys.readouterr().err == (
        f"microgpt: counts of 2 characters ({100 * share:.0f} %) weigh more than the GPT: most of "
        "what this model knows is counted. Train for longer, or see the GPT alone with --ngram 0.\n"
    )
