"""Held-out documents: the same for every training on them, and their mean's standard error."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt.data.corpus import Source
from microgpt.data.tokenizer import Characters
from microgpt.engines import why_not_native
from microgpt.loss.error import standard_error
from microgpt.runs import prepare
from microgpt.runs.session import Session
from microgpt.training.heldout import MOST, HeldOut, HeldOutDocuments

native = pytest.mark.skipif(why_not_native() is not None, reason=str(why_not_native()))


def test_the_standard_error_is_that_of_drawing_documents_again() -> None:
    rng = np.random.default_rng(1)
    positions_D = rng.integers(2, 20, 400)
    # A document has a level of its own: positions are not independent, documents are.
    nats_D = positions_D * rng.normal(2.0, 0.6, 400) + rng.normal(0.0, 1.0, 400)
    drawn = rng.integers(0, 400, (4000, 400))
    means = nats_D[drawn].sum(axis=1) / positions_D[drawn].sum(axis=1)
    assert standard_error(nats_D, positions_D) == pytest.approx(means.std(), rel=0.05)


def test_of_one_document_nothing_can_be_said() -> None:
    assert math.isnan(standard_error(np.array([2.0]), np.array([1])))


def trained(folder: Path, documents: list[str], seed: int) -> tuple[Session, list[HeldOut]]:
    with prepare.new(
        documents, out=folder, seed=seed, steps=30, holdout=0.3, engine="scalar",
        preset_name="microgpt", n_embd=4, n_head=1, block_size=8,
    ) as session:  # fmt: skip
        return session, [event for event in session if isinstance(event, HeldOut)]


def test_trainings_of_two_seeds_are_measured_on_the_same_documents(
    tmp_path: Path, tiny: list[str]
) -> None:
    documents = [*tiny, *(a + b for a in tiny for b in tiny)]
    (one, first), (other, second) = (trained(tmp_path / f"{s}", documents, s) for s in (1, 2))
    for a, b in zip(first, second, strict=True):
        assert (a.step, a.documents, a.sum.positions) == (b.step, b.documents, b.sum.positions)
        measured = [s.task.heldout.head(a.sum.positions).tokens_N.tolist() for s in (one, other)]
        assert measured[0] == measured[1]


@native
@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_evaluation_is_on_all_held_out_documents(tmp_path: Path, seed: int) -> None:
    # However little was trained: a run is compared with others by it.
    with prepare.new(
        Source(), out=tmp_path / "r", preset_name="micro", steps=2, seed=seed, holdout=0.05
    ) as session:
        last = [event for event in session if isinstance(event, HeldOut)][-1]
    assert last.documents == len(session.task.dataset.heldout_documents)
    assert last.sum.positions == sum(
        len(text) + 1 for text in session.task.dataset.heldout_documents
    )
    line = microgpt.load(tmp_path / "r").log.heldout[-1]["heldout"]
    assert line["standard_error"] == last.error
    assert 0.0 < last.error < 0.05


def test_a_slow_engine_measures_at_last_on_half_of_what_it_was_trained_on(tmp_path: Path) -> None:
    # Five positions each: thirty steps have seen 150, half of which are fifteen documents.
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=4)]
    run = microgpt.train(
        words, preset="microgpt", engine="scalar", steps=30, holdout=0.5, n_embd=2, n_head=1,
        block_size=8, out=tmp_path / "r",
    )  # fmt: skip
    assert run.log.heldout[-1]["heldout"]["positions"] == 75


@native
def test_a_quick_engine_measures_at_last_on_so_many_that_its_runs_can_be_compared(
    tmp_path: Path,
) -> None:
    # Of 64 positions each 4,096 documents are 262,144; half as many again are held out.
    words = [f"{i:063b}" for i in range(7_000)]
    run = microgpt.train(
        words, preset="microgpt", engine="native", steps=3, holdout=0.9, n_embd=4, n_head=1,
        block_size=64, out=tmp_path / "r",
    )  # fmt: skip
    assert run.log.heldout[-1]["heldout"]["positions"] == 262_144


def test_the_error_counts_documents_and_not_their_windows() -> None:
    tokens = Characters.of(["abcdef"])
    texts = ["abcdef" * 4, "fedcba" * 3, "ab", "cde" * 5]
    documents = HeldOutDocuments(texts, tokens, block_size=4)

    class Steep:
        """An engine whose loss grows from letter to letter."""

        def losses(self, batch: object) -> np.ndarray:
            return (batch.targets_N + 1.0) / 2

    measured = documents.measure(Steep(), None, 1, MOST)  # type: ignore[arg-type]
    assert measured.documents == 4
    ids = [tokens.encode(text)[0].tolist() for text in texts]
    nats = [sum(its) / 2 + len(its) / 2 + (tokens.bos + 1) / 2 for its in ids]
    expected = standard_error(np.array(nats), np.array([len(t) + 1 for t in texts]))
    assert measured.error == pytest.approx(expected)
    # Of one long text the windows are all there is.
    alone = HeldOutDocuments(texts[:1], tokens, block_size=4).measure(Steep(), None, 1, MOST)  # type: ignore[arg-type]
    assert math.isfinite(alone.error)
