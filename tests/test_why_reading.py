"""`microgpt why` on what is read: text, counting, parameters, embeddings, linear."""

from __future__ import annotations

import json
import math
import random
import re
import statistics
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.cells import cell_len
from safetensors.numpy import load_file

import microgpt
from microgpt import Run, cross_entropy
from microgpt.cli.app import run as cli
from microgpt.cli.why.ideas import IDEAS
from microgpt.data import corpus
from microgpt.data.datasets import names_path
from microgpt.data.split import split
from microgpt.data.tokenizer.unknown import charge
from microgpt.inside.observed import observe
from microgpt.inside.places import product, queries_and_keys
from microgpt.model import flops, initial, size, views
from microgpt.runs.reading import reading
from microgpt.scoring.price import Laid

from .conftest import TINY, laid_out, shown, some
from .kinds import KINDS, LINES

Capture = pytest.CaptureFixture[str]
Slopes = dict[str, list[float]]

READ = ["bpe", "counts, first BOS", "micro", "masks", "bytes", "learned positions, norms"]


def said(capsys: Capture, *words: str) -> str:
    """Return what a command prints."""
    assert cli(["why", *words]) == 0
    return capsys.readouterr().out


def told(capsys: Capture, *words: str) -> dict[str, Any]:
    """Return the numbers of an idea."""
    return json.loads(said(capsys, *words, "--json"))


@pytest.fixture(scope="module", params=some(READ, 0, 1))
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of each kind that reads, places or mixes in another way."""
    path = tmp_path_factory.mktemp("kind") / "lines.txt"
    path.write_text("\n".join(LINES), "utf-8")
    settings: dict[str, Any] = {**KINDS[request.param], "steps": 5, "holdout": 0.2}
    return microgpt.train(path, **settings, out=path.with_suffix(""))


# --- text ----------------------------------------------------------------------------------------


def test_what_is_read_is_the_text_between_two_bos(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "text", str(model.folder), "lena")
    alphabet = sorted({letter for text in model.documents[0] for letter in text})
    assert numbers["alphabet"] == ", ".join(alphabet)
    ids = [alphabet.index(letter) for letter in "lena"]
    assert [at["token"] for at in numbers["positions"]] == [len(alphabet), *ids]
    assert [at["target"] for at in numbers["positions"]] == [*ids, len(alphabet)]
    assert "".join(at["read"] for at in numbers["positions"]) == "BOSlena"
    assert "".join(at["coming"] for at in numbers["positions"]) == "lena⏎"
    printed = said(capsys, "text", str(model.folder), "lena")
    for t, at in enumerate(numbers["positions"]):
        row = f"{t} {at['read']} {at['token']} {at['coming']} {at['target']}"
        assert row in [" ".join(line.split()) for line in printed.split("\n")]


def test_an_unknown_character_has_no_id_and_a_fixed_loss(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "text", str(model.folder), "né")
    assert [at["target"] for at in numbers["positions"]][1] == -1
    nats = model.score("né").losses[1]
    assert numbers["stand_in"]["nats"] == pytest.approx(nats)
    printed = " ".join(said(capsys, "text", str(model.folder), "né").split())
    assert "Unknown: é. It has no id" in printed
    assert f"the loss there is {nats:.1f} nats" in printed
    both = " ".join(said(capsys, "text", str(model.folder), "né🙂é").split())
    assert "Unknown: é, 🙂. They have no id" in both


@pytest.mark.parametrize("idea", ["text", "counting", "embeddings", "linear"])
def test_a_long_text_is_shown_up_to_its_first_window(
    idea: str, model: Run, capsys: Capture
) -> None:
    numbers = told(capsys, idea, str(model.folder), "lenalena")
    shown = numbers["pairs" if idea == "counting" else "positions"]
    assert (numbers["n"], shown if idea == "linear" else len(shown)) == (9, 6)
    printed = said(capsys, idea, str(model.folder), "lenalena")
    assert "first window, of block_size = 6 positions. The other 3 positions" in printed
    assert "first window" not in said(capsys, idea, str(model.folder), "lenal")


def test_the_empty_text_is_one_position(model: Run, capsys: Capture) -> None:
    (at,) = told(capsys, "text", str(model.folder), "")["positions"]
    assert (at["read"], at["coming"], at["token"]) == ("BOS", "⏎", at["target"])


def test_every_tokenizer_gives_its_text_back(kind: Run, capsys: Capture) -> None:
    """But one with masks, which shows what it matched as a symbol."""
    text = "ada took 7ms"
    numbers = told(capsys, "text", str(kind.folder), text)
    targets = [at["target"] for at in numbers["positions"]]
    if "mask" in kind.tokenizer.asked:
        assert any(i in kind.tokenizer.symbols for i in targets)
    else:
        whole = kind.tokenizer.decode(i for i in targets if i != numbers["bos"])
        assert text.startswith(whole)
    assert numbers["positions"][0]["token"] == numbers["bos"]
    assert [at["token"] for at in numbers["positions"][1:]] == targets[:-1]


# --- counting ------------------------------------------------------------------------------------


def pairs_of(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return what is read and what comes next at every position; "." is BOS."""
    return [pair for text in texts for pair in pairwise(f".{text}.")]


