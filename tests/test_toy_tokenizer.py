"""A tokenizer with tokens of several characters is scored, evaluated and sampled as others are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest

from microgpt.config import GPTConfig
from microgpt.data.batch import lay_out
from microgpt.data.encoded import Encoded, Ids, Placed, Places
from microgpt.data.tokenizer import UNKNOWN, encode_all
from microgpt.errors import UsageError
from microgpt.evaluation import evaluate
from microgpt.sampling import Choice, samples
from microgpt.scoring.price import Pricer
from microgpt.scoring.score import scores
from tests.conftest import opened

BLOCK = 6


class Pieces:
    """A token for each of these pieces; the longest one that fits is taken."""

    vocabulary = ("a", "n", "b", "an", "ana")
    unit, alphabet, unknown_nats, stand_in = "token", "a, b, n", 7.5, 0
    bos = len(vocabulary)
    vocab_size = bos + 1

    def encode(self, text: str) -> tuple[Ids, Places]:
        ids, starts, at = list[int](), list[int](), 0
        while at < len(text):
            fits = [piece for piece in self.vocabulary if text.startswith(piece, at)]
            piece = max(fits, key=len, default=text[at])
            ids.append(self.vocabulary.index(piece) if fits else UNKNOWN)
            starts.append(at)
            at += len(piece)
        return np.array(ids, dtype=np.int32), np.array(starts, dtype=np.int32)

    def encode_many(self, texts: Sequence[str]) -> Placed:
        each = [self.encode(text) for text in texts]
        laid = Encoded.of([ids.tolist() for ids, _ in each], self.bos)
        starts = [[*starts, len(text)] for (_, starts), text in zip(each, texts)]
        return Placed(laid.stream, laid.offsets, np.concatenate(starts).astype(np.int32))

    def decode(self, ids: Iterable[int]) -> str:
        return "".join((*self.vocabulary, "")[i] for i in ids)

    def to_json(self) -> dict[str, Any]:
        return {}


TOKENIZER = Pieces()
TEXTS = ["banana", "nab", "", "anananab", "bxnan"]
CUT = [["b", "ana", "n", "a"], ["n", "a", "b"], [], ["ana", "n", "ana", "b"], ["b", "x", "n", "an"]]


@pytest.fixture(scope="module", name="engine")
def an_engine() -> Any:
    config = GPTConfig(vocab_size=TOKENIZER.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    return opened("scalar", config, std=0.8)


def test_a_score_has_a_price_for_each_token_and_its_characters(engine: Any) -> None:
    found = list(scores(engine, TOKENIZER, BLOCK, TEXTS))
    assert [[c.char for c in one.characters] for one in found] == [[*cut, None] for cut in CUT]
    for text, one in zip(TEXTS[:-1], found):
        batch = lay_out(encode_all(TOKENIZER, [text]), TOKENIZER.bos, BLOCK).batch
        assert one.losses == pytest.approx(engine.losses(batch).tolist())
    assert [c.unknown for c in found[-1].characters] == [False, True, False, False, False]
    assert found[-1].characters[1].nats == TOKENIZER.unknown_nats
    priced = Pricer(engine, TOKENIZER, BLOCK).price(TEXTS)
    assert priced.nats_D == pytest.approx([one.nats for one in found])


def test_a_span_ends_where_its_last_token_does(engine: Any) -> None:
    priced = Pricer(engine, TOKENIZER, BLOCK).price(TEXTS)
    starts, stops = priced.spans(usual=1.0)
    for text, cut, start, stop in zip(TEXTS, CUT, starts.tolist(), stops.tolist()):
        edges = [sum(map(len, cut[:i])) for i in range(len(cut) + 1)]
        assert start in edges
        assert stop in [*edges, len(text) + 1]
        assert start < stop


def test_an_evaluation_is_of_tokens_by_their_text(engine: Any) -> None:
    result = evaluate(engine, TOKENIZER, BLOCK, TEXTS)
    each = list(scores(engine, TOKENIZER, BLOCK, TEXTS))
    assert result.sum.positions == sum(len(cut) + 1 for cut in CUT)
    assert result.sum.nats == pytest.approx(math.fsum(one.nats for one in each))
    parts = {part.name: part.sum.positions for part in result.parts.by_character()}
    assert parts == {"ana": 3, "n": 4, "b": 4, "a": 2, "x": 1, "an": 1, None: 5}
    assert {c.char for c in result.parts.confusions()} <= set(parts)
    best, worst, _ = result.parts.documents(2)
    for document in [*best, *worst]:
        first, stop = document.span
        assert 0 <= first < stop <= len(document.text) + 1


def test_samples_are_the_text_of_their_tokens_and_may_go_on_from_a_prompt(engine: Any) -> None:
    drawn = list(islice(samples(engine, TOKENIZER, BLOCK, Choice(prompt="bana", seed=3)), 20))
    assert all(one.text.startswith("bana") for one in drawn)
    assert len({one.text for one in drawn}) > 3
    with pytest.raises(UsageError, match='the prompt has "x", which this model has never seen'):
        next(samples(engine, TOKENIZER, BLOCK, Choice(prompt="bax")))
