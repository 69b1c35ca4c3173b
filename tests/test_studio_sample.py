"""Samples of the page are those of the command line, and so is what they are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.sampling import Choice
from microgpt.studio.samples import MOST
from microgpt.studio.server import Server

from .conftest import TINY
from .studios import ask, request, serving


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "names.txt"
    file.write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]), "utf-8")
    return microgpt.train(file, engine="scalar", steps=60, n_embd=8, out=folder / "a", ngram=2)


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Server]:
    with serving(run.folder.parent) as served:
        yield served


def events(server: Server, **asked: Any) -> list[Any]:
    return request(server, "/api/samples", microgpt.schema.encode({"run": "a", **asked})).events()


def test_samples_are_those_of_the_run_and_say_which_are_in_the_data(
    run: Run, server: Server
) -> None:
    choice: dict[str, Any] = {"temperature": 0.7, "top_k": 3, "prompt": "a", "seed": 3}
    *found, last = events(server, number=9, **choice)
    ours = list(islice(run.samples(Choice(**choice)), 9))
    assert [(one["text"], one["ended"]) for one in found] == [(o.text, o.ended) for o in ours]
    assert [one["loss"] for one in found] == pytest.approx([o.loss for o in ours])
    trained_on = {*run.documents[0]}
    assert last == {"seen": [one.text in trained_on for one in ours]}


def test_without_its_documents_it_is_not_known_which_are_new(tmp_path: Path) -> None:
    microgpt.train([*TINY], engine="scalar", steps=2, n_embd=8, out=tmp_path / "a")
    with serving(tmp_path) as server:
        assert events(server, number=2)[-1] == {"seen": None}


@pytest.mark.parametrize("prompt", ["", "an", "annalena"])
def test_the_logits_after_a_prompt_are_those_that_its_next_character_is_scored_with(
    run: Run, server: Server, prompt: str
) -> None:
    found = ask(server, "/api/next", run="a", prompt=prompt)
    p = np.exp(found["logits"]) / np.exp(found["logits"]).sum()
    scored = run.score(prompt + "e").characters[len(prompt)]
    assert -np.log(p[found["symbols"].index("e")]) == pytest.approx(scored.nats, abs=1e-6)


@pytest.mark.parametrize(
    ("path", "asked", "sentence"),
    [
        ("next", {"prompt": "é"}, 'the prompt has "é", which this model has never seen'),
        ("next", {"prompt": "a" * 16}, "the prompt must be shorter than the block of 16"),
        ("samples", {"number": MOST + 1}, f"number must be a whole number from 1 to {MOST}"),
        ("samples", {"temperature": -1.0}, "temperature must be a number from 0; got -1.0."),
        ("samples", {"top_p": 0.0}, "top_p must be in (0, 1]; got 0.0."),
    ],
)
def test_a_mistake_is_one_sentence(server: Server, path: str, asked: Any, sentence: str) -> None:
    answer = request(server, f"/api/{path}", microgpt.schema.encode({"run": "a", **asked}))
    assert answer.status == 400
    assert sentence in answer.json()["error"]
