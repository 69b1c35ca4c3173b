"""What the studio answers about the inside of a model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt import model as gpt
from microgpt.errors import TrainingWarning, UsageError
from microgpt.inside.graph import graph
from microgpt.studio.graphs import ENTRIES, GraphAsked, Graphs, ValueAsked
from microgpt.studio.inside import EmbeddingsAsked, embeddings, inside

from .conftest import TINY
from .studios import ask, request, serving


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of several layers and heads, with counts."""
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:6])]
    with pytest.warns(TrainingWarning, match="weigh more than the GPT"):
        return microgpt.train(
            texts, engine="scalar", preset="micro", n_embd=8, n_head=2, block_size=8, steps=3,
            batch_size=4, ngram=2, out=tmp_path_factory.mktemp("runs") / "wide",
        )  # fmt: skip


def test_a_text_s_attention_and_stream_are_sent_for_each_position(wide: Run) -> None:
    found = inside(wide, "anna")
    assert found["read"] == ["BOS", "a", "n", "n", "a"]
    assert found["coming"] == ["a", "n", "n", "a", "⏎"]
    assert found["positions"] == 5
    assert len(found["layers"]) == 2
    for layer in found["layers"]:
        assert len(layer) == 2
        for head in layer:
            assert [len(row) for row in head["shares"]] == [1, 2, 3, 4, 5]
            assert [sum(row) for row in head["shares"]] == pytest.approx([1.0] * 5, abs=3e-4)
            assert head["says"]
    assert np.shape(found["norms"]) == np.shape(found["added"]) == (len(found["places"]), 5)


def test_what_is_inside_is_of_the_first_window_and_unknown_characters_are_marked(wide: Run) -> None:
    found = inside(wide, "annaannaanna")
    assert (len(found["read"]), found["positions"], found["window"]) == (8, 13, 8)
    assert inside(wide, "aéb")["read"] == ["BOS", "a", "é?", "b"]
    assert inside(wide, "")["read"] == ["BOS"]
    assert inside(wide, "")["layers"][0][0]["shares"] == [[1.0]]


