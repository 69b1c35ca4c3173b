"""`microgpt why IDEA --train`: variants of one training, measured alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.cli.why import comparison
from microgpt.cli.why.ideas import IDEAS
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import from_documents
from microgpt.data.tokenizer import Characters
from microgpt.engines import has_torch, why_not_native
from microgpt.errors import DataError
from microgpt.evaluation import evaluate
from microgpt.experiment import Base, attempt, trainings
from microgpt.experiment.attempt import Attempt
from microgpt.experiment.rows import MEANING, TableRow, cells, rows
from microgpt.experiment.trainings import Trainings
from microgpt.experiment.variants import COMPARISONS, Comparison, Variant
from microgpt.model.operations import unchanged

from .conftest import TINY, out, shown

Capture = pytest.CaptureFixture[str]
AUTO = ("auto", 1, None)
SMALL = {"n_embd": 8, "n_head": 2, "block_size": 6}


def base(**training: Any) -> Base:
    """Twenty names, some of them longer than the block."""
    tokens = Characters.of(TINY, "last")
    config = GPTConfig(vocab_size=tokens.vocab_size, **SMALL)
    how = TrainConfig(**{"steps": 4, "holdout": 0.3, "seed": 1, **training})
    return Base(from_documents(TINY), tokens, config, how)


def ended(variant: Variant, seed: int = 1, on: Base | None = None, engine: Any = AUTO) -> Attempt:
    done = Attempt(on or base(), variant, seed, engine)
    assert sum(done.train()) == done.steps
    return done


@pytest.fixture
def text() -> None:
    Path("t.txt").write_text("\n".join(TINY) + "\n", "utf-8")


def test_an_attempt_is_an_ordinary_training_with_its_settings() -> None:
    done = ended(Variant("narrow", {"n_embd": 4}, {"lr": 0.02}), on=base(steps=12))
    settings = {**SMALL, "n_embd": 4, "lr": 0.02, "steps": 12, "holdout": 0.3, "seed": 1}
    ordinary = microgpt.train(
        TINY, preset="microgpt", **settings, order="per-epoch", long="window", out="r"
    )
    lines = map(json.loads, Path("r/log.jsonl").read_text("utf-8").splitlines())
    log = [line["loss"] for line in lines if "lr" in line]
    assert done.loss_K == pytest.approx(log, rel=1e-6)
    documents = done.task.dataset.heldout_documents
    alone = evaluate(ordinary.engine, ordinary.tokenizer, 6, documents)
    assert alone.sum.positions == done.held_out.positions
    assert done.rows == {
        "narrow": {
            "step 1": done.loss_K[0],
            "training": pytest.approx(float(done.engine.losses(done.trained_on).mean())),
            "held out": pytest.approx(alone.loss, rel=1e-6),
        }
    }


def test_all_variants_start_from_the_seed_s_numbers_and_see_the_same_documents() -> None:
    one, other = (
        Attempt(base(), Variant(x, {}, {"lr": r}), 7, AUTO) for x, r in (("a", 1), ("b", 2))
    )
    assert one.engine.state().parameters.tobytes() == other.engine.state().parameters.tobytes()
    for made in (one.plan.batches(0, 4), one.trained_on):
        assert made.tokens_N.tolist() == other.plan.batches(0, 4).tokens_N.tolist()
    another = Attempt(base(), Variant("a"), 8, AUTO)
    assert (one.engine.state().parameters != another.engine.state().parameters).any()


def test_a_part_of_the_documents_is_all_that_it_trains_on() -> None:
    done = ended(Variant("few", documents=3), on=base(steps=9))
    whole = done.task.layout.batch
    assert (len(done.plan.data), len(whole) > 3) == (3, True)
    batch = done.plan.batches(0, 9)
    read = {tuple(batch.document(d)[0].tolist()) for d in range(len(batch))}
    assert len(read) == 3
    assert read < {tuple(whole.document(d)[0].tolist()) for d in range(len(whole))}


def test_what_was_trained_without_the_mask_is_measured_with_it_too() -> None:
    (variant,) = [v for v in COMPARISONS["attention"].variants(base()) if "mask" in v.label]
    done = ended(variant, engine=("scalar", 1, None))
    assert list(done.rows) == [variant.label, f"{variant.label}, measured with it"]
    plain = done.task.open("scalar")
    plain.load(done.engine.state())
    with_it = done.rows[f"{variant.label}, measured with it"]["held out"]
    assert with_it == pytest.approx(float(plain.losses(done.held_out).mean()), rel=1e-5)
    assert done.rows[variant.label]["held out"] != pytest.approx(with_it, rel=1e-4)


def test_samples_are_measured_at_each_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgpt.experiment.measures.SAMPLES", 20)
    (variant,) = COMPARISONS["sampling"].variants(base())
    done = ended(variant)
    cold, *_, hot = done.rows.values()
    assert cold["distinct"] == 1 / 20
    assert hot["distinct"] > 1 / 2
    choice = microgpt.Choice(temperature=2.0, seed=1)
    drawn = microgpt.sampling.take(done.engine, done.task.tokenizer, 6, choice, 20)
    known = [sample.text in list(done.task.dataset.train_documents) for sample in drawn]
    assert hot["in the data"] == sum(known) / 20
    positions = sum(sample.sum.positions for sample in drawn)
    assert hot["loss"] == pytest.approx(sum(s.sum.nats for s in drawn) / positions)


def test_tokenizers_are_compared_in_bits_a_byte() -> None:
    on = base()
    for variant in COMPARISONS["text"].variants(on):
        found = ended(variant, on=on).rows[variant.label]
        n_bytes = sum(len(name.encode()) + 1 for name in on.dataset.heldout_documents)
        positions = n_bytes / found["bytes a token"]
        nats = found["held out"] * positions
        assert found["bits a byte"] == pytest.approx(nats / math.log(2) / n_bytes)
        assert positions == pytest.approx(round(positions))
    assert found["bytes a token"] > 1.0 or found["ids"] == 257


def fake(label: str, values: dict[str, dict[str, float]], *, begins: bool = False) -> Any:
    engine = SimpleNamespace(name="native")
    variant = SimpleNamespace(begins=begins)
    return SimpleNamespace(label=label, engine=engine, variant=variant, rows=values)


def test_a_difference_is_from_the_first_row_of_its_group_seed_by_seed() -> None:
    def done() -> Iterator[Any]:
        for label, losses in (("one", (2.0, 3.0)), ("two", (2.5, 2.0)), ("deep", (1.0, 5.0))):
            for loss in losses:
                yield fake(label, {label: {"held out": loss}}, begins=label == "deep")
        for loss in (1.5, 5.25):
            yield fake("last", {"last": {"held out": loss}})

    comparison = Comparison(lambda base: iter(()), ("held out",))
    found = list(rows(comparison, done()))
    assert [row.difference for row in found] == [[], [0.5, -1.0], [], [0.5, 0.25]]
    assert cells(comparison, found[1]) == [
        "two",
        "2.250 (2.000 to 2.500)",
        "-0.250 (-1.000 to +0.500)",
    ]
    assert cells(comparison, found[2]) == ["deep", "3.000 (1.000 to 5.000)", ""]


def test_what_diverges_is_a_row_like_the_others(text: None, capsys: Capture) -> None:
    comparison = Comparison(lambda base: iter(()))
    lost = TableRow("a", "native", {"step 1": [3.0], "held out": [math.nan]}, [math.nan])
    assert cells(comparison, lost) == ["a", "3.000", "", "diverged", "diverged"]
    done = Attempt(base(steps=50), Variant("wild", {}, {"lr": 1e30}), 1, AUTO)
    made = sum(done.train())
    assert made <= 50
    assert cells(comparison, TableRow("a", "native", *_of(done)))[3] == "diverged"


def _of(done: Attempt) -> tuple[dict[str, list[float]], list[float]]:
    return {name: [value] for name, value in done.rows[done.label].items()}, []


@pytest.mark.parametrize("name", COMPARISONS)
def test_each_variant_of_an_idea_has_its_own_label_and_columns_that_are_explained(
    name: str,
) -> None:
    """Two variants of one label would share a row."""
    on = base(steps=2)
    made = Trainings(name, on, [1], AUTO)
    comparison = made.comparison
    labels = [variant.label for variant in made.variants]
    assert len(set(labels)) == len(labels) >= 1
    assert set(comparison.columns) <= set(MEANING)
    assert comparison.compared in ("", *comparison.columns)
    assert comparison.changes == any(v.change is not unchanged for v in made.variants)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARISONS)
def test_every_idea_answers(name: str, text: None, capsys: Capture) -> None:
    words = f"why {name} --train t.txt --steps 2 --seeds 2"
    capsys.readouterr()
    record = json.loads(out(capsys, f"{words} --json"))
    table = out(capsys, words)
    assert table.startswith(IDEAS[name])
    for row in record["rows"]:
        assert f"\n{row['label']} " in table
        assert all(len(values) == 2 for values in row["values"].values())
        if name != "tensors":  # its milliseconds differ
            made = TableRow(**row)
            finite = all(v is not None for values in made.values.values() for v in values)
            line = next(x for x in table.splitlines() if x.startswith(f"{row['label']}  "))
            assert not finite or line.split() == " ".join(cells(COMPARISONS[name], made)).split()


def test_a_table_has_the_numbers_of_json(text: None, capsys: Capture) -> None:
    words = "why linear --train t.txt --steps 2 --seed 3"
    record = json.loads(out(capsys, f"{words} --json"))
    assert (record["idea"], record["seeds"], record["training"]["steps"]) == ("linear", [3], 2)
    own, *others = (TableRow(**row) for row in record["rows"])
    assert own.difference == []
    for row in others:
        (mine,), (first,) = row.values["held out"], own.values["held out"]
        assert row.difference == [mine - first]
    table = out(capsys, words)
    assert "2 steps of 16 documents · seed 3\n" in table
    for row in (own, *others):
        assert " ".join(cells(COMPARISONS["linear"], row)).split() in [
            line.split() for line in table.splitlines()
        ]


def test_a_run_gives_its_text_and_recipe(text: None, capsys: Capture) -> None:
    shape = "--preset microgpt --n-embd 4 --n-head 1 --block-size 6 --holdout 0.1"
    assert run(f"train t.txt {shape} --steps 5 --batch-size 2 --lr 0.02 --out t-1".split()) == 0
    capsys.readouterr()
    record = json.loads(out(capsys, "why attention t-1 --train --engine scalar --steps 1 --json"))
    assert (record["model"]["n_embd"], record["training"]["lr"]) == (4, 0.02)
    assert record["training"]["batch_size"] == 2
    # A width of 4 has no 8 heads: that variant is left out.
    heads = [row["label"] for row in record["rows"] if "head" in row["label"]]
    assert heads == ["as it is, 1 head", "2 heads", "4 heads"]


def test_without_pytorch_changed_operations_take_fewer_steps_of_the_scalar_engine(
    text: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (trainings, attempt, comparison):
        monkeypatch.setattr(module, "has_torch", lambda: False)
    made = Trainings("mlp", base(), [1], AUTO)
    assert made.is_slow
    assert made.base.training.batch_size == 1
    engines = {one.variant.change is unchanged: one.engine.name for one in made.attempts()}
    assert engines[False] == "scalar"
    assert all(one.held_out.positions <= 100 for one in made.attempts())
    asked = json.loads(out(capsys, "why mlp --train t.txt --steps 1 --json"))
    assert {row["engine"] for row in asked["rows"]} >= {"scalar"}
    told = out(capsys, "why mlp --train t.txt --steps 1")
    slow = "The scalar engine is slow: few steps, measured on few positions."
    assert f"{slow}\nPyTorch makes all steps. Try: pip install 'microgpt-lm[torch]'\n" in told
    told = out(capsys, "why linear --train t.txt --steps 1 --engine scalar")
    assert f"{slow}\n\n" in told
    assert trainings.slowest("mlp", "auto") == "scalar"
    assert trainings.slowest("linear", "auto") == "auto"


@pytest.mark.skipif(not has_torch() or bool(why_not_native()), reason="needs both engines")
def test_it_is_said_which_engine_computed_what(text: None, capsys: Capture) -> None:
    told = out(capsys, "why mlp --train t.txt --steps 1")
    assert "\nChanged operations by the torch engine, all else by the native one.\n" in told


def test_how_long_it_takes_is_said_before_if_it_is_long(
    text: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainings, "estimate", lambda self: (1, 99.4))
    assert run(["why", "linear", "--train", "t.txt", "--steps", "1"]) == 0
    assert capsys.readouterr().err == "5 trainings, about 99 seconds.\n"


def test_an_estimate_is_of_all_steps_and_trains_nothing() -> None:
    made = Trainings("linear", base(steps=1000), [1, 2], AUTO)
    steps, seconds = made.estimate()
    assert steps == 1000 * len(made)
    assert 0 < seconds < 600
    assert [one.loss_K for one in made.attempts()] == [[]] * len(made)


def test_a_narrow_terminal_loses_columns_and_no_digit(
    text: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = shown("why linear --train t.txt --steps 1", 50, monkeypatch)
    told = re.sub(r"\x1b\[[\d;]*m", "", told)
    lines = [line for line in told.splitlines() if line.startswith("n_embd ")]
    assert len(lines) == 5
    assert all(len(line.rstrip()) <= 50 for line in told.splitlines())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "softmax --train",
            "--train must stand with an idea that has it: loss, text, parameters, embeddings, "
            "linear, rmsnorm, attention, mlp, residual, adam, training, sampling, good-loss, "
            'tensors; got "softmax".',
        ),
        ("attention --train --save a.svg", "save must stand with the idea loss."),
        ("--train --seeds 2", "seeds must stand with another idea than loss."),
        ("attention --seeds 2", "seeds must stand with --train: only what is trained has it."),
        ("linear --train --seeds 0", "seeds must be a whole number from 1; got 0."),
        ("linear --train --steps 0", "steps must be a whole number from 1; got 0."),
        ("linear nams.txt --train", "nams.txt: no such file."),
    ],
)
def test_a_mistake_is_one_sentence(capsys: Capture, words: str, sentence: str) -> None:
    assert run(["why", *words.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"microgpt: {sentence}\n"


def test_too_few_documents_are_a_mistake() -> None:
    few = replace(base(holdout=0.1), corpus=from_documents(["a"]))
    with pytest.raises(DataError, match=r"^documents must be enough .* holds out none"):
        Trainings("linear", few, [1], AUTO).estimate()
