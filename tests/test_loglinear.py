"""The log-linear mixture beside computations of its own: plain sums, finite differences, a page."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt.config import GPTConfig
from microgpt.counting.cache import CLASSES, TextCache
from microgpt.counting.fitted import Fitted
from microgpt.counting.linear import LinearMixture
from microgpt.counting.loglinear import MOST, PENALTY, LogLinear
from microgpt.counting.loglinear_mixture import LogLinearMixture
from microgpt.counting.ngram import NGram
from microgpt.counting.ngrams import NGrams
from microgpt.data.batch import Batch
from microgpt.data.datasets import names_path
from microgpt.engines import why_not_native
from microgpt.errors import RunError, UsageError
from microgpt.runs import checkpoint, prepare
from microgpt.runs.usual import fingerprint

from .conftest import TINY, opened, out
from .test_cache_runs import TEXT, TRAIN
from .test_ngram import BOS, DOCUMENTS, OTHERS, V, batch

native = pytest.mark.skipif(why_not_native() is not None, reason=why_not_native() or "")

CONFIG = GPTConfig(vocab_size=V, block_size=8, n_head=2, n_embd=8)
RNG = np.random.default_rng(4)


def weights(counts: int) -> LogLinear:
    return LogLinear(tuple(map(tuple, RNG.gamma(1.0, 0.3, (1 + counts, 3)).tolist())))


def by_hand(model: LogLinearMixture, measured: Batch) -> list[float]:
    """Compute each loss as the definition says it, a position at a time."""
    documents, found, n = batch(DOCUMENTS), [], model.ngram.n
    counts = [NGram.of(documents, V, BOS, k) for k in range(2, n + 1)]
    gpt_NV = model.gpt.logits(measured)
    sequences = [[BOS] * n + documents.document(d)[0].tolist()[1:] for d in range(len(documents))]
    for d in range(len(measured)):
        tokens, targets = measured.document(d)
        for i, target in enumerate(targets.tolist()):
            last = ([BOS] * n + tokens[: i + 1].tolist())[-(n - 1) :]
            came = sum(
                padded[j : j + n - 1] == last
                for padded in sequences
                for j in range(1, len(padded) - n + 2)
            )
            x = math.log1p(min(came, MOST)) / math.log1p(MOST)
            w_K = [
                a * (1 - x) ** 2 + 2 * b * x * (1 - x) + c * x**2
                for a, b, c in model.weights.weights
            ]
            row = gpt_NV[len(found)]
            logs = [row - np.log(np.exp(row).sum())]
            logs += [
                np.log(one.probabilities(np.array([last[-(one.n - 1) :]]))[0]) for one in counts
            ]
            p_V = np.prod([np.exp(log_V) ** w for log_V, w in zip(logs, w_K)], axis=0)
            found.append(-math.log(p_V[target] / p_V.sum()))
    return found


@pytest.mark.parametrize("n", [2, 3, 5])
def test_its_losses_are_those_of_the_definition(engine_name: str, n: int) -> None:
    ngram = NGram.of(batch(DOCUMENTS), V, BOS, n)
    model = LogLinearMixture(opened(engine_name, CONFIG), ngram, weights(n - 1))
    measured = batch(OTHERS)
    assert model.losses(measured).tolist() == pytest.approx(by_hand(model, measured), rel=1e-6)


def test_losses_logits_and_decoder_agree(engine_name: str) -> None:
    ngram = NGram.of(batch(DOCUMENTS), V, BOS, 4)
    model = LogLinearMixture(opened(engine_name, CONFIG), ngram, weights(3))
    measured, losses = batch(OTHERS), []
    logits_NV = model.logits(measured)
    assert np.exp(logits_NV).sum(axis=1) == pytest.approx(1.0)
    for d in range(len(measured)):
        decoder = model.decoder(2)
        for token, target in zip(*measured.document(d)):
            row, rest = decoder.push(np.array([token, -1]))
            assert not rest.any()
            losses.append(-row[target])
    assert model.losses(measured) == pytest.approx(losses, rel=1e-5)
    assert len(model.losses(measured.take(np.arange(0)))) == 0
    at = np.arange(measured.positions)
    assert model.losses(measured) == pytest.approx(-logits_NV[at, measured.targets_N], rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_counts_side_by_side_are_the_models_of_each_length(n: int) -> None:
    documents, measured = batch(DOCUMENTS), batch(OTHERS)
    several = NGrams(NGram.of(documents, V, BOS, n))
    last = several.longest.contexts(measured)
    lengths = range(min(2, n), n + 1)
    assert len(several) == len(lengths)
    for k, log_p_NV in zip(lengths, several.each(last), strict=True):
        alone = NGram.of(documents, V, BOS, k)
        assert log_p_NV == pytest.approx(alone.logits(measured), rel=1e-9)
    came_N = several.came(last)
    if n == 1:
        assert set(came_N.tolist()) == {documents.positions}
    else:  # a document begins as often as there are documents
        assert came_N[0] == len(documents)
        assert (came_N.min() == 0) == (n > 2)


def fitting(N: int = 400, K: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logits_NKV = RNG.normal(size=(N, K, V))
    log_p_NKV = logits_NKV - np.log(np.exp(logits_NKV).sum(axis=2, keepdims=True))
    came_N = RNG.choice([0.0, 1.0, 5.0, 63.0, 500.0], N)
    # What comes is likelier where the first predictors say so, more so in known contexts.
    tilted_NV = 1.2 * log_p_NKV[:, 0] + (0.3 + 0.2 * (came_N > 1))[:, None] * log_p_NKV[:, 1]
    targets_N = (tilted_NV + RNG.gumbel(size=tilted_NV.shape)).argmax(axis=1)
    return log_p_NKV, came_N, targets_N.astype(np.int64)


def test_the_fitted_weights_have_no_slope_and_no_neighbour_is_better() -> None:
    known = fitting()
    usual = LogLinear.usual(2)
    found = usual.fit(*known)

    def cost(its: LogLinear) -> float:
        away = np.array(its.weights) - np.array(usual.weights)
        return float(its.losses(*known).sum() + 0.5 * PENALTY * (away**2).sum())

    def nudged(k: int, j: int, by: float) -> LogLinear:
        values = np.array(found.weights)
        values[k, j] += by
        return LogLinear(tuple(map(tuple, values.tolist())))

    assert cost(found) < cost(usual) - 10.0
    assert min(map(min, found.weights)) == 0.0  # at the bound of some
    for k in range(3):
        for j in range(3):
            slope = (cost(nudged(k, j, 1e-3)) - cost(found)) / 1e-3
            # Of hundreds of nats; where a weight is 0 a negative one might cost less.
            assert slope > -0.5
            assert slope < 0.5 or found.weights[k][j] < 1e-3
    again = found.fit(*known)
    assert np.array(again.weights) == pytest.approx(np.array(found.weights), abs=2e-2)


def test_few_positions_hardly_change_the_weights_and_strange_ones_not_at_all() -> None:
    log_p_NKV, came_N, targets_N = fitting()
    usual = LogLinear.usual(2)
    few = usual.fit(log_p_NKV[:3], came_N[:3], targets_N[:3])
    many = usual.fit(log_p_NKV, came_N, targets_N)
    off = [np.abs(np.array(its.weights) - np.array(usual.weights)).max() for its in (few, many)]
    assert off[0] < off[1]
    none = usual.fit(log_p_NKV[:0], came_N[:0], targets_N[:0])
    log_p_NKV[7, 0] = np.nan  # of a GPT that diverged
    assert none == usual == usual.fit(log_p_NKV, came_N, targets_N)


@pytest.mark.parametrize(
    "values",
    [
        (),
        ((0.5, 0.0, 0.0),),
        ((0.5, 0.0), (0.5, 0.0)),
        ((0.5, 0.0, 0.0), (0.5, 0.0, -0.1)),
        ((0.5, 0.0, 0.0), (math.nan, 0, 0)),
    ],
)
def test_weights_that_are_none_are_refused(values: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(UsageError, match="log_linear must be 3 finite weights from 0"):
        LogLinear(values)


def test_fitting_on_a_part_measures_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgpt.counting.loglinear_mixture._FITTED", 1)
    monkeypatch.setattr("microgpt.counting.loglinear_mixture._FEW", 5)
    ngram = NGram.of(batch(DOCUMENTS), V, BOS, 3)
    model = LogLinearMixture(opened("scalar", CONFIG), ngram)
    measured, before = batch(OTHERS * 4), model.weights
    losses_N, gpt_N = model.fit(measured)
    assert model.weights != before
    assert losses_N.tolist() == model.losses(measured).tolist()
    assert gpt_N == pytest.approx(model.gpt.losses(measured), rel=1e-9)
    monkeypatch.undo()
    model = LogLinearMixture(model.gpt, ngram)
    losses_N, gpt_N = model.fit(measured)
    assert losses_N == pytest.approx(model.losses(measured), rel=1e-9)
    assert gpt_N == pytest.approx(model.gpt.losses(measured), rel=1e-9)


def test_the_cache_of_a_long_text_is_mixed_in_after_the_counts() -> None:
    ngram = NGram.of(batch(DOCUMENTS), V, BOS, 3)
    cache = TextCache((0.25,) * CLASSES)
    bare = LogLinearMixture(opened("scalar", CONFIG), ngram, weights(2))
    model = LogLinearMixture(bare.gpt, ngram, bare.weights, cache)
    measured = batch(OTHERS)
    assert model.losses(measured).tolist() == cache.losses(bare.losses(measured), measured).tolist()
    assert model.named("letter") == "counts of 2 to 3 letters and a cache of the text"
    assert model.record(2.0) == {"gpt": 2.0, "mixture": "log-linear", "cache": True}


SMALL = "train t.txt --preset micro --n-embd 8 --n-head 2 --steps 150 --holdout 0.3 --block-size 8"


@native
def test_a_run_of_one_is_saved_loaded_resumed_and_measured_alike(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("t.txt").write_text("\n".join(TINY * 9 + [a + b for a in TINY[:9] for b in TINY[:9]]))
    said = out(capsys, f"{SMALL} --ngram 4 --mixture log-linear --out r")
    assert "GPT + counts of 2 to 4 characters · " in said
    assert "each probability is a product of powers of theirs" in said
    run = microgpt.load("r")
    assert isinstance(run.mixture, LogLinearMixture)
    assert run.weight is None
    assert run.mixed_with == "counts of 2 to 4 characters"
    logged = run.log.heldout[-1]["heldout"]
    told = json.loads(out(capsys, "evaluate r --json"))
    assert told["mixture"] == "log-linear"
    assert "weight" not in told
    assert (logged["loss"], logged["gpt"]) == pytest.approx((told["loss"], told["gpt"]), abs=1e-6)
    assert told["loss"] < told["gpt"]
    assert "GPT + counts of 2 to 4 characters: " in out(capsys, "evaluate r")
    # In memory, and resumed from half of the way, it is the same.
    memory = microgpt.train("t.txt", preset="micro", n_embd=8, n_head=2, steps=150, holdout=0.3,
                            block_size=8, ngram=4, mixture="log-linear", out=None)  # fmt: skip
    assert memory.score("ada").losses == run.score("ada").losses
    with prepare.new(
        run.settings.source, preset_name="micro", n_embd=8, n_head=2, steps=150, holdout=0.3,
        block_size=8, ngram=4, mixture="log-linear", out=Path("half"),
    ) as session:  # fmt: skip
        for _ in session:
            if session.updates >= 75:
                session.stop()
    resumed = microgpt.load("half").resume()
    files = [Path(name, checkpoint.CHECKPOINT).read_bytes() for name in ("r", "half")]
    assert files[0] == files[1]
    assert resumed.score("ada").losses == run.score("ada").losses
    # Compressed with it, a file comes back; the weights are a part of its identity.
    data = "\n".join(TINY * 5).encode()
    packed = run.compress(data)
    assert run.decompress(packed) == data
    linear = LinearMixture(run.gpt, run.mixture.ngram)
    assert fingerprint(run.engine, linear) != fingerprint(run.engine, run.mixture)


@native
def test_a_long_text_is_measured_alike_by_the_training_and_everywhere() -> None:
    Path("t.txt").write_text(TEXT)
    run = microgpt.train("t.txt", **{**TRAIN, "ngram": 3, "mixture": "log-linear"})  # type: ignore[arg-type]
    assert run.mixture is not None
    assert run.mixture.cache is not None  # fitted after the weights of the counts
    logged, result = run.log.heldout[-1]["heldout"], run.evaluate()
    assert (logged["loss"], logged["gpt"]) == pytest.approx(
        (result.loss, run.alone(run.held_out).mean), abs=1e-6
    )
    priced = np.concatenate(run.losses(run.held_out))
    assert priced.mean() == pytest.approx(result.loss, abs=1e-6)
    assert run.decompress(run.compress(TEXT.encode())).decode() == TEXT


@native
def test_a_checkpoint_with_weights_of_other_counts_is_refused() -> None:
    Path("t.txt").write_text("\n".join(TINY * 9))
    run = microgpt.train("t.txt", preset="micro", steps=5, ngram=3, mixture="log-linear", out="r")
    assert isinstance(run.mixture, LogLinearMixture)
    with pytest.raises(UsageError, match="log_linear must have weights of 3 predictors"):
        run.mixture.take(Fitted(log_linear=weights(4)))
    saved = checkpoint.load(run.folder, run.settings.model)
    other = checkpoint.Checkpoint(
        saved.state, Fitted(log_linear=weights(4)), settings=saved.settings
    )
    checkpoint.save(run.folder, run.settings.model, other)
    with pytest.raises(RunError, match="foreign: log_linear must have weights of 3 predictors"):
        microgpt.load("r").score("ada")


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="mixture must stand with counts to mix in; got ngram=0"):
        microgpt.train(TINY, preset="microgpt", steps=1, mixture="log-linear")


@native
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:counts of 5 characters:microgpt.errors.TrainingWarning")
def test_on_names_it_is_worth_more_than_the_linear_mixture(tmp_path: Path) -> None:
    losses = {}
    for kind, n in (("linear", 5), ("log-linear", 8)):
        run = microgpt.train(
            names_path(),
            preset="micro",
            steps=400,
            seed=1,
            ngram=n,
            mixture=kind,
            out=tmp_path / kind,
        )
        losses[kind] = run.evaluate().loss
    assert losses["log-linear"] < losses["linear"] - 0.01
    assert run.evaluate(run.documents[0][:1000]).loss < losses["log-linear"] - 0.1


@native
def test_what_was_trained_on_is_less_strange_than_what_never_came() -> None:
    # Of documents that repeat, held-out ones are never among those trained on.
    rng = random.Random(3)
    all_codes = [f"{a}{b}{n:02}" for a in "ABCD" for b in "ABCD" for n in range(60)]
    rng.shuffle(all_codes)
    known, new = all_codes[:300], all_codes[300:]
    Path("t.txt").write_text("\n".join(rng.choices(known, k=3000)))
    run = microgpt.train("t.txt", preset="micro", steps=150, ngram=8, mixture="log-linear", out="r")
    trained = sorted(set(run.documents[0]))
    assert run.evaluate(trained).loss < run.evaluate(new).loss - 0.03
