"""A tokenizer with tokens of several characters works wherever others do.

It trains, is scored, evaluated, sampled, compressed and reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.compress import SLACK
from microgpt.config import GPTConfig
from microgpt.data.batch import whole
from microgpt.data.encoded import Encoded, Ids, Placed, Places
from microgpt.data.measured import overlapped
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BPE, UNKNOWN, BosPlace, Bytes, Characters, Tokenizer, encode_all
from microgpt.errors import DataError, UsageError
from microgpt.evaluation import evaluate
from microgpt.runs.run import Run
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
    asked: ClassVar = {"tokenizer": "pieces"}
    symbols: ClassVar = dict[int, str]()
    pieces, any_bytes = (*(piece.encode() for piece in vocabulary), b""), False

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

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        return [self.decode(ids[:n]) for ids, n in zip(ids_BT.tolist(), lengths_B)]

    def reading(self, texts: Texts) -> Texts:
        return texts

    def to_json(self) -> dict[str, Any]:
        return {}


TOKENIZER = Pieces()
PLACES: tuple[BosPlace, BosPlace] = ("last", "first")
LEARNED = [BPE.of(["né né"] * 2, 262, place) for place in PLACES if find_spec("tokenizers")]
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
        batch = overlapped(whole(encode_all(TOKENIZER, [text])), BLOCK)
        assert one.losses == pytest.approx(batch.counted(engine.losses(batch)).tolist())
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


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the folder of a run with this tokenizer."""
    monkeypatch.setattr("microgpt.runs.prepared.tokenizer_for", lambda *_: TOKENIZER)
    monkeypatch.setattr("microgpt.data.tokenizer.from_json", lambda _: TOKENIZER)
    (tmp_path / "t.txt").write_text("\n".join(["banana", "ana", "nab", "bananab", "anan"] * 8))
    return microgpt.train(
        "t.txt", engine="scalar", preset="microgpt", n_embd=4, n_head=1, block_size=BLOCK, steps=30,
        holdout=0.3, out="run",
    )  # fmt: skip


def test_a_run_of_it_is_opened_compressed_and_reported(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = microgpt.load(run.folder)
    assert opened.tokenizer is TOKENIZER
    assert opened.sample(3) == run.sample(3)
    data = b"banana\r\nbananabanan\r\n\r\nnab"
    packed = opened.codec.compress(data)
    assert opened.decompress(packed.data) == data
    texts = data.decode().split("\r\n")
    assert packed.sum.nats == pytest.approx(opened.evaluate(texts).sum.nats)
    assert len(packed.data) - packed.header <= packed.ideal + SLACK
    with pytest.raises(UsageError, match='text in line 2 has "x", which this model has never seen'):
        opened.compress(b"nab\nbaxa")
    with pytest.raises(DataError, match=r"line 2: not UTF-8 \(0xff\)"):
        opened.compress(b"nab\nba\xff")
    assert cli(["report", str(run.folder), "--text", "banana", "-o", "page.html"]) == 0
    assert "nats a token" in capsys.readouterr().out
    page = Path("page.html").read_text("utf-8")
    assert "microgpt train t.txt" in page
    assert "--tokenizer pieces" in page


@pytest.mark.parametrize(
    "tokenizer",
    [
        TOKENIZER,
        Bytes(),
        Bytes("first"),
        Characters.of(["né😀"]),
        Characters.of(["ba"], "first"),
        *LEARNED,
    ],
)
def test_pieces_are_the_bytes_of_what_is_decoded(tokenizer: Tokenizer) -> None:
    text = "né😀" if tokenizer.any_bytes or not tokenizer.encode("né😀")[0].min() < 0 else "ab"
    ids = tokenizer.encode(text)[0].tolist()
    assert b"".join(tokenizer.pieces[i] for i in ids) == text.encode()
    assert len(tokenizer.pieces) == tokenizer.vocab_size
    assert [i for i, piece in enumerate(tokenizer.pieces) if not piece] == [tokenizer.bos]
    rows = np.array([[*ids, tokenizer.bos], [tokenizer.bos, *ids], [*ids, ids[0]]])
    assert tokenizer.decode_many(rows, [len(ids), 0, 1]) == [text, "", tokenizer.decode(ids[:1])]
