"""What was probably meant: the likeliest text one edit away, where it is likelier than the text."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest

from microgpt.counting.ngram import NGram
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer, encode_all
from microgpt.scoring import suggest
from microgpt.scoring.price import Pricer
from microgpt.scoring.suggest import Suggester

BLOCK = 32
WORDS = ["Mini", "Slim", "Steel", "Wooden", "Gaming"], ["Mouse", "Lamp", "Chair", "Desk", "Cable"]


def products(number: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    each = [f"{a} {b}" for a, b in product(*WORDS)]
    return [f"{rng.choice(each)} {rng.randint(10, 29)}" for _ in range(number)]


def counted(tokenizer: Tokenizer, texts: list[str]) -> NGram:
    batch = lay_out(encode_all(tokenizer, texts), tokenizer.bos, BLOCK).batch
    return NGram.of(batch, tokenizer.vocab_size, tokenizer.bos, 6)


@pytest.fixture(scope="module", params=["characters", "bytes"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    texts = products(300)
    return Bytes() if request.param == "bytes" else Characters.of(texts)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> NGram:
    return counted(tokenizer, products(300))


def suggested(model: NGram, tokenizer: Tokenizer, texts: list[str]) -> list[str | None]:
    priced = Pricer(model, tokenizer, BLOCK).price(texts)
    starts, stops = priced.spans(1.0)
    found = Suggester(Pricer(model, tokenizer, BLOCK)).suggest(
        texts, starts.tolist(), stops.tolist()
    )
    return [one.text if one else None for one in found]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Slim M ouse 12", "Slim Mouse 12"), ("Slim Muse 12", "Slim Mouse 12"),
        ("Slim Mpuse 12", "Slim Mouse 12"), ("Slim Muose 12", "Slim Mouse 12"),
        ("SlimMouse 12", "Slim Mouse 12"), ("Slm Mouse 12", "Slim Mouse 12"),
        ("lSim Mouse 12", "Slim Mouse 12"), ("Wooden Chai 20", "Wooden Chair 20"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_undone(
    model: NGram, tokenizer: Tokenizer, wrong: str, meant: str
) -> None:
    assert suggested(model, tokenizer, [wrong]) == [meant]


def test_nothing_is_suggested_for_a_text_that_is_usual(model: NGram, tokenizer: Tokenizer) -> None:
    assert suggested(model, tokenizer, products(60, seed=2)) == [None] * 60


@pytest.mark.slow
def test_the_suggestion_is_the_best_of_all_texts_one_edit_away() -> None:
    tokenizer = Characters.of(products(300))
    model = counted(tokenizer, products(300))
    letters = sorted({char for text in products(300) for char in text})
    pricer = Pricer(model, tokenizer, BLOCK)

    def nats(text: str) -> float:
        return float(pricer.price([text]).nats_D[0])

    for wrong in ("Slim M ouse 12", "Stel Lamp 21", "Gaming Cabke 15", "Mini Dsek 11"):
        n, a = len(wrong), len(letters)
        edits = [(wrong[:i] + wrong[i + 1 :], a) for i in range(n)]
        edits += [(wrong[:i] + c + wrong[i + 1 :], a) for i in range(n) for c in letters]
        edits += [(wrong[:i] + wrong[i + 1] + wrong[i] + wrong[i + 2 :], 1) for i in range(n - 1)]
        edits += [(wrong[:i] + c + wrong[i:], 1) for i in range(n + 1) for c in letters]
        costs = [nats(text) + math.log(4 * (n + 1) * k / suggest.MISTAKES) for text, k in edits]
        best = int(np.argmin(costs))
        assert costs[best] < nats(wrong) - math.log1p(-suggest.MISTAKES)
        assert suggested(model, tokenizer, [wrong]) == [edits[best][0]]


def test_a_suggestion_says_what_it_replaces_and_what_it_costs() -> None:
    tokenizer = Characters.of(products(300))
    model = counted(tokenizer, products(300))
    text = "Slim Muose 12"
    (found,) = Suggester(Pricer(model, tokenizer, BLOCK)).suggest([text], [5], [8])
    assert found is not None
    assert text[: found.start] + "ou" + text[found.stop :] == found.text == "Slim Mouse 12"
    priced = Pricer(model, tokenizer, BLOCK).price([found.text])
    assert found.nats == pytest.approx(float(priced.nats_D[0]))
    assert found.loss == pytest.approx(float(priced.means_D[0]))


def test_many_texts_are_answered_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = Characters.of(products(300))
    model = counted(tokenizer, products(300))
    texts = ["Slim M ouse 12", "Slim Mouse 12", "Gaming Lmp 10", "q", "Slim Mouse\u00e9 12"]
    expected = [suggested(model, tokenizer, [text])[0] for text in texts]
    assert expected[:3] == ["Slim Mouse 12", None, "Gaming Lamp 10"]
    monkeypatch.setattr(suggest, "_TEXTS", 2)
    assert suggested(model, tokenizer, texts) == expected
    assert suggested(model, tokenizer, ["Slim Mouse\u00e9 12"]) == ["Slim Mouse 12"]


def test_no_texts_have_no_suggestions() -> None:
    tokenizer = Characters.of(products(300))
    model = counted(tokenizer, products(300))
    assert Suggester(Pricer(model, tokenizer, BLOCK)).suggest([], [], []) == []


def test_letters_are_those_that_the_model_finds_likely_there() -> None:
    tokenizer = Characters.of(["ab", "ab", "ac"])
    model = counted(tokenizer, ["ab", "ab", "ac"])
    (likely,) = Suggester(Pricer(model, tokenizer, BLOCK))._likely(["ab"])
    batch = lay_out(encode_all(tokenizer, ["ab"]), tokenizer.bos, BLOCK).batch
    logits_NV = model.logits(batch)
    p_NV = np.exp(logits_NV) / np.exp(logits_NV).sum(axis=1, keepdims=True)
    for letters, p_V in zip(likely, p_NV):
        expected = {tokenizer.decode([i]) for i in np.flatnonzero(p_V >= suggest._LIKELY)} - {""}
        assert set(letters) == expected
