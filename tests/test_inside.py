"""Inside a model: held to the engines, to the scalar engine's operations, and to numpy."""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import model
from microgpt.autograd import Value
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.engines import scalar_operations
from microgpt.inside.filing import before
from microgpt.inside.graph import Graph, graph
from microgpt.inside.heads import look
from microgpt.inside.observed import observe
from microgpt.inside.operations import ArrayOps
from microgpt.inside.outline import Fold, Outline
from microgpt.inside.plane import neighbours, plane
from microgpt.model.dropout import Dropping

from .conftest import hair, laid_out, opened

CLASSIC = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=8)
MODERN = GPTConfig(
    vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=8, activation="squared-relu",
    position="rotary", qk_norm=True, final_norm=True,
)  # fmt: skip
ONE = GPTConfig(vocab_size=5, block_size=6, n_layer=1, n_head=4, n_embd=4)
CONFIGS = pytest.mark.parametrize("config", [CLASSIC, MODERN, ONE], ids=["old", "new", "one"])
TOKENS, TARGETS = [4, 0, 1, 2, 3], [0, 1, 2, 3, 4]


def numbers(config: GPTConfig) -> NDArray[np.float64]:
    return 5 * model.initial(config, random.Random(1)) + 0.01


@CONFIGS
def test_what_is_observed_is_what_the_engines_compute(config: GPTConfig, engine_name: str) -> None:
    engine = opened(engine_name, config)
    batch = laid_out([[0, 1, 2, 3], [3], [2, 1, 1, 0, 3]], bos=4, block_size=6)
    weights = model.views(engine.state().parameters, config)
    seen = [observe(config, weights, batch.document(d)[0].tolist()) for d in range(len(batch))]
    expected_NV = engine.logits(batch)
    found_NV = np.concatenate([one.logits_TV for one in seen])
    assert (
        np.abs(found_NV - expected_NV).max() <= 10 * hair(engine_name) * np.abs(expected_NV).max()
    )


@CONFIGS
def test_a_row_of_attention_sums_to_one_and_has_no_share_of_later_positions(
    config: GPTConfig,
) -> None:
    seen = observe(config, model.views(numbers(config), config), TOKENS)
    assert seen.attention_LHTT.shape == (config.n_layer, config.n_head, 5, 5)
    assert seen.attention_LHTT.sum(axis=3) == pytest.approx(1.0, abs=1e-12)
    assert (seen.attention_LHTT[:, :, ~np.tri(5, dtype=bool)] == 0).all()
    assert np.ptp(seen.attention_LHTT[:, :, 4]) > 0.02


def test_shares_are_what_the_scalar_engine_averages_marks_by() -> None:
    rng = np.random.default_rng(1)
    q_TD, k_TD = rng.normal(size=(2, 4, 8))
    marks_TD = np.tile(np.eye(4), 2)  # the value of position s is 1 in channel s of each head
    averaged = scalar_operations().causal_attention(
        q_TD.tolist(), k_TD.tolist(), marks_TD.tolist(), 2, None
    )
    shares_HTS = ArrayOps().shares(*(np.stack([x[:, :4], x[:, 4:]]) for x in (q_TD, k_TD)))
    assert np.concatenate([*shares_HTS], axis=1) == pytest.approx(np.array(averaged), abs=1e-14)


