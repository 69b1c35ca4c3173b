"""The ideas of a layer on a run and a text: held to a forward pass written by hand, in numpy."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import microgpt
from microgpt.cli.app import run as cli
from microgpt.cli.why.float32 import naive
from microgpt.cli.why.ideas import idea
from microgpt.cli.why.scaling import scaled
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import RunError, TrainingWarning
from microgpt.runs.run import Run

from .conftest import TINY

Floats = NDArray[np.float64]
Capture = pytest.CaptureFixture[str]

LAYERS = ("rmsnorm", "attention", "mlp", "residual", "softmax")

KINDS: dict[str, dict[str, Any]] = {
    "old": {"preset": "microgpt", "n_head": 2, "n_embd": 8},
    "new": {"preset": "micro", "n_embd": 16, "block_size": 5},
    "deep": {"preset": "micro", "n_embd": 8, "n_head": 1, "n_layer": 5},
    "bytes": {"preset": "micro", "tokenizer": "bytes", "n_embd": 8},
    "masks": {"preset": "micro", "mask": ["digits"], "n_embd": 8},
    "counts": {"preset": "micro", "ngram": 3, "n_embd": 8},
}
if find_spec("tokenizers"):
    KINDS["bpe"] = {"preset": "micro", "tokenizer": "bpe", "vocab_size": 265, "n_embd": 8}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    lines = [f"{name}{n % 3 * 7}" for n, name in enumerate(TINY * 3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # they have hardly been trained
        return {
            kind: microgpt.train(lines, steps=4, holdout=0.1, out=folder / kind, **settings)
            for kind, settings in KINDS.items()
        }


def normed(x: Floats, groups: int = 1) -> Floats:
    parts = np.split(x, groups, axis=-1)
    return np.concatenate([p / np.sqrt((p**2).mean(-1, keepdims=True) + 1e-5) for p in parts], -1)


def turned(x_T: Floats) -> Floats:
    """A head's rows, rotated as complex numbers."""
    half = x_T.shape[1] // 2
    angles = np.arange(len(x_T))[:, None] * 100.0 ** (-np.arange(half) / half)
    z = (x_T[:, :half] + 1j * x_T[:, half:]) * np.exp(-1j * angles)
    return np.concatenate([z.real, z.imag], axis=1)


@dataclass
class ByHand:
    """What passes through a model: arrays of each layer, each place, each norm's input."""

    scores: list[Floats] = field(default_factory=list[Floats])
    shares: list[Floats] = field(default_factory=list[Floats])
    read: list[Floats] = field(default_factory=list[Floats])
    hidden: list[Floats] = field(default_factory=list[Floats])
    places: list[Floats] = field(default_factory=list[Floats])
    norms: list[Floats] = field(default_factory=list[Floats])
    logits: Floats = field(default_factory=lambda: np.zeros(0))


def by_hand(on: Subject) -> ByHand:
    """Compute all that passes through a model, head by head and position by position."""
    c, w, tokens = on.config, on.weights, on.read.tokens
    T, K = len(tokens), c.n_embd // c.n_head
    found = ByHand()
    x: Floats = w["wte"][tokens]
    if c.position == "learned":
        x = x + w["wpe"][:T]
    found.norms.append(x)
    x = normed(x)
    found.places.append(x)
    for i in range(c.n_layer):
        q, k, v = (normed(x) @ w[f"layer{i}.attn_w{name}"].T for name in "qkv")
        found.norms.append(x)
        if c.qk_norm:
            found.norms += [q, k]
            q, k = normed(q, c.n_head), normed(k, c.n_head)
        read = np.zeros((T, c.n_embd))
        scores, shares = np.zeros((2, c.n_head, T, T))
        for h in range(c.n_head):
            of = slice(h * K, (h + 1) * K)
            qh, kh = q[:, of], k[:, of]
            if c.position == "rotary":
                qh, kh = turned(qh), turned(kh)
            for t in range(T):
                for s in range(t + 1):
                    scores[h, t, s] = sum(qh[t] * kh[s]) / math.sqrt(K)
                exps = [math.exp(score) for score in scores[h, t, : t + 1]]
                shares[h, t, : t + 1] = np.array(exps) / sum(exps)
                read[t, of] = sum(shares[h, t, s] * v[s, of] for s in range(t + 1))
        x = x + read @ w[f"layer{i}.attn_wo"].T
        found.places.append(x)
        found.norms.append(x)
        hidden = np.maximum(normed(x) @ w[f"layer{i}.mlp_fc1"].T, 0)
        hidden = hidden**2 if c.activation == "squared-relu" else hidden
        x = x + hidden @ w[f"layer{i}.mlp_fc2"].T
        found.places.append(x)
        found.scores.append(scores)
        found.shares.append(shares)
        found.read.append(read)
        found.hidden.append(hidden)
    if c.final_norm:
        found.norms.append(x)
        x = normed(x)
    found.logits = x @ w["lm_head"].T
    return found


