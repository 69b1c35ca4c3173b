"""The documents of a slice add up to the part of the loss that it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.errors import UsageError
from microgpt.evaluation.slices import Slice, Sliced, sliced

from .conftest import TINY, some

TEXTS = ["anna", "", "annalena", "é", "lenalena" * 5, "anna é", "x"]


def found(model: Run, texts: list[str], wanted: Slice) -> Sliced:
    return _result(sliced(model.pricer, texts, wanted))


def _result(work: Any) -> Sliced:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("by", ["position", "character", "length"])
def test_the_documents_of_a_part_add_up_to_it(model: Run, by: Any) -> None:
    parts = model.evaluate(TEXTS).parts
    each = {
        "position": parts.by_position,
        "character": parts.by_character,
        "length": parts.by_length,
    }
    named = each[by]()
    assert len(named) > 4
    for part in named:
        its = found(model, TEXTS, Slice(by, part.name))
        assert its.nats_D.sum() == pytest.approx(part.sum.nats, abs=1e-6)
        assert its.positions_D.sum() == part.sum.positions
        assert part.texts in (None, len(its.documents_D))
        if by == "character":
            has = [d for d, text in enumerate(TEXTS) if part.name is None or part.name in text]
            assert its.documents_D.tolist() == has


@pytest.mark.parametrize("kind", some([{"tokenizer": "bytes"}, {"mask": "digits"}], 1), ids=str)
def test_a_character_is_found_whatever_its_tokens_are(kind: dict[str, Any]) -> None:
    texts = [f"{a} {37 * i} é{b}" for i, a in enumerate(TINY[::3]) for b in TINY[:1]]
    run = microgpt.train(
        texts, engine="scalar", preset="microgpt", n_embd=4, n_head=1, steps=2, out="r", **kind
    )
    parts = run.evaluate(texts).parts.by_character()
    assert "mask" in kind or "é" in [part.name for part in parts]
    for part in parts:
        its = found(run, texts, Slice("character", part.name))
        assert its.positions_D.sum() == part.sum.positions
        assert its.nats_D.sum() == pytest.approx(part.sum.nats, abs=1e-5)


@pytest.mark.slow
def test_the_bins_of_the_diagram_have_their_hits(model: Run) -> None:
    texts = [*TEXTS, *model.held_out]
    bins = model.evaluate(texts).calibration.bins
    assert [b.least for b in bins[1:]] == [b.most for b in bins[:-1]]
    assert all(b.least <= b.p < b.most for b in bins)
    hits = [found(model, texts, Slice("probability", None, b.least, b.most)) for b in bins]
    # Predictions at an edge may be rounded to either side.
    assert [int(its.positions_D.sum()) for its in hits] == pytest.approx(
        [b.hits for b in bins], abs=1
    )
    unknown = model.evaluate(texts).unknown
    whole = found(model, texts, Slice("probability", None, 0.0, 2.0))
    assert whole.positions_D.sum() == model.evaluate(texts).sum.positions - unknown
    assert unknown > 0


def test_losses_that_are_known_are_not_computed_again(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.evaluation.slices.CHARACTERS", 9)
    losses_N = np.concatenate(model.losses(TEXTS))
    for wanted in (
        Slice("position", "2"), Slice("character", "n"), Slice("length", "1-9"),
        Slice("probability", None, 0.1, 0.5),
    ):  # fmt: skip
        expected = found(model, TEXTS, wanted)
        with monkeypatch.context() as patch:
            patch.setattr(model.pricer, "price", None)
            its = _result(sliced(model.pricer, TEXTS, wanted, losses_N))
        assert its.documents_D.tolist() == expected.documents_D.tolist()
        assert its.nats_D == pytest.approx(expected.nats_D)
        assert its.positions_D.tolist() == expected.positions_D.tolist()


def test_no_document_may_have_such_positions(model: Run) -> None:
    assert len(found(model, TEXTS, Slice("character", "q")).documents_D) == 0
    assert len(found(model, [], Slice("length", "3")).documents_D) == 0


@pytest.mark.parametrize("name", ["", "x", "3-", "-3", "3-x", "1" * 50, None, "٣-x"])
def test_a_position_is_a_number_or_a_range(model: Run, name: str | None) -> None:
    with pytest.raises(UsageError, match="as 3 or 17-32"):
        found(model, TEXTS, Slice("position", name))


def test_what_costs_most_in_a_slice_is_what_costs_most_there(model: Run) -> None:
    its = found(model, TEXTS, Slice("position", "2"))
    expected = {d: model.losses([text])[0][1] for d, text in enumerate(TEXTS) if text}
    assert dict(zip(its.documents_D.tolist(), its.nats_D)) == pytest.approx(expected)
    assert np.all(its.positions_D == 1)