def test_of_many_heads_fewer_positions_are_sent(wide: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgpt.studio.inside.SHARES", 4 * 3**2)
    assert inside(wide, "anna")["read"] == ["BOS", "a", "n"]


@pytest.mark.parametrize("matrix", ["wte", "lm_head"])
def test_embeddings_are_in_a_plane_with_those_that_are_alike(wide: Run, matrix: Any) -> None:
    found = embeddings(wide, EmbeddingsAsked("", "an", matrix))
    assert found["tokens"] == wide.tokenizer.vocab_size == len(found["marks"])
    assert {mark["symbol"] for mark in found["marks"] if mark["used"]} == {"BOS", "a", "n"}
    assert 0 < sum(found["variance"]) <= 1
    rows = gpt.views(wide.engine.state().parameters, wide.settings.model)[matrix]
    centred = rows - rows.mean(axis=0)
    points = np.array([[mark["x"], mark["y"]] for mark in found["marks"]])
    share = (points**2).sum() / (centred**2).sum()
    assert share == pytest.approx(sum(found["variance"]), abs=1e-5)
    mark = found["marks"][0]
    assert len(mark["alike"]) == 5
    assert mark["symbol"] not in dict(mark["alike"])


def test_of_a_large_vocabulary_the_text_s_tokens_are_drawn_first(
    wide: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.studio.inside.MARKS", 4)
    found = embeddings(wide, EmbeddingsAsked("", "oo", "wte"))
    assert len(found["marks"]) == 4
    assert {mark["symbol"] for mark in found["marks"]} > {"o", "BOS"}


def test_a_graph_is_unfolded_from_the_model_s_parts_to_single_values(wide: Run) -> None:
    graphs = Graphs()
    top = graphs.part(wide, GraphAsked("", "anna"))
    alone = wide.alone(["anna"])
    assert alone is not None
    assert top["loss"] == pytest.approx(alone.mean, abs=1e-6)
    assert np.mean(top["losses"]) == pytest.approx(top["loss"])
    names = [fold.path[-1] for fold in top["folds"]]
    assert names == ["parameters", "embedding", "layer0", "layer1", "output", "loss"]
    assert sum(fold.values for fold in top["folds"]) == top["values"]
    ends = {name for arrow in top["arrows"] for name in arrow[:2]}
    assert {"parameters", "layer0 attention", "layer0 MLP", "output", "loss"} <= ends

    path: list[str] = []
    while True:
        part = graphs.part(wide, GraphAsked("", "anna", path=path))
        if part["nodes"]:
            break
        path = [*part["folds"][-1].path]
    assert path == ["loss", "mean"]
    last = part["nodes"][-1]
    assert last["data"] == top["loss"]
    assert last["grad"] == 1.0
    assert last["operation"] == "a * 0.2"
    value = graphs.value(wide, ValueAsked("", "anna", last["number"]))
    assert value["path"] == ("loss", "mean")
    assert value["uses"] == []
    assert value["inputs"][0]["data"] * 0.2 == pytest.approx(last["data"])


def test_the_gradients_of_the_graph_s_parameters_are_the_engine_s(wide: Run) -> None:
    graphs, text = Graphs(), "anna"
    laid = wide.pricer.price([text]).laid
    gradients = wide.engine.gradients(laid.batch)
    for name in ("layer1.mlp_fc2", "lm_head"):
        rows = graphs.part(wide, GraphAsked("", text, path=["parameters", name]))
        for i, fold in enumerate(rows["folds"]):
            nodes = graphs.part(wide, GraphAsked("", text, path=[*fold.path]))["nodes"]
            grads = [5 * node["grad"] for node in nodes]
            assert grads == pytest.approx(gradients[name][i], abs=1e-5)


def test_a_value_s_gradient_is_what_flows_back_from_its_uses(wide: Run) -> None:
    graphs = Graphs()
    part = graphs.part(
        wide, GraphAsked("", "anna", path=["layer0", "attention", "times attn_wk", "position 1"])
    )
    for node in part["nodes"]:
        value = graphs.value(wide, ValueAsked("", "anna", node["number"]))
        assert value["uses_count"] == len(value["uses"])
        flows = sum(use["flow"] for use in value["uses"])
        assert value["grad"] == pytest.approx(flows, abs=1e-12)
        assert value["operation"] == "dot product of 8 pairs"
        assert value["inputs_count"] == 16


def test_never_more_than_two_hundred_entries_are_sent(
    wide: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.studio.graphs.ENTRIES", 4)
    graphs = Graphs()
    path = ["parameters", "layer0.attn_wq", "row 0"]
    parts = [graphs.part(wide, GraphAsked("", "anna", path=path, first=i)) for i in (0, 4, 8)]
    assert [len(part["nodes"]) for part in parts] == [4, 4, 0]
    assert parts[0]["count"] == 8
    assert len({node["number"] for part in parts for node in part["nodes"]}) == 8
    use = graphs.value(wide, ValueAsked("", "anna", parts[0]["nodes"][0]["number"]))
    assert len(use["uses"]) == 2 < use["uses_count"] == 5
    assert ENTRIES == 200


def test_one_graph_is_made_for_many_questions(wide: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(*given: Any) -> Any:
        made.append(given)
        return graph(*given)

    monkeypatch.setattr("microgpt.studio.graphs.graph", counted)
    graphs = Graphs()
    for path in ([], ["loss"], ["layer0"]):
        graphs.part(wide, GraphAsked("", "anna", path=path))
    graphs.value(wide, ValueAsked("", "anna", 3))
    assert len(made) == 1
    graphs.part(wide, GraphAsked("", "anna", position=1))
    assert len(made) == 2


def test_what_cannot_be_shown_is_said_in_a_sentence(
    wide: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = Graphs()
    for asked, sentence in (
        (GraphAsked("", "annaanna"), "8 positions; got 9. Try a shorter text"),
        (GraphAsked("", "aé"), "é is unknown to the model"),
        (GraphAsked("", "anna", position=5), "from 0 to 4; got 5"),
        (GraphAsked("", "anna", path=["layer7"]), "layer7: the graph of this loss has no such"),
    ):
        with pytest.raises(UsageError, match=sentence):
            graphs.part(wide, asked)
    with pytest.raises(UsageError, match="number must be from 0 to"):
        graphs.value(wide, ValueAsked("", "anna", 10**9))
    with pytest.raises(UsageError, match="at most 2000 characters"):
        inside(wide, "a" * 2001)
    monkeypatch.setattr("microgpt.studio.graphs.WORK", 3000)
    with pytest.raises(UsageError, match=r"a text may have 1 positions.*got 6\. Try a run with"):
        graphs.part(wide, GraphAsked("", "annan"))


def test_the_routes_answer(wide: Run) -> None:
    with serving(wide.folder.parent) as server:
        name = wide.folder.name
        assert ask(server, "/api/inside", run=name, text="anna")["read"][0] == "BOS"
        assert ask(server, "/api/embeddings", run=name, text="", matrix="wte")["width"] == 8
        assert ask(server, "/api/graph", run=name, text="anna", position=2)["path"] == []
        assert (
            ask(server, "/api/value", run=name, text="anna", number=0, position=2)["inputs"] == []
        )
        for path, question in (
            ("/api/embeddings", {"run": name, "text": "", "matrix": "wpe"}),
            ("/api/graph", {"run": name, "text": "anna", "path": "loss"}),
            ("/api/value", {"run": name, "text": "anna"}),
        ):
            answer = request(server, path, json.dumps(question).encode())
            assert answer.status == 400
            assert answer.json()["error"]
