"""A BPE's tokens laid end to end are the text; its ids are those of Hugging Face's tokenizers."""

from __future__ import annotations

import json
import random
import sys
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.data.corpus import from_texts
from microgpt.data.split import split
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BPE, encode_all, from_json
from microgpt.data.tokenizer import Tokenizer as Contract
from microgpt.data.tokenizer.bpe import smaller
from microgpt.errors import DataError, MissingExtra, UsageError
from microgpt.training.task import tokenizer_for
from tests.conftest import required

if not find_spec("tokenizers"):
    required("tokenizers", "Hugging Face's tokenizers is not installed")
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from tokenizers import trainers as trainers_of

LINES = [
    "the naïve thesis of the theatre",
    "  isn't the the  other",
    "né né né 😀😀 😀😀",
    "1999 1999",
]
ODD = [
    "", "\n", "\n\n\n", " ", "  a", "\0\r\n\x85\u2028\u3000", "\ufeffé\u0301", "👩\u200d👩\u200d👧",
    "a\ud800b", "\udfff", "\udc80\udcff", "<|endoftext|>", "a" * 1000, "né😀 the",
]  # fmt: skip


@lru_cache
def learned(place: str = "last") -> BPE:
    return BPE.of(LINES * 5, 290, place)  # type: ignore[arg-type]


def library(tokenizer: BPE) -> Tokenizer:
    """The same tokenizer as Hugging Face's library has it."""
    return Tokenizer.from_str(tokenizer.content)