def test_the_residual_stream_is_the_sum_of_what_its_parts_add() -> None:
    weights = model.views(numbers(CLASSIC), CLASSIC)
    seen = observe(CLASSIC, weights, TOKENS)
    assert seen.places == (
        "embedding", "layer0 attention", "layer0 MLP", "layer1 attention", "layer1 MLP",
    )  # fmt: skip
    x_TD = weights["wte"][TOKENS] + weights["wpe"][:5]
    x_TD /= np.sqrt((x_TD**2).mean(axis=1, keepdims=True) + 1e-5)
    assert seen.stream_PTD[0] == pytest.approx(x_TD)
    assert seen.stream_PTD[-1] @ weights["lm_head"].T == pytest.approx(seen.logits_TV)
    h_TD = seen.stream_PTD[1]
    h_TD = h_TD / np.sqrt((h_TD**2).mean(axis=1, keepdims=True) + 1e-5)
    mlp_TD = np.maximum(h_TD @ weights["layer0.mlp_fc1"].T, 0) @ weights["layer0.mlp_fc2"].T
    assert seen.added_PT[2] == pytest.approx(np.sqrt((mlp_TD**2).sum(axis=1)))
    assert seen.norms_PT[2] == pytest.approx(np.sqrt(((seen.stream_PTD[1] + mlp_TD) ** 2).sum(1)))


@CONFIGS
def test_the_operations_are_the_scalar_engine_s(config: GPTConfig) -> None:
    weights = model.views(numbers(config), config)
    lists = {name: weight.tolist() for name, weight in weights.items()}
    ops, scalar = ArrayOps(), scalar_operations()
    dropping = Dropping(0.4, seed=1, update=3, first=7)
    found = model.gpt(ops, config, weights, TOKENS, dropping=dropping)
    expected = model.gpt(scalar, config, lists, TOKENS, dropping=dropping)
    assert found == pytest.approx(np.array(expected), abs=1e-11)
    losses = scalar.cross_entropy(expected, TARGETS)
    assert ops.cross_entropy(found, TARGETS) == pytest.approx(np.array(losses), abs=1e-11)


@CONFIGS
def test_tokens_read_one_by_one_give_the_logits_of_the_whole_text(config: GPTConfig) -> None:
    weights, D = model.views(numbers(config), config), config.n_embd
    past = model.Past([[np.zeros((0, D)), np.zeros((0, D))] for _ in range(config.n_layer)])
    rows = [model.gpt(ArrayOps(), config, weights, [token], past) for token in TOKENS]
    whole = observe(config, weights, TOKENS).logits_TV
    assert np.concatenate(rows) == pytest.approx(whole, abs=1e-12)


def test_where_a_head_looks_is_said_in_numbers_and_words() -> None:
    even = np.tri(6) / np.arange(1, 7)[:, None]
    previous = np.eye(6, k=-1)
    start = np.zeros((6, 6))
    start[:, 0] = previous[0, 0] = 1.0
    mixed = 0.4 * previous + 0.3 * start + 0.3 * np.eye(6)
    assert look(previous).says == "looks mostly at the previous position: 100 % on average"
    assert look(start).says == "looks mostly at the start (BOS): 100 % on average"
    assert look(np.eye(6)).says == "looks mostly at the position itself: 100 % on average"
    assert look(even).says == "spreads evenly over all it has read"
    assert look(even).evenness == pytest.approx(1.0)
    assert look(even).start == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 5, 1 / 6]))
    assert look(mixed).says == (
        "looks at no single place mostly: 40 % at the previous position, 30 % at the start (BOS), "
        "30 % at the position itself"
    )
    assert look(np.tri(2)).says == "has too few positions in this text to say where it looks"


@pytest.mark.parametrize("shape", [(27, 16), (5, 9), (4, 1), (1, 3)])
def test_the_plane_has_the_largest_eigenvalues_of_the_covariance(shape: tuple[int, int]) -> None:
    rows_VD = np.random.default_rng(2).normal(size=shape) + 3.0
    found = plane(rows_VD)
    centred_VD = rows_VD - rows_VD.mean(axis=0)
    values_D, vectors_DD = np.linalg.eigh(centred_VD.T @ centred_VD / len(rows_VD))
    for i in range(min(2, shape[1])):
        projected = centred_VD @ vectors_DD[:, -1 - i]
        assert np.abs(found.points_V2[:, i]) == pytest.approx(np.abs(projected), abs=1e-9)
        total = values_D.sum() or 1.0
        assert found.shares_2[i] == pytest.approx(values_D[-1 - i] / total, abs=1e-12)
    assert plane(rows_VD + 100.0).points_V2 == pytest.approx(found.points_V2, abs=1e-9)


