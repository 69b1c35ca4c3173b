"""Scores against the engine's losses, totals by hand, and the loss of unknown characters."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from microgpt import evaluation
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, whole
from microgpt.data.measured import overlapped
from microgpt.data.tokenizer import Bytes, Characters, encode_all
from microgpt.engines.contract import Decoder, Engine, Floats
from tests.conftest import TINY, opened

TOKENIZER = Characters.of(TINY)
CONFIG = GPTConfig(vocab_size=TOKENIZER.vocab_size, block_size=6, n_head=2, n_embd=4)
TEXTS = [*TINY, "", "a" * 50, "lena and".replace(" ", "a") * 4] * 4


@pytest.fixture
def engine() -> Engine:
    return opened("scalar", CONFIG, std=0.8)


def scored(engine: Engine, texts: list[str]) -> list[evaluation.Score]:
    return list(evaluation.scores(engine, TOKENIZER, 6, texts))


def test_scores_are_the_engine_s_losses_in_order(engine: Engine) -> None:
    scores = scored(engine, TEXTS)
    assert [s.text for s in scores] == TEXTS
    for text, score in zip(TEXTS, scores):
        batch = overlapped(whole(encode_all(TOKENIZER, [text])), 6)
        assert score.losses == batch.counted(engine.losses(batch)).tolist()
        assert [c.char for c in score.characters] == [*text, None]
        assert score.sum.positions == len(text) + 1
        assert score.loss == pytest.approx(np.mean(score.losses))
        assert score.bits == pytest.approx(score.loss / math.log(2))
        assert score.perplexity == pytest.approx(math.exp(score.loss))


def test_what_was_likely_is_what_the_logits_say(engine: Engine) -> None:
    (score,) = scored(engine, ["neal"])
    decoder = engine.decoder(1)
    ids = TOKENIZER.encode("neal")[0]
    for read, came, character in zip(
        [TOKENIZER.bos, *ids], [*ids, TOKENIZER.bos], score.characters
    ):
        logits = decoder.push([read])[0]
        order = sorted(range(len(logits)), key=lambda i: -logits[i])[:3]
        assert character.likely == tuple(TOKENIZER.decode([i]) for i in order)
        assert character.hits == (order[0] == came)
        assert character.p == pytest.approx(math.exp(logits[came]) / sum(map(math.exp, logits)))


def test_an_unknown_character_is_priced_and_the_model_reads_the_commonest_one(
    engine: Engine,
) -> None:
    common = TOKENIZER.decode([TOKENIZER.stand_in])
    strange, plain, other = scored(engine, ["n?al", f"n{common}al", "ella"])
    assert [c.unknown for c in strange.characters] == [False, True, False, False, False]
    assert strange.losses[1] == TOKENIZER.unknown_nats
    assert strange.losses[2:] == plain.losses[2:]
    assert strange.losses[0] == plain.losses[0]
    assert other == scored(engine, ["ella"])[0]
    # At the seam of two windows too.
    long, stood = scored(engine, ["lenan?lena", f"lenan{common}lena"])
    assert long.losses[6:] == stood.losses[6:]


def test_an_evaluation_sums_up_by_hand(engine: Engine) -> None:
    texts = ["ada", "noé", "ella"]
    scores = scored(engine, texts)
    result = evaluation.evaluate(engine, TOKENIZER, 6, texts)
    nats = [x for s in scores for x in s.losses]
    assert result.sum.positions == 4 + 4 + 5
    assert result.sum.nats == pytest.approx(math.fsum(nats))
    assert result.loss == pytest.approx(math.fsum(nats) / 13)
    assert result.document_loss == pytest.approx(sum(s.loss for s in scores) / 3)
    assert result.document_loss != pytest.approx(result.loss, rel=1e-6)
    assert result.bits_per_byte == pytest.approx(math.fsum(nats) / math.log(2) / (3 + 4 + 4 + 3))
    assert result.unknown == 1
    assert result.accuracy == sum(c.hits for s in scores for c in s.characters) / 13


def test_bytes_are_gathered_into_characters() -> None:
    engine = opened("scalar", GPTConfig(vocab_size=257, block_size=6, n_head=2, n_embd=4))
    (score,) = evaluation.scores(engine, Bytes(), 6, ["né😀"])
    assert [len(c.losses) for c in score.characters] == [1, 2, 4, 1]
    batch = overlapped(whole(encode_all(Bytes(), ["né😀"])), 6)
    assert score.losses == batch.counted(engine.losses(batch)).tolist()
    assert score.characters[2].nats == pytest.approx(math.fsum(score.losses[3:7]))


def test_many_texts_are_laid_out_in_groups_and_evaluated_as_all_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = evaluation.evaluate(engine, TOKENIZER, 6, TEXTS)
    monkeypatch.setattr("microgpt.evaluation.CHARACTERS", 40)
    monkeypatch.setattr("microgpt.scoring.logits.NUMBERS", 100)
    in_groups = evaluation.evaluate(engine, TOKENIZER, 6, iter(TEXTS))
    assert in_groups.sum == at_once.sum
    assert in_groups.parts.by_position() == at_once.parts.by_position()
    assert in_groups.parts.documents(3)[0] == at_once.parts.documents(3)[0]
    # The same texts are left out together, and in the same half.
    for name in ("error", "low", "high", "chance"):
        whole = getattr(at_once.calibration, name)
        assert getattr(in_groups.calibration, name) == pytest.approx(whole, rel=1e-9)
    assert in_groups.temperature.gain == pytest.approx(at_once.temperature.gain, abs=1e-6)
    assert in_groups.brier == pytest.approx(at_once.brier)
    nothing = evaluation.evaluate(engine, TOKENIZER, 6, [])
    assert (nothing.documents, nothing.sum.positions, nothing.calibration.bins) == (0, 0, ())


class Blind:
    """A predictor that knows nothing."""

    def losses(self, batch: Batch) -> Floats:
        return np.full(batch.positions, math.log(TOKENIZER.vocab_size))

    def logits(self, batch: Batch) -> Floats:
        return np.zeros((batch.positions, TOKENIZER.vocab_size))

    def decoder(self, rows: int) -> Decoder:
        raise NotImplementedError


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("microgpt.evaluation.CHARACTERS", 1000)
    monkeypatch.setattr("microgpt.evaluation.temperature.MOST", 1000)
    monkeypatch.setattr("microgpt.evaluation.documents.KEPT", 50)
    monkeypatch.setattr("microgpt.evaluation.sums._WAITING", 100)
    peaks: list[int] = []
    for number in (400, 400, 4000):
        tracemalloc.start()
        result = evaluation.evaluate(
            Blind(), TOKENIZER, 6, ("len" * (i % 9) for i in range(number))
        )
        assert result.loss == pytest.approx(math.log(TOKENIZER.vocab_size), rel=1e-12)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[1]
