"""Losses at the engine's full speed, against the scores computed character by character."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from microgpt import evaluation
from microgpt.config import GPTConfig
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer
from microgpt.loss import LossSum
from microgpt.scoring.logits import blocks
from microgpt.scoring.price import END, Laid, Pricer
from microgpt.scoring.spans import spans
from tests.conftest import TINY, hair, opened

LETTERS = Characters.of(TINY)
TEXTS = [*TINY, "", "a", "noé", "?", "lenaland" * 5, "b" * 17, "an an", "é" * 13, "日😀本", "\x00"]
BLOCK = 6


@pytest.mark.parametrize("tokenizer", [LETTERS, Bytes(), Characters.of(TINY, "first")])
def test_prices_are_the_scores(engine_name: str, tokenizer: Tokenizer) -> None:
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    engine = opened(engine_name, config, std=0.8)
    scores = list(evaluation.scores(engine, tokenizer, BLOCK, TEXTS))
    priced = Pricer(engine, tokenizer, BLOCK).price(TEXTS)
    expected = [x for score in scores for x in score.losses]
    near = 8 * hair(engine_name)
    assert priced.losses_N.tolist() == pytest.approx(expected, rel=near, abs=near)
    assert priced.nats_D.tolist() == pytest.approx([s.nats for s in scores], rel=near)
    assert priced.means_D.tolist() == pytest.approx([s.loss for s in scores], rel=near)
    assert priced.positions_D.tolist() == [s.sum.positions for s in scores]
    unknown = [sum(c.unknown for c in s.characters) for s in scores]
    assert priced.laid.unknown_D.tolist() == unknown
    assert (sum(unknown) > 0) == (tokenizer.unknown_nats > 0)


def test_a_text_costs_the_same_alone_and_among_others() -> None:
    engine = opened(
        "scalar", GPTConfig(vocab_size=LETTERS.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    )
    pricer = Pricer(engine, LETTERS, BLOCK)
    together = pricer.price(TEXTS)
    for d, text in enumerate(TEXTS):
        alone = pricer.price([text])
        start, stop = together.laid.texts[d : d + 2]
        assert alone.losses_N.tolist() == together.losses_N[start:stop].tolist()


@pytest.mark.parametrize("tokenizer", [LETTERS, Bytes()], ids=["characters", "bytes"])
def test_spans_are_told_in_characters(tokenizer: Tokenizer) -> None:
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    engine = opened("scalar", config, std=0.8)
    priced = Pricer(engine, tokenizer, BLOCK).price(TEXTS)
    usual = float(priced.losses_N.mean())
    scores = evaluation.scores(engine, tokenizer, BLOCK, TEXTS)
    for score, start, stop in zip(scores, *(x.tolist() for x in priced.spans(usual))):
        whole = np.array([0, len(score.losses)])
        (first,), (last,) = (x.tolist() for x in spans(np.array(score.losses), whole, usual))
        places = [i for i, c in enumerate(score.characters) for _ in c.losses]
        assert (start, stop) == (places[first], places[last - 1] + 1)
        assert 0 <= start < stop <= len(score.text) + 1


@pytest.mark.parametrize("tokenizer", [LETTERS, Bytes("first")], ids=["characters", "bytes"])
@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_texts_are_laid_out_as_one_by_one(tokenizer: Tokenizer, block: int) -> None:
    rng = random.Random(block)
    for _ in range(4):  # what was met once is looked up
        texts = rng.sample(TEXTS, 9)
        tokens, targets, chars, places, texts_at = [], [], [], [], [0]
        for text in texts:
            its = [*(tokenizer.encode(c)[0].tolist() for c in text), [tokenizer.bos]]
            flat = [i for ids in its for i in ids]
            read = [tokenizer.bos, *(tokenizer.stand_in if i < 0 else i for i in flat[:-1])]
            tokens += read
            targets += flat
            texts_at.append(texts_at[-1] + len(flat))
            codes = [*map(ord, text), END]
            chars += [code for code, ids in zip(codes, its) for _ in ids]
            places += [i for i, ids in enumerate(its) for _ in ids]
        laid = Laid.of(texts, tokenizer, block)
        assert laid.batch.tokens_N.tolist() == tokens
        assert laid.batch.targets_N.tolist() == targets
        assert laid.texts.tolist() == texts_at
        assert laid.chars_N.tolist() == chars
        assert laid.places_N.tolist() == places
        assert laid.unknown_D.tolist() == [
            sum(tokenizer.encode(c)[0].tolist() == [-1] for c in text) for text in texts
        ]


def test_blocks_come_to_every_position_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    V = LETTERS.vocab_size
    config = GPTConfig(vocab_size=V, block_size=BLOCK, n_head=2, n_embd=4)
    engine = opened("scalar", config, std=0.8)
    texts = [text for text in TEXTS if set(text) <= set(LETTERS.characters)] + ["annabelle" * 8]
    laid = Laid.of(texts, LETTERS, BLOCK)
    batch, targets_N = laid.windows(LETTERS), laid.batch.targets_N
    expected = batch.counted(engine.losses(batch))
    for positions in (10_000, 14, BLOCK, 1):
        monkeypatch.setattr("microgpt.scoring.logits.NUMBERS", positions * V)
        seen = 0
        for its, logits_NV in blocks(engine, batch, V):
            assert (its.start, len(logits_NV)) == (seen, its.stop - its.start)
            assert len(logits_NV) <= max(positions, BLOCK)
            seen = its.stop
            for at, logits_V in enumerate(logits_NV.tolist(), its.start):
                total = math.fsum(map(math.exp, logits_V))
                loss = math.log(total) - logits_V[targets_N[at]]
                assert loss == pytest.approx(expected[at])
        assert seen == batch.n_counted == len(targets_N) < batch.positions
    assert [*blocks(engine, batch.head(1).take(np.zeros(0, dtype=np.int64)), V)] == []


def test_a_total_is_the_sum_of_all_prices_in_groups_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = GPTConfig(vocab_size=LETTERS.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    pricer = Pricer(opened("scalar", config, std=0.8), LETTERS, BLOCK)
    expected = LossSum.of(pricer.price(TEXTS).losses_N.tolist())
    for characters in (1, 20, 10_000):
        monkeypatch.setattr("microgpt.scoring.price.CHARACTERS", characters)
        found = pricer.total(iter(TEXTS))
        assert found.positions == expected.positions
        assert found.nats == pytest.approx(expected.nats, rel=1e-14)
    assert pricer.total([]) == LossSum()
