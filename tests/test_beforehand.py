"""The work before a timed training's first step, which counts against its seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from microgpt.data.alike import Alike
from microgpt.data.texts import Texts
from microgpt.runs import prepare

SHAPE: dict[str, Any] = {"n_embd": 4, "n_head": 1, "block_size": 8, "engine": "scalar"}


@pytest.mark.parametrize(("budget", "before"), [({"seconds": 0.2}, 2), ({"steps": 3}, 0)])
def test_under_a_clock_which_lines_are_alike_is_found_before_the_first_step(
    budget: dict[str, Any],
    before: int,
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[Texts] = []
    right = Alike.of

    def of(texts: Texts) -> Alike:
        found.append(texts)
        return right(texts)

    monkeypatch.setattr(Alike, "of", of)
    with prepare.new(tiny, out=tmp_path / "r", holdout=0.3, **SHAPE, **budget) as training:
        assert len(found) == before
        list(training)
    # Once each, of those trained on and of those held out.
    dataset = training.task.dataset
    assert found == [dataset.train_documents, dataset.heldout_documents]
    assert (tmp_path / "r" / "reference.safetensors").exists()