def test_equal_rows_have_no_variance_and_zeros_are_like_nothing() -> None:
    assert plane(np.ones((3, 2))).shares_2.tolist() == [0.0, 0.0]
    assert neighbours(np.zeros((3, 2)), 0, 2) == [(1, 0.0), (2, 0.0)]
    rows = np.array([[1.0, 2.0], [-1.0, -2.0], [2.0, 4.1], [3.0, 0.0]])
    assert [i for i, _ in neighbours(rows, 0, 9)] == [2, 3, 1]


@CONFIGS
def test_every_gradient_in_the_graph_is_the_engine_s(config: GPTConfig) -> None:
    engine = opened("scalar", config)
    flat = engine.state().parameters
    batch = laid_out([TOKENS[1:]], bos=4, block_size=6)
    found = graph(config, flat, TOKENS, TARGETS)
    assert found.loss.data == pytest.approx(engine.losses(batch).mean(), abs=1e-14)
    for name, gradient in engine.gradients(batch).items():
        rows = [[value.grad for value in row] for row in found.parameters[name]]
        assert 5 * np.array(rows) == pytest.approx(gradient, abs=1e-13), name
    # The loss of one position is the difference of two sums.
    one = graph(config, flat, TOKENS, TARGETS, position=2)
    assert one.loss.data == pytest.approx(engine.losses(batch)[2], abs=1e-14)
    shorter, longer = (
        engine.gradients(Batch(np.array(TOKENS[:n]), np.array(TARGETS[:n]), np.array([0, n])))
        for n in (2, 3)
    )
    for name, rows in one.parameters.items():
        d_rows = np.array([[value.grad for value in row] for row in rows])
        assert d_rows == pytest.approx(longer[name] - shorter[name], abs=1e-13), name


def under(outline: Outline, fold: Fold) -> int:
    """Count the Values of a fold by unfolding it to the last."""
    if not fold.unfolds:
        return len(outline.under(fold.path))
    return sum(under(outline, one) for one in outline.folds(fold.path))


@CONFIGS
@pytest.mark.parametrize("position", [None, 0, 3])
def test_the_folds_of_a_graph_add_up_to_all_its_values(
    config: GPTConfig, position: int | None
) -> None:
    found = graph(config, numbers(config), TOKENS, TARGETS, position)
    outline, reached = Outline(found), before([found.loss], set())
    assert len(outline.all) == len({*outline.all}) == len(reached)
    assert {*outline.all} == {*reached}
    folds = outline.folds(())
    assert sum(fold.values for fold in folds) == len(outline.all)
    for fold in folds:
        assert under(outline, fold) == fold.values
        inner = outline.folds(fold.path)
        assert sum(one.gradient**2 for one in inner) == pytest.approx(fold.gradient**2)
        assert max(one.largest for one in inner) == fold.largest
    for number, value in enumerate(outline.all):
        assert all(outline.numbers[v] < number for v in value.inputs)
    arrows = outline.arrows(1)
    links = sum(len(value.inputs) for value in outline.all)
    within = sum(
        outline.path(outline.numbers[v])[0] == outline.path(i)[0]
        for i, value in enumerate(outline.all)
        for v in value.inputs
    )
    assert sum(arrows.values()) == links - within


@CONFIGS
def test_a_value_is_what_its_operation_makes_of_its_inputs(config: GPTConfig) -> None:
    outline = Outline(graph(config, numbers(config), TOKENS, TARGETS))
    seen = set[str]()
    for i, value in enumerate(outline.all):
        words, xs = outline.operation(i), [v.data for v in value.inputs]
        seen.add(re.sub(r"[\d.e-]+$", "#", words))
        if words == "a parameter":
            assert outline.path(i)[0] == "parameters"
        elif words.startswith("dot product"):
            half = len(xs) // 2
            assert words == f"dot product of {half} pairs"
            assert value.data == pytest.approx(np.dot(xs[:half], xs[half:]))
        elif words.startswith("-log p"):
            assert outline.path(i)[:2] == ("loss", "-log p")
            assert math.exp(-value.data) <= 1.0
        else:
            known = {"exp": math.exp, "relu": lambda x: max(x, 0.0), **dict(zip("ab", xs))}
            assert eval(words, known) == pytest.approx(value.data, rel=1e-5, abs=1e-5)
    assert {"a + b", "a * b", "exp(a)", "relu(a)", "a ** #"} <= seen


