"""Windows that overlap: each position counts once, after what really precedes it."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgpt
from microgpt import evaluation
from microgpt.config import GPTConfig
from microgpt.counting.ladder import ladder
from microgpt.counting.linear import LinearMixture
from microgpt.counting.ngram import NGram
from microgpt.data.batch import Batch, whole
from microgpt.data.encoded import Encoded
from microgpt.data.measured import overlapped
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.data.windows import APART
from microgpt.engines import why_not_native
from microgpt.training.heldout import HeldOutDocuments

from .conftest import TINY, opened

BOS = 9
LETTERS = Characters.of(TINY)
documents = st.lists(st.lists(st.integers(0, 8), max_size=40), min_size=1, max_size=8)


def laid(docs: list[list[int]], block: int) -> tuple[Batch, Batch]:
    texts = whole(Encoded.of(docs, BOS))
    return texts, overlapped(texts, block)


@given(documents, st.integers(1, 6))
def test_each_position_counts_once_and_in_a_long_text_after_half_a_block_of_it(
    docs: list[list[int]], block: int
) -> None:
    expected = list[tuple[list[int], list[int], int]]()
    for ids in docs:  # window by window, as one would by hand
        tokens, targets, at = [BOS, *ids], [*ids, BOS], 0
        overlap = block // 2 if len(tokens) > APART * block else 0
        while at < len(tokens):
            context = overlap if at else 0
            its = slice(at - context, at - context + block)
            expected.append((tokens[its], targets[its], context))
            at += block - context
    texts, batch = laid(docs, block)
    context_W = [0] * len(batch) if batch.context is None else batch.context.tolist()
    found = [tuple(x.tolist() for x in batch.document(d)) for d in range(len(batch))]
    assert [(*its, context) for its, context in zip(found, context_W, strict=True)] == expected
    assert batch.counted(batch.tokens_N).tolist() == texts.tokens_N.tolist()
    assert batch.counted(batch.targets_N).tolist() == texts.targets_N.tolist()
    assert batch.n_counted == texts.positions == batch.ends[-1]


@given(documents, st.integers(1, 9), st.integers(1, 30), st.randoms())
def test_parts_of_a_batch_keep_their_context(
    docs: list[list[int]], block: int, size: int, rng: random.Random
) -> None:
    texts, batch = laid(docs, block)
    pieces = [piece.counted(piece.targets_N) for _, piece in batch.pieces(size)]
    assert np.concatenate(pieces).tolist() == texts.targets_N.tolist()
    order = np.array(rng.sample(range(len(batch)), len(batch)))
    parts = np.split(texts.targets_N, batch.ends[1:-1])
    taken = batch.take(order)
    assert taken.counted(taken.targets_N).tolist() == [i for d in order for i in parts[d]]
    assert np.diff(taken.ends).tolist() == np.diff(batch.ends)[order].tolist()
    few = batch.head(size)
    assert few.counted(few.targets_N).tolist() == texts.targets_N[: few.n_counted].tolist()


def test_texts_that_fit_are_not_copied() -> None:
    texts, batch = laid([[1, 2], [], [3, 4, 5]], block=4)
    assert batch is texts


def test_a_loss_is_that_of_the_text_from_the_beginning_of_its_window() -> None:
    block, text = 6, "annabelle" * 6
    config = GPTConfig(vocab_size=LETTERS.vocab_size, block_size=block, n_head=2, n_embd=4)
    engine = opened("scalar", config, std=0.8)
    ids = [LETTERS.bos, *LETTERS.encode(text)[0].tolist(), LETTERS.bos]
    (score,) = evaluation.scores(engine, LETTERS, block, [text])
    for at, loss in enumerate(score.losses):
        start = 0 if at < block else (at - block) // 3 * 3 + 3
        decoder = engine.decoder(1)
        for token in ids[start : at + 1]:
            logits = decoder.push([token])[0].tolist()
        nats = math.log(math.fsum(map(math.exp, logits))) - logits[ids[at + 1]]
        assert loss == pytest.approx(nats, rel=1e-12)


def test_counts_do_not_notice_the_windows() -> None:
    texts = whole(encode_all(LETTERS, [20 * (a + b) for a in TINY for b in TINY]))
    batch = overlapped(texts, 8)
    assert batch.context is not None
    counts = NGram.of(texts, LETTERS.vocab_size, LETTERS.bos, 5)
    whole_N = counts.losses(texts)
    assert batch.counted(counts.losses(batch)).tolist() == whole_N.tolist()
    # Each rung of the ladder is measured on what counts, and on nothing twice.
    one, other = (ladder(texts, some, LETTERS, counts) for some in (texts, batch))
    assert one == other
    assert one["ngram"].nats == pytest.approx(whole_N.sum())


class Steep:
    """A GPT whose loss grows with the token; in a window's context it would be another."""

    def losses(self, batch: Batch) -> np.ndarray:
        losses_N = batch.targets_N + 1.0
        if batch.is_counted_N is not None:
            losses_N[~batch.is_counted_N] = 1e9
        return losses_N


def test_what_is_held_out_is_measured_on_what_counts() -> None:
    texts = [5 * (a + b) for a in TINY for b in TINY]
    documents, everything = HeldOutDocuments(texts, LETTERS, 4), encode_all(LETTERS, texts)
    n = len(everything.stream) - 1
    assert documents.positions == n
    found = documents.measure(Steep(), None, 1, n)  # type: ignore[arg-type]
    assert (found.documents, found.sum.positions) == (len(texts), n)
    assert found.sum.nats == pytest.approx((everything.stream[1:] + 1.0).sum())
    # Asked for as many positions as were measured, the same windows are measured again.
    for positions in (1, 7, 100, n - 1):
        few = documents.head(positions)
        assert few.n_counted <= max(positions, 4)
        assert documents.head(few.n_counted).tokens_N.tolist() == few.tokens_N.tolist()
    counts = NGram.of(whole(everything), LETTERS.vocab_size, LETTERS.bos, 3)
    mixture = LinearMixture(Steep(), counts)  # type: ignore[arg-type]
    assert documents.measure(mixture.gpt, mixture, 1, n).gpt == found.sum
    assert mixture.weight < 0.999  # as it would be, did the losses in contexts count


@pytest.mark.skipif(why_not_native() is not None, reason=str(why_not_native()))
def test_a_training_on_one_long_text_logs_the_loss_that_evaluate_finds() -> None:
    Path("t.txt").write_text("".join(random.Random(1).choices(TINY, k=300)))
    run = microgpt.train(
        "t.txt", stream=True, preset="micro", steps=20, n_embd=8, n_head=2, block_size=16,
        holdout=0.3, out="r",
    )  # fmt: skip
    logged, result = run.log.heldout[-1]["heldout"], run.evaluate(run.documents[1])
    assert logged["positions"] == result.sum.positions == len(run.documents[1][0]) + 1
    assert logged["loss"] == pytest.approx(result.loss, abs=1e-6)
    assert run.ladder().model.mean == pytest.approx(result.loss, abs=1e-6)