def written(path: Path, *, vocab_size: int = 300, texts: Any = LINES, **parts: Any) -> str:
    """Write a file with Hugging Face's library, as its users do."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = parts.pop("special", [])
    trainer = trainers_of.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator(texts, trainer)
    for name, part in parts.items():
        setattr(made, name, part)
    made.save(str(path))
    return str(path)


@given(st.text(), st.sampled_from(["first", "last"]))
def test_any_text_decodes_to_itself(text: str, place: str) -> None:
    tokenizer = learned(place)
    ids, starts = tokenizer.encode(text)
    assert tokenizer.decode([tokenizer.bos, *ids.tolist(), tokenizer.bos]) == text
    # Each token begins in the character that its first byte belongs to.
    owner = [i for i, char in enumerate(text) for _ in char.encode()]
    sizes = [len(tokenizer.pieces[i]) for i in ids]
    assert starts.tolist() == [owner[sum(sizes[:i])] for i in range(len(sizes))]


@given(st.text(st.characters(categories=["L", "N", "P", "Z", "S"])))
def test_ids_are_those_of_the_library(text: str) -> None:
    for place in ("first", "last"):
        tokenizer = learned(place)
        theirs = library(tokenizer).encode(text, add_special_tokens=False)
        assert tokenizer.encode(text)[0].tolist() == [i + tokenizer.first for i in theirs.ids]


def test_where_tokens_of_whole_characters_begin_is_where_the_library_says() -> None:
    text = "isn't the naïve thesis né?"
    ids, starts = learned().encode(text)
    theirs = library(learned()).encode(text, add_special_tokens=False)
    whole = [i for i, (first, stop) in enumerate(theirs.offsets)
             if len(text[first:stop].encode()) == len(learned().pieces[ids[i]])]  # fmt: skip
    assert len(whole) >= 6
    assert [int(starts[i]) for i in whole] == [theirs.offsets[i][0] for i in whole]


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("text", ODD)
def test_odd_texts_come_back(text: str, place: str) -> None:
    tokenizer = learned(place)
    ids, _ = tokenizer.encode(text)
    assert tokenizer.decode(ids.tolist()) == text
    assert tokenizer.bos not in ids


def test_many_texts_are_encoded_as_each_alone() -> None:
    tokenizer = learned()
    placed = tokenizer.encode_many(ODD)
    for text, (start, stop) in zip(ODD, pairwise(placed.offsets.tolist())):
        ids, starts = tokenizer.encode(text)
        assert placed.stream[start + 1 : stop].tolist() == ids.tolist()
        assert placed.starts_N[start:stop].tolist() == [*starts.tolist(), len(text)]
    assert encode_all(tokenizer, []).stream.tolist() == [tokenizer.bos]


@given(st.binary(max_size=30).filter(lambda data: b"\n" not in data))
def test_bytes_that_are_no_text_are_the_bytes_of_their_tokens(data: bytes) -> None:
    tokenizer = learned()
    texts = Texts(np.frombuffer(data + b"\n", dtype=np.uint8), np.array([0, len(data) + 1]))
    ids = tokenizer.encode_many(texts).stream[1:-1]
    assert b"".join(tokenizer.pieces[i] for i in ids) == data


def test_a_long_text_is_encoded_in_parts_to_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["the", "other's", "  naïve", "né😀", "1999", "\n", "theatre,", "a\ud800"]
    text = " ".join(random.Random(1).choices(words, k=2000))
    whole = learned().encode(text)[0].tolist()
    for long in (1, 7, 100):
        monkeypatch.setattr("microgpt.data.tokenizer.parts.LONG", long)
        assert learned().encode(text)[0].tolist() == whole
    monkeypatch.undo()
    spaceless = "the" * 40_000
    assert learned().decode(learned().encode(spaceless)[0].tolist()) == spaceless


def test_the_same_text_gives_the_same_tokenizer() -> None:
    texts = [random.Random(i).choice(LINES)[i % 7 :] for i in range(400)]
    made = BPE.of(texts, 285)
    assert made == BPE.of(Texts.of(texts), 285)
    assert made == from_json(json.loads(json.dumps(made.to_json())))
    assert made.vocab_size == 285
    assert made.asked == {"tokenizer": "bpe", "vocab_size": 285}
    assert made.bos == 284
    assert BPE.of(texts, 285, "first").encode("the ")[0].tolist() == [
        i + 1 for i in made.encode("the ")[0].tolist()
    ]


def test_pairs_that_occur_once_are_not_merged_and_it_is_said() -> None:
    made = BPE.of(["abab", "cd"], 1000)
    assert [piece for piece in made.pieces[256:] if piece] == [b"ab"]
    assert smaller(made) == [
        "no other pair of tokens occurs twice: the vocabulary has 258 ids, not 1,000."
    ]
    assert smaller(learned()) == []
    assert BPE.of(["ab"], 257).vocab_size == 257


def test_merges_are_learned_from_what_is_trained_on() -> None:
    corpus = from_texts([f"{'xy' if i % 2 else 'zw'}{i}" for i in range(60)])
    train, held_out = split(corpus, 0.3)
    assert len(held_out) > 5
    assert tokenizer_for("bpe", corpus, "last", (), 262, 0.3) == BPE.of(train, 262)
    assert tokenizer_for("bpe", corpus, "last", (), 262) == BPE.of(corpus.documents, 262)


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    words = [random.Random(i).choice(LINES) + str(i * i * 7919) for i in range(3000)]
    path = written(tmp_path / "big.json", vocab_size=5000, texts=words,
                   special=["<|endoftext|>"])  # fmt: skip
    theirs = Tokenizer.from_file(path)
    for place in ("first", "last"):
        tokenizer = BPE.of_file(path, place)  # type: ignore[arg-type]
        assert tokenizer.vocab_size == theirs.get_vocab_size() + 1 > 3000
        assert tokenizer.asked == {"tokenizer": path}
        for text in words[:20]:
            ids = [i + tokenizer.first for i in theirs.encode(text, add_special_tokens=False).ids]
            assert tokenizer.encode(text)[0].tolist() == ids
        # Text that spells a special token is text.
        ids = tokenizer.encode("<|endoftext|>")[0]
        assert len(ids) > 1
        assert b"<|endoftext|>" in tokenizer.pieces
        assert from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer
    run = tmp_path / "run.json"
    run.write_text(json.dumps(learned("first").to_json()))
    assert BPE.of_file(str(run)).encode("the other")[0].tolist() == (
        learned().encode("the other")[0].tolist()
    )


def test_a_file_that_cuts_text_by_a_rule_of_its_own_is_taken(tmp_path: Path) -> None:
    """Llama 3 cuts by an expression, and has the bytes from a step after it."""
    rule = pre_tokenizers.Split(Regex(r"\p{N}{1,3}| ?[^\s\p{N}]+[\r\n]*|\s+"), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    path = written(tmp_path / "t.json", pre_tokenizer=pre_tokenizers.Sequence([rule, level]))
    tokenizer, theirs = BPE.of_file(path), Tokenizer.from_file(path)
    for text in [*LINES, *ODD, "the 1234567 né " * 9000]:
        ids, _ = tokenizer.encode(text)
        assert tokenizer.decode(ids.tolist()) == text
        if not any("\ud800" <= c <= "\udfff" for c in text):
            assert ids.tolist() == theirs.encode(text, add_special_tokens=False).ids


def test_tokens_that_are_added_are_tokens_of_their_text(tmp_path: Path) -> None:
    path = written(tmp_path / "t.json")
    theirs = Tokenizer.from_file(path)
    theirs.add_tokens([AddedToken("<tool>", normalized=False), "né😀"])
    theirs.save(path)
    tokenizer = BPE.of_file(path)
    ids, starts = tokenizer.encode("a<tool>né😀b")
    assert [tokenizer.pieces[i] for i in ids] == [b"a", b"<tool>", "né😀".encode(), b"b"]
    assert starts.tolist() == [0, 1, 7, 10]


def test_templates_and_truncation_of_a_file_do_not_count(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    path = written(tmp_path / "t.json", special=["<s>"],
                   post_processor=TemplateProcessing("<s> $A", None, [("<s>", 0)]))  # fmt: skip
    theirs = Tokenizer.from_file(path)
    theirs.enable_truncation(3)
    theirs.enable_padding(length=50)
    theirs.save(path)
    tokenizer = BPE.of_file(path)
    assert tokenizer.decode(tokenizer.encode(LINES[0])[0].tolist()) == LINES[0]


def changed(path: Path, change: Any) -> str:
    data = json.loads(Path(written(path)).read_text())
    change(data)
    path.write_text(json.dumps(data))
    return str(path)


REFUSED = {
    "normalizer": (lambda data: data.update(normalizer={"type": "NFC"}),
                   "a tokenizer must leave text as it is; its normalizer changes it."),
    "lowercase": (lambda data: data.update(normalizer={
        "type": "Sequence", "normalizers": [{"type": "Lowercase"}]}), "its normalizer changes it."),
    "prefix": (lambda data: data["pre_tokenizer"].update(add_prefix_space=True),
               "add_prefix_space puts a space in front."),
    "dropout": (lambda data: data["model"].update(dropout=0.1), "must have no dropout, "),
    "no bytes": (lambda data: data["model"]["vocab"].pop("Ā"), "with a token for each byte;"),
    "no level": (lambda data: data.update(pre_tokenizer={"type": "Whitespace"}),
                 "must be byte-level BPE, with a token for each byte; got another."),
    "ids": (lambda data: data["model"]["vocab"].update(xx=7), "must have the ids 0, 1, 2 ..."),
    "other text": (lambda data: data["model"]["vocab"].update({"☃": len(data["model"]["vocab"])}),
                   "must have tokens of bytes alone;"),
    "word piece": (lambda data: data.update(model={
        "type": "WordPiece", "unk_token": "?", "vocab": {},
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 9}),
        "must be byte-level BPE; got WordPiece."),
    "unigram": (lambda data: data.update(model={"type": "Unigram", "vocab": [["a", 0.1]]}),
                "must be byte-level BPE; got Unigram."),
    "step": (lambda data: data.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [7]}),
             "must be a tokenizer.json of Hugging Face's"),
    "no model": (lambda data: data.clear(), "must be a tokenizer.json of Hugging Face's"),
    "list": (lambda data: data.update(model=[]), "must be a tokenizer.json of Hugging Face's"),
    "merges": (lambda data: data["model"].update(merges=[["qq", "zz"]]),
               "Hugging Face's tokenizers does not take it: "),
    "removed": (lambda data: data.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, data["pre_tokenizer"]]}),
        "its tokens say something else."),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_would_not_give_the_text_back_is_refused(tmp_path: Path, kind: str) -> None:
    change, says = REFUSED[kind]
    path = changed(tmp_path / "t.json", change)
    with pytest.raises(UsageError) as caught:
        BPE.of_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_or_no_json_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.json: cannot be read: No such file"):
        BPE.of_file("none.json")
    (tmp_path / "b.json").write_bytes(b"\xff{")
    with pytest.raises(DataError, match=r"b.json: not JSON"):
        BPE.of_file("b.json")
    with pytest.raises(UsageError, match="vocab_size must be a whole number from 257; got 256"):
        BPE.of(LINES, 256)


@pytest.mark.parametrize("broken", [
    {"kind": "bpe"}, {"kind": "bpe", "bos": "last", "asked": "bpe", "huggingface": {}},
    {"kind": "bpe", "bos": "middle", "asked": "bpe", "huggingface": {"model": {"vocab": {}}}},
])  # fmt: skip
def test_a_damaged_tokenizer_of_a_run_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        from_json(broken)


def test_without_the_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    says = r"a BPE tokenizer needs .* not installed. Try: pip install 'microgpt-lm\[bpe\]'"
    with pytest.raises(MissingExtra, match=says):
        BPE.of(LINES, 300)
    again: Contract = from_json(json.loads(json.dumps(learned().to_json())))
    with pytest.raises(MissingExtra, match=says):
        again.encode("the")