def test_a_gradient_is_the_sum_over_the_uses_of_its_value() -> None:
    outline = Outline(graph(MODERN, numbers(MODERN), TOKENS, TARGETS))
    for number in range(0, len(outline.all) - 1, 37):
        uses = outline.uses(number)
        total = sum(link.derivative * outline.all[link.number].grad for link in uses)
        assert outline.all[number].grad == pytest.approx(total, abs=1e-13)
        for link in outline.inputs(number):
            assert outline.all[link.number] in outline.all[number].inputs


def parts(found: Graph, *first: str) -> list[str]:
    """The parts under a path, in their order."""
    return [fold.path[-1] for fold in Outline(found).folds(first)]


def test_the_parts_of_the_model_are_named_in_the_order_of_their_computation() -> None:
    modern = graph(MODERN, numbers(MODERN), TOKENS, TARGETS)
    assert parts(modern) == ["parameters", "embedding", "layer0", "layer1", "output", "loss"]
    assert parts(modern, "embedding") == ["norm"]
    assert parts(modern, "layer1") == ["attention", "MLP"]
    assert parts(modern, "layer1", "attention") == [
        "norm", "times attn_wq", "times attn_wk", "times attn_wv", "norm of queries and keys",
        "rotation by position", "scores", "softmax", "average of values", "times attn_wo",
        "added to the stream",
    ]  # fmt: skip
    assert parts(modern, "layer0", "attention", "softmax", "position 2") == ["head 0", "head 1"]
    assert parts(modern, "layer0", "MLP") == [
        "norm", "times mlp_fc1", "relu", "times mlp_fc2", "added to the stream",
    ]  # fmt: skip
    assert parts(modern, "output") == ["norm", "times lm_head"]
    classic = graph(CLASSIC, numbers(CLASSIC), TOKENS, TARGETS)
    assert parts(classic, "embedding") == ["token + position", "norm"]
    assert parts(classic, "output") == ["times lm_head"]
    assert "norm of queries and keys" not in parts(classic, "layer0", "attention")


def test_attention_is_split_into_scores_softmax_and_averages_by_what_they_are() -> None:
    found = graph(CLASSIC, numbers(CLASSIC), TOKENS, TARGETS)
    seen = observe(CLASSIC, model.views(numbers(CLASSIC), CLASSIC), TOKENS)
    groups = found.groups
    for t in range(5):
        for head in range(2):
            place = (f"position {t}", f"head {head}")
            scores = groups[("layer0", "attention", "scores", *place)]
            softmax = groups[("layer0", "attention", "softmax", *place)]
            averages = groups[("layer0", "attention", "average of values", *place)]
            assert len(scores) == 2 * (t + 1)  # a product, and its part by sqrt(K)
            assert len(averages) == 4
            data = [value.data for value in softmax]
            for share in seen.attention_LHTT[0, head, t, : t + 1]:
                assert min(abs(x - share) for x in data) < 1e-12
            assert {v for a in averages for v in a.inputs[: t + 1]} <= {*softmax}


def test_a_graph_of_zeros_is_described_too() -> None:
    outline = Outline(graph(CLASSIC, np.zeros(model.size(CLASSIC)), TOKENS, TARGETS))
    assert {outline.operation(i) for i in range(len(outline.all))} >= {"exp(a)", "a + b"}
    assert outline.graph.loss.data == pytest.approx(math.log(5))
    assert isinstance(outline.all[0], Value)