def slopes_of(table: dict[str, list[float]], pairs: list[tuple[str, str]]) -> Slopes:
    """Return the gradient of the mean loss, position by position."""
    letters = [*table]
    slopes = {a: [0.0] * len(letters) for a in letters}
    for a, b in pairs:
        _, d_logits_V = cross_entropy(table[a], letters.index(b))
        slopes[a] = [x + d / len(pairs) for x, d in zip(slopes[a], d_logits_V)]
    return slopes


def test_the_learned_table_is_that_of_steps_over_single_positions(
    model: Run, capsys: Capture
) -> None:
    numbers = told(capsys, "counting", str(model.folder), "lena")
    trained, held_out = map(pairs_of, model.documents)
    letters = [*sorted({a for a, _ in trained} - {"."}), "."]
    table = {a: [0.0] * len(letters) for a in letters}
    most = max(Counter(a for a, _ in trained).values())
    assert numbers["rate"] == pytest.approx(2 * len(trained) / most)
    for _ in range(10):
        slopes = slopes_of(table, trained)
        table = {a: [z - numbers["rate"] * d for z, d in zip(table[a], slopes[a])] for a in letters}
    (after,) = [at for at in numbers["losses"] if at["table"] == "10 steps"]
    for name, pairs in (("trained", trained), ("held_out", held_out)):
        losses = [cross_entropy(table[a], letters.index(b))[0] for a, b in pairs]
        assert after[name] == pytest.approx(sum(losses) / len(losses), rel=1e-12)
    slopes = slopes_of(table, trained)
    for at, (a, b) in zip(numbers["slopes"], pairs_of(["lena"])):
        assert at["formula"] == pytest.approx(slopes[a][letters.index(b)], abs=1e-15)
        assert at["measured"] == pytest.approx(at["formula"], abs=1e-9)


def test_counted_tables_have_the_shares_and_the_loss_of_evaluate(
    model: Run, capsys: Capture
) -> None:
    numbers = told(capsys, "counting", str(model.folder), "lena")
    trained, held_out = map(pairs_of, model.documents)
    times, reads = Counter(trained), Counter(a for a, _ in trained)
    losses = {at["table"]: at for at in numbers["losses"]}
    entropy = -sum(n * math.log(n / reads[a]) for (a, _), n in times.items()) / len(trained)
    assert losses["counted"]["trained"] == pytest.approx(entropy)
    shares = [times[pair] / reads[pair[0]] for pair in held_out]
    by_shares = -sum(map(math.log, shares)) / len(held_out)
    assert losses["counted"]["held_out"] == pytest.approx(by_shares)
    smoothed = model.baselines(model.documents[1])["bigram"].mean
    assert losses["smoothed"]["held_out"] == pytest.approx(smoothed, rel=1e-12)
    assert losses["0 steps"]["held_out"] == pytest.approx(math.log(len(reads)))
    assert losses["counted"]["trained"] < losses["1,000 steps"]["trained"] < entropy + 0.01
    gpt = model.gpt.losses(laid_out([model.tokenizer.encode("lena")[0].tolist()], 7, 6))
    for at, (a, b), nats in zip(numbers["pairs"], pairs_of(["lena"]), gpt):
        assert (at["times"], at["of"]) == (times[a, b], reads[a])
        assert at["gpt"] == pytest.approx(nats, rel=1e-6)
    printed = said(capsys, "counting", str(model.folder), "lena")
    for name, at in losses.items():
        row = [name, f"{at['trained']:.4f}", f"{at['held_out']:.4f}"]
        assert " ".join(row) in " ".join(printed.split())


