"""A training in its folder: its events, its log, its held-out documents, and how it ends."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.engines.contract import State
from microgpt.errors import DivergedError
from microgpt.runs import checkpoint, prepare
from microgpt.runs.log import heldout_line
from microgpt.runs.run import Run
from microgpt.runs.session import Session
from microgpt.sampling import Choice
from microgpt.training import pace
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step, Steps

SHAPE: dict[str, Any] = {"n_embd": 4, "n_head": 1, "block_size": 8, "engine": "scalar"}


def begin(folder: Path, documents: Sequence[str], **told: Any) -> Session:
    return prepare.new(documents, out=folder, **{**SHAPE, **told})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def steps_of(events: Iterable[Steps | HeldOut]) -> list[Step]:
    return [step for event in events if isinstance(event, Steps) for step in event]


def saved(training: Session) -> State:
    return checkpoint.load(training.folder, training.model).state


@pytest.mark.parametrize("every", [1, 4])
def test_the_log_is_what_was_yielded(tmp_path: Path, tiny: list[str], every: int) -> None:
    with begin(tmp_path / "r", tiny, steps=21, holdout=0.2, log_every=every) as training:
        events = list(training)
    written = lines(tmp_path / "r")
    steps = steps_of(events)
    trained = [line for line in written if "loss" in line]
    for line, last in zip(trained, [*range(every, 21, every), 21]):
        first = (last - 1) // every * every
        nats = math.fsum(step.sum.nats for step in steps[first:last])
        positions = sum(step.sum.positions for step in steps[first:last])
        assert set(line) == {"step", "loss", "positions", "lr", "seconds"}
        assert (line["step"], line["positions"]) == (last, positions)
        assert line["loss"] == pytest.approx(nats / positions, rel=1e-12)
    held = [line for line in written if "heldout" in line]
    assert len(trained) + len(held) == len(written)
    assert held == [heldout_line(e) for e in events if isinstance(e, HeldOut)]


@pytest.mark.parametrize("chunk_seconds", [0.0, 100.0])
@pytest.mark.parametrize(("steps", "expected"), [(40, range(4, 41, 4)), (5, range(1, 6))])
def test_held_out_documents_are_measured_at_fixed_steps(
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    chunk_seconds: float,
    steps: int,
    expected: range,
) -> None:
    monkeypatch.setattr(pace, "CHUNK_SECONDS", chunk_seconds)
    with begin(tmp_path / "r", tiny, steps=steps, holdout=0.2) as training:
        events = list(training)
    assert [e.step for e in events if isinstance(e, HeldOut)] == list(expected)
    # Each follows the step after which the engine stands.
    for before, event in pairwise(events):
        if isinstance(event, HeldOut):
            assert isinstance(before, Steps) or event.step == steps
            assert (before.last if isinstance(before, Steps) else before.step) == event.step


def counted(trained: Sequence[str], measured: Sequence[str], vocab_size: int) -> dict[str, float]:
    """Return the baselines' nats by dictionaries and Witten and Bell's rule; "" is the end."""
    ends = [[*document, ""] for document in trained]
    letters = Counter(c for document in ends for c in document)
    pairs = Counter(pair for document in ends for pair in zip(["", *document], document))
    firsts = Counter(a for a, _ in pairs.elements())
    kinds = Counter(a for a, _ in pairs)
    total = letters.total()
    unigram = bigram = 0.0
    positions = 0
    for document in ([*text, ""] for text in measured):
        for a, c in zip(["", *document], document):
            p = (letters[c] + len(letters) / vocab_size) / (total + len(letters))
            q = (pairs[a, c] + kinds[a] * p) / (firsts[a] + kinds[a]) if firsts[a] else p
            unigram -= math.log(p)
            bigram -= math.log(q)
            positions += 1
    blind = positions * math.log(vocab_size)
    return {"uniform": blind, "unigram": unigram, "bigram": bigram}


def test_the_ladder_compares_on_the_same_held_out_documents(
    tmp_path: Path, tiny: list[str]
) -> None:
    with begin(tmp_path / "r", tiny, steps=30, holdout=0.2) as training:
        list(training)
        ladder, held = training.ladder(), training.task.dataset.heldout_documents
    assert set(held) | set(training.task.dataset.train_documents) == set(tiny)
    assert ladder.what == f"{len(held)} held-out documents"
    expected = counted(training.task.dataset.train_documents, held, len(set("".join(tiny))) + 1)
    told = {name: total.nats for name, total in ladder.baselines.items()}
    assert {name: told[name] for name in expected} == pytest.approx(expected)
    # What the n-gram costs is tested with it; here, that it is of the length that costs least.
    assert set(told) - set(expected) == {"ngram"}
    assert ladder.n >= 1
    assert told["ngram"] < told["bigram"]
    positions = sum(len(document) + 1 for document in held)
    assert {total.positions for total in ladder.baselines.values()} == {positions}
    # The model's own loss, by the other way of computing it.
    assert ladder.model.positions == positions
    assert ladder.model.nats == pytest.approx(Run(tmp_path / "r").evaluate(held).sum.nats)


def test_without_held_out_documents_the_ladder_is_on_the_last_steps(
    tmp_path: Path, tiny: list[str]
) -> None:
    with begin(tmp_path / "r", tiny, steps=20, order="once") as training:
        steps = steps_of(training)
        ladder = training.ladder()
    # Twenty steps of one document each see all twenty documents once.
    expected = counted(tiny, tiny, len(set("".join(tiny))) + 1)
    assert {name: total.nats for name, total in ladder.baselines.items()} == pytest.approx(expected)
    assert ladder.model.nats == pytest.approx(math.fsum(step.sum.nats for step in steps))
    assert ladder.what == "the documents of the last 20 steps, not held out"


def test_the_ladder_counts_documents_and_not_their_windows(tmp_path: Path) -> None:
    documents = [f"{a}{b}" * 9 for a in "abcdef" for b in "abcdef"]
    with begin(tmp_path / "r", documents, steps=90, holdout=0.2, long="window") as training:
        list(training)
        task = training.task
        held = len(task.dataset.heldout_documents)
        assert 1 < held < len(task.heldout)
        ladder = training.ladder()
    assert ladder.model.positions == held * 19
    assert ladder.what == f"{held} held-out documents"


def test_a_preset_that_cuts_says_how_many_characters_it_drops(tmp_path: Path) -> None:
    # A block of 4 has room for 4 characters of a document, and for the end of one of 3.
    documents = ["abc", "abcd", "abcde", "abcdefg"]
    for preset in ("microgpt", "microgpt-v1"):
        with begin(
            tmp_path / preset, documents, steps=1, block_size=4, preset_name=preset
        ) as training:
            assert training.task.layout.dropped == 0 + 0 + 1 + 3
    with begin(tmp_path / "w", documents, steps=1, block_size=4, long="window") as training:
        assert (training.task.layout.dropped, training.task.layout.windowed) == (
            0,
            3,
        )


def test_a_stopped_training_is_saved_where_the_engine_stands(
    tmp_path: Path, tiny: list[str]
) -> None:
    with begin(tmp_path / "r", tiny, steps=5000) as training:
        for event in training:
            if isinstance(event, Steps) and 3 in range(event.first, event.last + 1):
                training.stop()
        assert (
            training.updates == saved(training).updates == event.last == len(lines(tmp_path / "r"))
        )
        assert 3 <= event.last < 5000


def test_a_training_that_diverges_names_the_last_good_checkpoint(
    tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(pace, "SAVE_SHARE", 1e9)
    folder = tmp_path / "r"
    seen = []
    with begin(folder, tiny, steps=100, lr=1e200) as training:
        with pytest.raises(DivergedError) as caught:
            for event in training:
                seen.append(event.last if isinstance(event, Steps) else event.step)
        error, good = caught.value, saved(training)
        # One step after the last finite loss, of which no update was made.
        assert error.step == seen[-1] + 1 == training.updates + 1 == len(lines(folder)) + 1
    became = "nan" if math.isnan(error.loss) else "infinite"
    assert str(error) == (
        f"the loss became {became} at step {error.step}. Try a smaller learning rate than "
        f"--lr 1e+200; the last good checkpoint is {folder} (step {good.updates})."
    )
    for numbers in (good.parameters, *good.slots.values()):
        assert np.isfinite(numbers).all()
    assert all(math.isfinite(loss) for loss in Run(folder, engine="scalar").score("ada").losses)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_last_update_that_breaks_the_model_is_no_success(
    tmp_path: Path, tiny: list[str], steps: int
) -> None:
    with begin(tmp_path / "r", tiny, steps=steps, lr=1e200) as training:
        diverged = False
        try:
            list(training)
        except DivergedError:
            diverged = True
        good = saved(training)
    whole = all(np.isfinite(x).all() for x in (good.parameters, *good.slots.values()))
    scores = Run(tmp_path / "r", engine="scalar").score("ada").losses
    assert whole, f"diverged: {diverged}"
    assert all(math.isfinite(loss) for loss in scores)


def test_samples_are_written_a_line_each(tmp_path: Path, tiny: list[str]) -> None:
    with begin(tmp_path / "r", [*tiny, "a\nb", "\x1b[31m"], steps=1) as training:
        list(training)
        run = Run(tmp_path / "r")
        drawn = list(zip(range(12), run.samples(Choice())))
        checkpoint.write_samples(run.folder, [sample.text for _, sample in drawn])
    written = (tmp_path / "r" / "samples.txt").read_text("utf-8")
    assert written.count("\n") == 12
    assert all(c == "\n" or c.isprintable() for c in written)
