"""Sampling against brute force, the model's own probabilities, and its own scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt import evaluation, sampling
from microgpt.config import GPTConfig
from microgpt.data.tokenizer import BosPlace, Bytes, Characters
from microgpt.engines.contract import Engine
from microgpt.errors import UsageError
from microgpt.sampling import Choice, probabilities, take
from tests.conftest import opened

TOKENIZER = Characters.of(["abcde"])
BLOCK = 6


@pytest.fixture
def engine() -> Engine:
    return opened("scalar", GPTConfig(vocab_size=6, block_size=BLOCK, n_head=2, n_embd=4), std=0.8)


def brute(logits: list[float], choice: Choice) -> list[float]:
    """Return the same probabilities, one step after the other over sorted lists."""
    weights = [math.exp((z - max(logits)) / choice.temperature) for z in logits]
    p = {i: w / math.fsum(weights) for i, w in enumerate(weights)}
    ranked = sorted(p, key=lambda i: (-p[i], i))
    kept = ranked[: choice.top_k] if choice.top_k else ranked
    total, upto, nucleus = math.fsum(p[i] for i in kept), 0.0, []
    for i in kept:
        if choice.top_p == 1.0 or upto < choice.top_p * total - 1e-12:
            nucleus.append(i)
        upto += p[i]
    nucleus = [i for i in nucleus if p[i] >= choice.min_p * p[ranked[0]]]
    total = math.fsum(p[i] for i in nucleus)
    return [p[i] / total if i in nucleus else 0.0 for i in range(len(logits))]


@given(
    st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=2, max_size=9),
    st.sampled_from([0.3, 1.0, 2.5]),
    st.sampled_from([None, 1, 2, 5, 99]),
    st.sampled_from([0.11, 0.57, 0.93, 1.0]),
    st.sampled_from([0.0, 0.043, 0.31]),
)
def test_probabilities_are_those_of_brute_force(logits, t, k, p, m) -> None:  # type: ignore[no-untyped-def]
    choice = Choice(temperature=t, top_k=k, top_p=p, min_p=m)
    (got,) = probabilities(np.array([logits]), choice)
    assert got.sum() == pytest.approx(1.0)
    assert got == pytest.approx(brute(logits, choice), abs=1e-12)


def test_the_coldest_choice_is_the_likeliest() -> None:
    logits = np.array([[0.0, 2.0, 1.0], [3.0, 3.0, -1.0]])
    assert probabilities(logits, Choice(temperature=0.0)).argmax(1).tolist() == [1, 0]
    assert probabilities(logits, Choice(temperature=1e-300))[0].tolist() == [0.0, 1.0, 0.0]


def test_the_nth_sample_is_the_same_however_many_are_drawn_together(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = take(engine, TOKENIZER, BLOCK, Choice(seed=3), 40)
    monkeypatch.setattr(sampling, "ROWS", 1)
    assert take(engine, TOKENIZER, BLOCK, Choice(seed=3), 40) == together
    assert take(engine, TOKENIZER, BLOCK, Choice(seed=4), 40) != together


class Silent:
    """An engine that ends every text at once, and notes how many it was to remember at a time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def decoder(self, rows: int) -> Silent:
        assert rows >= 1
        self.asked.append(rows)
        return self

    def push(self, tokens_B: np.ndarray) -> np.ndarray:
        logits_BV = np.zeros((len(tokens_B), TOKENIZER.vocab_size))
        logits_BV[:, TOKENIZER.bos] = 1e4
        return logits_BV


@pytest.mark.parametrize("block", [8, 1000, 32_768, 40_000, 1_000_000])
def test_no_more_positions_are_remembered_at_a_time_than_memory_is_to_have(block: int) -> None:
    engine = Silent()
    # One text at a time is the least, however long it may become.
    most = max(1, min(sampling.ROWS, 32_768 // block))
    drawn = take(engine, TOKENIZER, block, Choice(), 3 * most)  # type: ignore[arg-type]
    assert {s.text for s in drawn} == {""}
    assert max(engine.asked) == most
    assert engine.asked[0] == 1


@pytest.mark.slow
def test_first_characters_come_as_often_as_the_model_says(engine: Engine) -> None:
    n = 4000
    expected = probabilities(engine.decoder(1).push([TOKENIZER.bos]), Choice(temperature=1.0))[0]
    drawn = take(engine, TOKENIZER, BLOCK, Choice(temperature=1.0), n)
    firsts = [TOKENIZER.encode(s.text[0])[0][0] if s.text else TOKENIZER.bos for s in drawn]
    counts = np.bincount(firsts, minlength=6)
    chi2 = ((counts - n * expected) ** 2 / (n * expected)).sum()
    assert chi2 < 20.5  # 5 degrees of freedom, p = 0.001


def test_a_sample_costs_what_its_score_says_and_says_how_it_ended(engine: Engine) -> None:
    drawn = take(engine, TOKENIZER, BLOCK, Choice(temperature=1.0, prompt="ab"), 60)
    scores = evaluation.scores(engine, TOKENIZER, BLOCK, [s.text for s in drawn])
    assert {s.ended for s in drawn} == {"end", "block"}
    for one, score in zip(drawn, scores):
        assert one.text.startswith("ab")
        full = len(one.text) == BLOCK
        assert (one.ended == "block") == full
        losses = score.losses[:BLOCK]
        assert one.sum.positions == len(losses)
        assert one.sum.nats == pytest.approx(sum(losses), rel=1e-12)


BAD = [
    ({"temperature": -1.0}, "temperature must be a number from 0; got -1.0."),
    ({"temperature": math.nan}, "temperature must be a number from 0; got nan."),
    ({"top_k": 0}, "top_k must be a whole number from 1; got 0."),
    ({"top_p": 0.0}, "top_p must be in (0, 1]; got 0.0."),
    ({"top_p": 1.1}, "top_p must be in (0, 1]; got 1.1."),
    ({"min_p": -0.1}, "min_p must be in [0, 1]; got -0.1."),
    ({"seed": -1}, "seed must be a whole number from 0; got -1."),
]


@pytest.mark.parametrize(("choice", "sentence"), BAD)
def test_a_bad_choice_is_one_sentence(choice: dict[str, float], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        Choice(**choice)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_a_prompt_must_fit_and_be_known(engine: Engine) -> None:
    for prompt, sentence in (
        ("abcdea", "the prompt must be shorter than the block of 6; got 6 tokens."),
        ("x", 'the prompt has "x", which this model has never seen. It knows: a-e. '
              "Train on text with it, or use --tokenizer bytes."),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            take(engine, TOKENIZER, BLOCK, Choice(prompt=prompt), 1)
        assert str(caught.value) == sentence


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("text", ["ab", "né\U0001f600", "a\ud800b"])
def test_rows_are_decoded_as_each_alone_is(text: str, place: BosPlace) -> None:
    for tokens in (Characters.of([text], place), Bytes(place)):
        rows = [tokens.encode(text)[0], tokens.encode(text[:1])[0], []]
        lengths = [len(ids) for ids in rows]
        ids = np.full((3, max(lengths) + 1), tokens.bos)
        for row, known in zip(ids, rows):
            row[: len(known)] = known
        assert tokens.decode_many(ids, lengths) == [tokens.decode(ids) for ids in rows]