def test_pairs_have_the_losses_of_the_gpt_alone(
    kind: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.cli.why.counting._WORK", 2_000_000)  # fewer steps
    text, block_size = "ada took 7mŠ", kind.settings.model.block_size
    numbers = told(capsys, "counting", str(kind.folder), text)
    laid = Laid.of([text], kind.tokenizer, block_size)
    gpt_T = kind.gpt.losses(laid.windows(kind.tokenizer).take(np.array([0]))).astype(np.float64)
    expected = charge(gpt_T, laid.batch.targets_N[:block_size], kind.tokenizer)
    assert [at["gpt"] for at in numbers["pairs"]] == pytest.approx(expected.tolist(), rel=1e-5)
    assert numbers["losses"][0]["trained"] == pytest.approx(math.log(kind.tokenizer.vocab_size))
    own, held = (
        {*zip(batch.tokens_N.tolist(), batch.targets_N.tolist())}
        for batch in (Laid.of(part, kind.tokenizer, block_size).batch for part in kind.documents)
    )
    (counted,) = [at for at in numbers["losses"] if at["table"] == "counted"]
    assert (counted["held_out"] is None) == bool(held - own)  # infinite: a pair has p = 0
    named = "GPT alone" in said(capsys, "counting", str(kind.folder), text)
    assert named == (kind.weight is not None)


def test_a_table_too_large_to_learn_is_counted_all_the_same(
    model: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.cli.why.counting._LARGEST", 10)
    printed = said(capsys, "counting", str(model.folder), "lena")
    assert "A table of 8 rows and as many columns is not learned here" in printed
    assert "smoothed" in printed


def test_without_its_documents_a_run_has_nothing_to_count(
    model: Run, tmp_path: Path, capsys: Capture
) -> None:
    data = model.folder.parent / "names.txt"
    data.rename(tmp_path / "names.txt")
    assert cli(["why", "counting", str(model.folder), "lena"]) == 2
    (tmp_path / "names.txt").rename(data)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "names.txt" in printed.err


# --- parameters ----------------------------------------------------------------------------------


def test_the_matrices_of_a_run_are_all_its_numbers(model: Run, capsys: Capture) -> None:
    """V = 8, D = 4, T = 6 and one layer."""
    numbers = told(capsys, "parameters", str(model.folder), "anna")
    assert numbers["size"] == 2 * 8 * 4 + 6 * 4 + 12 * 4 * 4
    matrices = {at["name"]: at for at in numbers["matrices"]}
    assert sum(at["size"] for at in matrices.values()) == numbers["size"]
    kept = load_file(model.folder / "checkpoint.safetensors")
    printed = [line.split() for line in said(capsys, "parameters", str(model.folder)).split("\n")]
    assert "as this run" not in " ".join(" ".join(line) for line in printed)
    for name, at in matrices.items():
        weight = kept[name]
        assert list(weight.shape) == at["shape"]
        assert at["std"] == pytest.approx(statistics.pstdev(weight.ravel().tolist()))
        assert at["largest"] == pytest.approx(max(map(abs, weight.ravel().tolist())))
        (row,) = [row for row in printed if row[:1] == [name]]
        assert row[-4:-1] == ["0.0800", f"{at['std']:.4f}", f"{at['largest']:.2f}"]
    # BOS, a, n, n, a: three rows of wte, five of wpe.
    assert (matrices["wte"]["read"], matrices["wpe"]["read"]) == (3 * 4, 5 * 4)
    assert matrices["lm_head"]["read"] == 8 * 4


def test_a_model_begins_blind_and_with_the_slope_of_a_finite_difference(
    model: Run, capsys: Capture
) -> None:
    """The slope's length is that of the change along itself."""
    config = model.settings.model
    numbers = told(capsys, "parameters", str(model.folder), "anna")
    found = {at["std"]: at for at in numbers["first"]}
    assert [*found] == [0.0, 0.02, 0.08, 0.5, 2.0]
    assert found[0.0]["loss"] == pytest.approx(math.log(8))
    assert found[0.0]["slope"] == 0.0
    assert abs(found[0.02]["loss"] - math.log(8)) < 0.05 < found[2.0]["loss"] - math.log(8)
    read = reading(model, "anna", 6)

    def loss(flat: NDArray[np.float64]) -> float:
        logits_TV = observe(config, views(flat, config), read.tokens).logits_TV
        pairs = zip(logits_TV.tolist(), read.targets)
        return sum(cross_entropy(logits_V, target)[0] for logits_V, target in pairs) / 5

    start = initial(config, random.Random(42)).astype(np.float64)
    slopes = np.zeros(len(start))
    for i in range(len(start)):
        nudge = np.zeros(len(start))
        nudge[i] = 1e-5
        slopes[i] = (loss(start + nudge) - loss(start - nudge)) / 2e-5
    assert found[0.08]["loss"] == pytest.approx(loss(start), rel=1e-6)
    assert found[0.08]["slope"] == pytest.approx(float(np.linalg.norm(slopes)), rel=1e-5)


def test_parameters_are_shown_for_every_kind(kind: Run, capsys: Capture) -> None:
    numbers = told(capsys, "parameters", str(kind.folder), "ada took 7mŠ")
    assert numbers["size"] == size(kind.settings.model)
    printed = said(capsys, "parameters", str(kind.folder), "ada took 7mŠ")
    assert ("the counts that this run" in printed) == (kind.weight is not None)
    assert "as this run" in printed  # some of its matrices begin with zeros


def test_of_a_deep_model_the_ends_are_shown(capsys: Capture, tmp_path: Path) -> None:
    run = microgpt.train(
        [*TINY], preset="micro", n_layer=5, n_embd=8, steps=1, holdout=0, out=tmp_path / "deep"
    )
    printed = said(capsys, "parameters", str(run.folder), "ada")
    assert "\n3 layers more" in printed
    assert "layer3" not in printed
    assert "layer4.mlp_fc2" in printed
    numbers = told(capsys, "parameters", str(run.folder), "ada")
    assert "layer3.attn_wq" in {at["name"] for at in numbers["matrices"]}


# --- embeddings ----------------------------------------------------------------------------------


def test_a_token_is_its_row_and_a_place_is_added(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "embeddings", str(model.folder), "anna")
    kept = load_file(model.folder / "checkpoint.safetensors")
    assert numbers["position"] == "learned"
    for t, (at, letter) in enumerate(zip(numbers["positions"], ".anna")):
        token = 7 if letter == "." else model.tokenizer.encode(letter)[0][0]
        wte, wpe = kept["wte"][token].tolist(), kept["wpe"][t].tolist()
        assert (at["wte"], at["wpe"]) == (pytest.approx(wte), pytest.approx(wpe))
        both = [a + b for a, b in zip(wte, wpe)]
        assert at["length"] == pytest.approx(math.hypot(*both))
        size = math.sqrt(sum(x * x for x in both) / 4 + 1e-5)
        assert at["x"] == pytest.approx([x / size for x in both])
    printed = said(capsys, "embeddings", str(model.folder), "anna")
    assert " ".join(f"{x:.2f}" for x in kept["wpe"][4]) in " ".join(printed.split())


def test_the_most_alike_rows_have_the_largest_cosines(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "embeddings", str(model.folder), "anna")
    rows = load_file(model.folder / "checkpoint.safetensors")["wte"].astype(float)
    names = [*"abdelno", "BOS"]
    assert [at["token"] for at in numbers["alike"]] == ["BOS", "a", "n"]
    for at in numbers["alike"]:
        own = rows[names.index(at["token"])]
        cosines = {
            name: sum(a * b for a, b in zip(own, row)) / math.hypot(*own) / math.hypot(*row)
            for name, row in zip(names, rows.tolist())
            if name != at["token"]
        }
        most = sorted(cosines, key=lambda name: -cosines[name])[:4]
        assert [name for name, _ in at["most"]] == most
        assert [cosine for _, cosine in at["most"]] == pytest.approx([cosines[n] for n in most])


def test_a_rotated_product_depends_on_the_distance_alone(kind: Run, capsys: Capture) -> None:
    """And at the places where they stand it is the score that attention has."""
    numbers = told(capsys, "embeddings", str(kind.folder), "ada took")
    if kind.settings.model.position == "learned":
        assert "products" not in numbers
        return
    products = {at["distance"]: at["near"] for at in numbers["products"]}
    for at in numbers["products"]:
        assert at["far"] == pytest.approx(at["near"], rel=1e-9)
    config, tokens = kind.settings.model, reading(kind, "ada took", 99).tokens
    weights = views(kind.engine.state().parameters, config)
    shares = observe(config, weights, tokens).attention_LHTT[0, 0, -1]
    q_HTK, k_HTK = queries_and_keys(config, weights, tokens)
    width, last = q_HTK.shape[2], len(tokens) - 1
    scores = [product(q_HTK[0, -1], k_HTK[0, s], last, s) / width**0.5 for s in range(last + 1)]
    expected = [math.exp(score - max(scores)) for score in scores]
    assert shares == pytest.approx([e / sum(expected) for e in expected])
    assert products[1] == pytest.approx(scores[-2] * width**0.5)


def test_without_places_the_loss_is_another(model: Run, kind: Run, capsys: Capture) -> None:
    for run, text in ((model, "lena"), (kind, "ada took")):
        numbers = told(capsys, "embeddings", str(run.folder), text)
        read = reading(run, text, run.settings.model.block_size)
        laid = Laid.of([text], run.tokenizer, run.settings.model.block_size)
        batch = laid.windows(run.tokenizer)
        gpt = run.gpt.losses(batch)[: len(read.tokens)]
        assert numbers["loss"] == pytest.approx(float(gpt.mean()), rel=1e-5)
        assert numbers["loss_without_places"] != pytest.approx(numbers["loss"], rel=1e-9)
    unknown = "🙂" * model.settings.model.block_size  # a first window without its end
    assert told(capsys, "embeddings", str(model.folder), unknown)["loss"] is None
    last = said(capsys, "embeddings", str(model.folder), unknown)
    assert last.endswith("No loss: the model knows none of these targets.\n")


# --- linear --------------------------------------------------------------------------------------


def test_a_logit_is_the_sum_of_its_terms(kind: Run, model: Run, capsys: Capture) -> None:
    """The logits are those of the engine; the terms those of the file."""
    for run, text in ((model, "lena"), (kind, "ada took")):
        numbers = told(capsys, "linear", str(run.folder), text)
        block_size = run.settings.model.block_size
        window = Laid.of([text], run.tokenizer, block_size).windows(run.tokenizer).head(block_size)
        logits_V = run.gpt.logits(window)[-1]
        assert numbers["logit"] == pytest.approx(logits_V[window.targets_N[-1]], rel=1e-4)
        total = sum(at["x"] * at["weight"] for at in numbers["terms"])
        assert total == pytest.approx(numbers["logit"], rel=1e-12)
        kept = load_file(run.folder / "checkpoint.safetensors")["lm_head"]
        own = {at["input"]: at["weight"] for at in numbers["terms"]}
        assert [own[i] for i in range(len(own))] == pytest.approx(
            kept[window.targets_N[-1]].tolist()
        )
        sizes = [abs(at["product"]) for at in numbers["terms"]]
        assert sizes == sorted(sizes, reverse=True)
        printed = said(capsys, "linear", str(run.folder), text)
        assert f"logit {numbers['logit']:.4f}" in " ".join(printed.split())
        assert f"{numbers['terms'][0]['product']:.4f}" in printed


def test_multiplications_are_a_third_of_half_the_operations_of_training(
    kind: Run, capsys: Capture
) -> None:
    """`flops` counts an addition with each multiplication, and the backward pass twice."""
    config = kind.settings.model
    numbers = told(capsys, "linear", str(kind.folder), "ada took")
    total = sum(at["multiplications"] for at in numbers["matrices"])
    assert 6 * total == flops(config.n_layer, config.n_embd, config.vocab_size)
    printed = said(capsys, "linear", str(kind.folder), "ada took")
    assert re.search(rf"^a position +{total:,}$", printed, re.MULTILINE)


def test_two_matrices_are_one_but_for_the_relu(kind: Run, capsys: Capture) -> None:
    mlp = told(capsys, "linear", str(kind.folder), "ada took")["mlp"]
    assert mlp["joined"] < 1e-9


def test_the_relu_changes_what_the_scalar_engine_computes(model: Run, capsys: Capture) -> None:
    """The first MLP's output is what it adds to the residual stream."""
    mlp = told(capsys, "linear", str(model.folder), "lena")["mlp"]
    config, tokens = model.settings.model, reading(model, "lena", 6).tokens
    weights = views(model.engine.state().parameters, config)
    stream = observe(config, weights, tokens).stream_PTD
    first, second = weights["layer0.mlp_fc1"], weights["layer0.mlp_fc2"]
    most = 0.0
    for before, after in zip(stream[1].tolist(), stream[2].tolist()):
        size = math.sqrt(sum(x * x for x in before) / 4 + 1e-5)
        hidden = [sum(w * x / size for w, x in zip(row, before)) for row in first.tolist()]
        linear = [sum(w * x for w, x in zip(row, hidden)) for row in second.tolist()]
        most = max(most, *(abs(a - b - c) for a, b, c in zip(after, before, linear)))
    assert mlp["relu"] == pytest.approx(most)
    assert most > 0.01


# --- all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idea", "numbers"),
    [
        ("text", ["3 a 0 ⏎ 4", "né is 110, 195, 169"]),
        ("parameters", ["all 4,192 Before", f"0 {math.log(27):.3f} 0"]),
        ("embeddings", ["1 a 0.50 -0.20 0.20 0.00 0.70 -0.20", f"{math.cos(2):.4f}"]),
        ("linear", ["(1)(2) + (3)(-1) + (4)(0.5) 1", "2 x (2, 6)"]),
    ],
)
def test_an_example_has_numbers_to_check_by_hand(
    idea: str, numbers: list[str], capsys: Capture
) -> None:
    printed = " ".join(said(capsys, idea).split())
    for number in numbers:
        assert number in printed


@pytest.mark.parametrize("idea", IDEAS)
def test_an_example_ends_with_the_command_for_a_run(idea: str, capsys: Capture) -> None:
    last = f"\n\nOn a run: microgpt why {idea} RUN [TEXT]\n"
    assert said(capsys, idea).endswith(last)


def test_the_example_of_counting_counts_the_embedded_names(capsys: Capture) -> None:
    """In pure Python: the shares of the training names, and the loss of steps 0."""
    names = names_path().read_text("ascii").split()
    trained = split(corpus.from_texts(names), 0.1)[0]
    times = Counter(pairs_of(trained))
    reads = Counter(a for a, _ in times.elements())
    printed = " ".join(said(capsys, "counting").split())
    for a, b in pairs_of(["smith"]):
        shown = "BOS" if a == "." else a, "⏎" if b == "." else b
        n, of = times[a, b], reads[a]
        assert f"{shown[0]} {shown[1]} {n:,} {of:,} {n / of:.1%}" in printed
    entropy = -sum(n * math.log(n / reads[a]) for (a, _), n in times.items()) / times.total()
    assert f"counted {entropy:.4f} inf" in printed


@pytest.mark.parametrize("idea", ["text", "counting", "parameters", "embeddings", "linear"])
def test_an_idea_fits_a_narrow_terminal(
    idea: str, model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (f"why {idea}", f"why {idea} {model.folder} lena"):
        lines = re.sub(r"\x1b\[[\d;]*m", "", shown(words, 50, monkeypatch)).split("\n")
        assert max(map(cell_len, lines)) <= 50
        assert len(lines) > 5