def loss(logits: Floats, target: int) -> float:
    return -math.log(math.exp(logits[target]) / sum(math.exp(z) for z in logits))


def out(capsys: Capture, command: str, *words: str) -> str:
    assert cli([*command.split(), *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_every_run_and_every_text_can_be_explained(
    runs: dict[str, Run], name: str, kind: str, capsys: Capture
) -> None:
    longer = False
    for text in ("lena7", "", "ëëëëëëë", "a\tb", "ada" * 30):
        on = Subject(runs[kind], text)
        longer |= on.read.positions > on.config.block_size
        numbers = idea(name).numbers(on)
        assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
        idea(name).tell(numbers)
    printed = capsys.readouterr().out
    assert "nan" not in printed
    assert ("the GPT alone" in printed) == (kind == "counts")
    assert ("This is the first window" in printed) == longer


@pytest.mark.parametrize("name", LAYERS)
def test_an_idea_is_explained_on_a_run_in_words_and_as_json(
    runs: dict[str, Run], name: str, capsys: Capture
) -> None:
    on = str(runs["old"].folder)
    assert out(capsys, f"why {name}", on, "lena").count('"lena"') == 1
    found = json.loads(out(capsys, f"why {name}", on, "lena", "--json"))
    assert found == idea(name).numbers(Subject(Run(on), "lena"))


def test_a_run_that_ran_away_is_told_in_one_sentence(runs: dict[str, Run]) -> None:
    on = Subject(runs["old"], "lena")
    vars(on)["weights"] = {**on.weights, "lm_head": on.weights["lm_head"] * math.inf}
    with pytest.raises(RunError, match="its parameters are too large"):
        _ = on.seen


@pytest.mark.parametrize("kind", ["old", "new", "deep", "bytes"])
def test_the_position_that_is_shown_has_the_highest_loss(runs: dict[str, Run], kind: str) -> None:
    run = runs[kind]
    on = Subject(run, "noel7")
    losses = run.gpt.losses(_batch(on))
    assert on.losses == pytest.approx(losses, abs=1e-4)
    assert on.costliest == int(losses.argmax())
    expected = [loss(z, t) for z, t in zip(by_hand(on).logits, on.read.targets)]
    assert on.losses == pytest.approx(expected, abs=1e-12)


def test_where_no_target_is_known_the_last_position_is_shown(runs: dict[str, Run]) -> None:
    on = Subject(runs["new"], "ë" * 20)
    assert np.isnan(on.losses).all()
    assert on.costliest == 4
    some = Subject(runs["old"], "ëna")
    assert math.isnan(some.losses[0])
    assert some.costliest == 1 + int(some.losses[1:].argmax())


def _batch(on: Subject) -> Any:
    from microgpt.data.batch import Batch

    tokens = np.array(on.read.tokens)
    return Batch(tokens, np.array(on.read.targets), np.array([0, len(tokens)]))


@pytest.mark.parametrize("kind", ["old", "new", "bytes"])
def test_a_softmax_is_exp_over_the_sum_of_exp(
    runs: dict[str, Run], kind: str, capsys: Capture
) -> None:
    on = Subject(runs[kind], "bob")
    found = idea("softmax").numbers(on)
    t, target = on.costliest, on.read.targets[on.costliest]
    logits = by_hand(on).logits[t]
    exps = [math.exp(z) for z in logits]
    shown, others = found["tokens"], found["others"]
    p = sorted((e / sum(exps) for e in exps), reverse=True)
    assert [e["p"] for e in shown][:8] == pytest.approx(p[:8], abs=1e-12)
    assert [e["logit"] - e["less"] for e in shown] == pytest.approx([max(logits)] * len(shown))
    assert sum(e["p"] for e in shown) + others["p"] == pytest.approx(1.0, abs=1e-12)
    assert sum(e["exp"] for e in shown) + others["exp"] == pytest.approx(found["sum"])
    assert found["sum"] == pytest.approx(sum(exps) / math.exp(max(logits)))
    assert others["tokens"] == len(exps) - len(shown)
    (wanted,) = (e for e in shown if e["target"])
    assert wanted["p"] == pytest.approx(exps[target] / sum(exps))
    assert found["loss"] == pytest.approx(-math.log(wanted["p"]))
    assert 0 <= found["added"]["p_changes_by"] < 1e-12
    for at in found["temperatures"]:
        warm = [math.exp(z / at["temperature"]) for z in logits]
        q = [e / sum(warm) for e in warm]
        assert (at["largest"], at["target"]) == pytest.approx((max(q), q[target]))
        assert at["choices"] == pytest.approx(math.prod(x**-x for x in q))
    idea("softmax").tell(found)
    printed = " ".join(capsys.readouterr().out.split())
    for e in shown:
        assert f"{e['logit']:.2f} {e['less']:.2f} {e['exp']:.4f} {e['p']:.4f}" in printed
    assert f"log({found['sum']:.4f}) + {-wanted['less']:.4f} = {found['loss']:.4f}" in printed


def test_float32_needs_the_largest_subtracted() -> None:
    row = np.array([2.0, 1.0, 0.0], np.float32)
    exact = [math.exp(z) / sum(map(math.exp, (2, 1, 0))) for z in (2, 1, 0)]
    for added in (0, 80, -80):
        assert naive(row + np.float32(added)) == pytest.approx(exact, rel=1e-5)
    for added in (87, 1000, -107, -1000):
        moved = row + np.float32(added)
        assert np.isnan(naive(moved)[0])
        assert naive(moved - moved.max()) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("kind", ["old", "new", "deep"])
def test_heads_score_and_read_what_a_loop_over_positions_does(
    runs: dict[str, Run], kind: str, capsys: Capture
) -> None:
    on = Subject(runs[kind], "noel7")
    found, hand = idea("attention").numbers(on), by_hand(on)
    t, K = found["position"], found["head_width"]
    for layer, heads in enumerate(found["layers"]):
        wo = on.weights[f"layer{layer}.attn_wo"]
        whole = hand.places[2 * layer + 1][t] - hand.places[2 * layer][t]
        assert sum(wo[:, h * K : (h + 1) * K] @ head["reads"] for h, head in enumerate(heads)) == (
            pytest.approx(whole, abs=1e-12)
        )
        for h, head in enumerate(heads):
            of = slice(h * K, (h + 1) * K)
            assert head["scores"] == pytest.approx(hand.scores[layer][h, t, : t + 1], abs=1e-12)
            assert head["shares"] == pytest.approx(hand.shares[layer][h, t, : t + 1], abs=1e-12)
            assert head["reads"] == pytest.approx(hand.read[layer][t, of], abs=1e-12)
            adds = wo[:, of] @ hand.read[layer][t, of]
            assert head["adds"] == pytest.approx(math.sqrt(sum(adds**2)), abs=1e-12)
            previous = [hand.shares[layer][h, s, s - 1] for s in range(2, len(on.read.tokens))]
            mean = sum(previous) / len(previous)
            assert head["on_average"]["previous"] == pytest.approx(mean)
    idea("attention").tell(found)
    printed = " ".join(capsys.readouterr().out.split())
    last = found["layers"][-1]
    row = " ".join(f"{h['scores'][t]:.2f} {h['shares'][t]:.3f}" for h in last)
    assert f"{t} {found['read'][t]} {row}" in printed
    assert f"0 {last[0]['adds']:.2f} {100 * last[0]['on_average']['start']:.0f} %" in printed
    assert ("The 3 layers between are left out" in printed) == (kind == "deep")


def test_of_a_long_text_the_positions_with_the_largest_shares_are_shown(
    runs: dict[str, Run], capsys: Capture
) -> None:
    found = idea("attention").numbers(Subject(runs["deep"], "ada" * 12 + "z"))
    found["position"] = 30
    for heads in found["layers"]:
        heads[0]["shares"] = [0.9 if s == 17 else 0.1 / 30 for s in range(31)]
        heads[0]["scores"] = [0.0] * 31
    idea("attention").tell(found)
    printed = capsys.readouterr().out
    assert "19 positions with smaller shares not shown" in printed
    assert "0.900" in printed


def test_a_product_of_queries_and_keys_is_as_large_as_the_root_of_their_width() -> None:
    for K in (4, 64):
        size, without, divided = scaled(K, positions=8)
        assert size == pytest.approx(math.sqrt(K), rel=0.1)
        # Eight standard normal scores: the largest share, estimated anew.
        exps = np.exp(np.random.default_rng(3).normal(size=(20_000, 8)))
        assert divided == pytest.approx((exps.max(1) / exps.sum(1)).mean(), abs=0.03)
        assert without > divided


@pytest.mark.parametrize("kind", ["old", "new", "deep"])
def test_hidden_numbers_are_counted_and_the_one_that_adds_most_is_named(
    runs: dict[str, Run], kind: str, capsys: Capture
) -> None:
    on = Subject(runs[kind], "dana7")
    found, hand = idea("mlp").numbers(on), by_hand(on)
    F = found["hidden"]
    for layer, of in enumerate(found["layers"]):
        hidden, fc2 = hand.hidden[layer], on.weights[f"layer{layer}.mlp_fc2"]
        assert hidden.shape[1] == F
        assert of["above"] == [sum(x > 0 for x in row) for row in hidden.tolist()]
        assert of["silent"] == sum(all(x == 0 for x in hidden[:, f]) for f in range(F))
        added = hand.places[2 * layer + 2] - hand.places[2 * layer + 1]
        assert of["adds"] == pytest.approx([math.sqrt(sum(row**2)) for row in added], abs=1e-12)
        for t, most in enumerate(of["most"]):
            alone = [hidden[t, f] * math.sqrt(sum(fc2[:, f] ** 2)) for f in range(F)]
            assert most["adds"] == pytest.approx(max(alone), abs=1e-12)
            assert alone[most["unit"]] == pytest.approx(max(alone), abs=1e-12)
            assert most["number"] == pytest.approx(hidden[t, most["unit"]], abs=1e-12)
            pushed = on.weights["lm_head"] @ fc2[:, most["unit"]]
            likely = np.argsort(-pushed)[:3].tolist()
            assert most["raises"] == [symbols(on.run.tokenizer)[i] for i in likely]
    idea("mlp").tell(found)
    printed = " ".join(capsys.readouterr().out.split())
    first = found["layers"][0]
    share, adds = f"{100 * first['above'][1] / F:.0f} %", f"{first['adds'][1]:.2f}"
    assert f"d {first['above'][1]} {share} {adds} {first['most'][1]['unit']} " in printed
    assert f"{F - first['silent']} of {F} hidden numbers are above 0 here" in printed


def test_the_example_of_the_mlp_is_linear_without_its_relu_alone(capsys: Capture) -> None:
    printed = out(capsys, "why mlp")
    table = [line.split() for line in printed.splitlines() if line[:1] in " -" and line.strip()]
    with_relu = {tuple(row[:2]): row[-2:] for row in table[1:4]}
    assert with_relu[("0", "3")] == ["0", "3"]
    a, b = ([float(x) for x in with_relu[key]] for key in (("1", "2"), ("-1", "1")))
    assert [x + y for x, y in zip(a, b)] == [6.0, 8.0]
    plain = [[float(x) for x in row] for row in table[5:8]]
    assert [x + y for x, y in zip(plain[0], plain[1])] == plain[2]


@pytest.mark.parametrize("kind", ["old", "new", "deep"])
def test_the_stream_is_read_out_after_each_place(
    runs: dict[str, Run], kind: str, capsys: Capture
) -> None:
    on = Subject(runs[kind], "ëda7")
    found, hand = idea("residual").numbers(on), by_hand(on)
    places = found["places"]
    assert [place["place"] for place in places[:3]] == ["embedding", "attention 0", "MLP 0"]
    assert len(places) == len(hand.places) == 2 * on.config.n_layer + 1
    before = np.zeros_like(hand.places[0])
    for place, x in zip(places, hand.places):
        assert place["lengths"] == pytest.approx(np.sqrt((x**2).sum(1)), abs=1e-12)
        assert place["adds"] == pytest.approx(np.sqrt(((x - before) ** 2).sum(1)), abs=1e-12)
        before = x
        logits = (normed(x) if on.config.final_norm else x) @ on.weights["lm_head"].T
        known = [loss(z, t) for z, t in zip(logits, on.read.targets) if t >= 0]
        assert [nats for nats in place["losses"] if nats is not None] == pytest.approx(known)
        assert place["losses"][0] is None
        assert place["loss"] == pytest.approx(sum(known) / len(known))
        likely = [symbols(on.run.tokenizer)[z.argmax()] for z in logits]
        assert place["likeliest"] == likely
    assert places[-1]["losses"][1:] == pytest.approx(on.losses[1:])
    idea("residual").tell(found)
    printed = " ".join(capsys.readouterr().out.split())
    for place in places:
        length = sum(place["lengths"]) / len(place["lengths"])
        assert f"{length:.2f} {place['loss']:.2f}" in printed
    row = " ".join(f"{place['losses'][1]:.2f}" for place in places)
    assert (f"ë? d {row}" in printed) == (kind != "deep")


@pytest.mark.parametrize("kind", ["old", "new", "deep"])
def test_the_sizes_of_rows_before_and_after_each_norm(
    runs: dict[str, Run], kind: str, capsys: Capture
) -> None:
    on = Subject(runs[kind], "bea")
    found, hand = idea("rmsnorm").numbers(on), by_hand(on)
    norms = found["norms"]
    assert len(norms) == len(hand.norms)
    for norm, x in zip(norms, hand.norms):
        expected = [math.sqrt(sum(v * v for v in row) / len(row)) for row in x.tolist()]
        assert norm["before"] == pytest.approx(expected, abs=1e-12)
        groups = on.config.n_head if norm["norm"].startswith(("queries", "keys")) else 1
        after = np.sqrt((normed(x, groups) ** 2).mean(axis=1))
        assert norm["after"] == pytest.approx(after, abs=1e-12)
    names = [norm["norm"] for norm in norms]
    within = ["attention 0", "queries 0", "keys 0", "MLP 0"]
    if kind == "old":
        assert names == ["embedding", "attention 0", "MLP 0"]
    else:
        assert names[:5] == ["embedding", *within]
        assert names[-1] == "output"
    idea("rmsnorm").tell(found)
    printed = " ".join(capsys.readouterr().out.split())
    for norm in norms:
        before = norm["before"]
        sizes = (min(before), sum(before) / len(before), max(before))
        assert " ".join([norm["norm"], *(f"{size:.4f}" for size in sizes)]) in printed
    assert ("The size of each row before the norm" in printed) == (kind != "deep")


def test_embeddings_ten_times_as_large_change_nothing_but_for_what_is_added(
    runs: dict[str, Run],
) -> None:
    on = Subject(runs["old"], "bea")
    changed = idea("rmsnorm").numbers(on)["embeddings"]["logits_change_by"]
    larger = Subject(runs["old"], "bea")
    vars(larger)["weights"] = {
        name: 10 * w if name in ("wte", "wpe") else w for name, w in on.weights.items()
    }
    moved = by_hand(larger).logits - by_hand(on).logits
    assert changed == pytest.approx(np.abs(moved).max(), abs=1e-12)
    assert 0 < changed < 0.01 * np.abs(on.seen.logits_TV).max()
