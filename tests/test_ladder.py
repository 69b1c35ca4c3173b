"""The ladder: every rung against its own definition, on all of the text, and on little."""

from __future__ import annotations

import io
import lzma
import math
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt.counting.ladder import exact, ladder, ngram
from microgpt.counting.ngram import MOST, NGram
from microgpt.counting.pairs import Counts
from microgpt.counting.xz import xz
from microgpt.data.batch import Batch, as_counted, lay_out, whole
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer, encode_all
from microgpt.data.tokenizer.unknown import charge, readable
from microgpt.loss import LN_2, LossSum
from microgpt.runs.run import Run
from tests.conftest import TINY, laid_out

LITTLE = {
    "ten lines": TINY[:10],
    "one line": ["lena"],
    "one letter": ["a"],
    "one letter often": ["a" * 16] * 10,
    "an empty line": [""],
    "nearly empty": ["", "", "a"],
    "all counts 1": ["a", "b", "c"],
    "many": TINY * 9,
}


def laid(tokenizer: Tokenizer, texts: list[str]) -> Batch:
    encoded = (tokenizer.encode(text)[0] for text in texts)
    return lay_out(encoded, tokenizer.bos, 8).batch


def climbed(trained: list[str], texts: list[str], tokenizer: Tokenizer) -> dict[str, LossSum]:
    """Return all rungs, as `Run.ladder` does."""
    counted, measured = laid(tokenizer, trained), laid(tokenizer, texts)
    rungs = ladder(counted, measured, tokenizer, ngram(counted, tokenizer))
    return {**rungs, "xz": xz(trained, texts, measured.positions)}


@pytest.mark.parametrize("documents", [1, 3, 12, 200])
def test_the_length_chosen_is_the_best_of_trying_them_all(documents: int) -> None:
    for seed in range(6):
        rng = random.Random(seed)
        v = rng.choice([2, 4, 12])

        def document(rng: random.Random = rng, v: int = v) -> list[int]:
            made = [rng.randrange(v - 1)]
            while rng.random() < 0.85:
                made.append((made[-1] + rng.choice([0, 0, 1])) % (v - 1))
            return made

        counted = laid_out([document() for _ in range(documents)], bos=v - 1)
        held_out = laid_out([document() for _ in range(20)], bos=v - 1)
        chosen = NGram.chosen(counted, v, v - 1, held_out)
        tried = [NGram.of(counted, v, v - 1, n).losses(held_out) for n in range(1, MOST + 1)]
        costs = [float(losses_N.sum()) for losses_N in tried]
        assert costs[chosen.n - 1] == pytest.approx(min(costs), rel=1e-12)
        assert chosen.losses(held_out) == pytest.approx(tried[chosen.n - 1], rel=1e-12)


def test_without_held_out_documents_every_tenth_is_held_out_to_choose() -> None:
    tokenizer = Characters.of(TINY)
    # The others are all alike, a tenth is not: only with this tenth few letters are best. None is
    # longer than the block, whose windows would be counted as documents.
    rng = random.Random(1)
    noise = ["".join(rng.choices("abdelno", k=6)) for _ in range(95)]
    texts = [noise[i] if i % 10 == 9 else "lenaola" for i in range(95)]
    others = [text for i, text in enumerate(texts) if i % 10 != 9]
    tenth = [text for i, text in enumerate(texts) if i % 10 == 9]
    V, bos = tokenizer.vocab_size, tokenizer.bos
    n = NGram.chosen(laid(tokenizer, others), V, bos, laid(tokenizer, tenth)).n
    model, told = ngram(laid(tokenizer, texts), tokenizer), laid(tokenizer, TINY)
    assert model.n == n < NGram.chosen(laid(tokenizer, others), V, bos, laid(tokenizer, others)).n
    expected = NGram.of(laid(tokenizer, texts), V, bos, n)
    assert model.losses(told).tolist() == expected.losses(told).tolist()


@pytest.mark.parametrize("trained", LITTLE.values(), ids=LITTLE)
@pytest.mark.parametrize("bytewise", [False, True], ids=["characters", "bytes"])
def test_every_rung_is_finite_however_little_there_is(trained: list[str], bytewise: bool) -> None:
    tokenizer: Tokenizer = Bytes() if bytewise else Characters.of(["", "a", *trained])
    for texts in (trained, ["lena", "", "xyz", "aaaa" * 9], [""]):
        rungs = climbed(trained, texts, tokenizer)
        assert list(rungs) == ["uniform", "unigram", "bigram", "ngram", "xz"]
        assert len({total.positions for total in rungs.values()}) == 1
        for total in rungs.values():
            assert 0.0 <= total.mean < math.inf
            assert 1.0 <= total.perplexity < math.inf


def test_each_rung_is_better_than_the_one_before_where_there_is_something_to_learn() -> None:
    rng = random.Random(3)
    syllables = ["ka", "lo", "mi", "ren", "tas", "ve"]
    draw = lambda: "".join(rng.choice(syllables) for _ in range(rng.randint(1, 4)))  # noqa: E731
    trained, texts = [draw() for _ in range(400)], [draw() for _ in range(200)]
    rungs = climbed(trained, texts, Characters.of(trained))
    means = [rungs[name].mean for name in ("uniform", "unigram", "bigram", "ngram")]
    assert means == sorted(means, reverse=True)
    assert min(np.diff(means[::-1])) > 0.05


def test_one_character_repeated_costs_less_the_more_context_there_is() -> None:
    rungs = climbed(["a" * 20] * 50, ["a" * 20] * 5, Characters.of(["a"]))
    assert rungs["uniform"].mean == pytest.approx(math.log(2))
    # The end comes at 1 of 21 positions, and which one cannot be seen by 8 of 20 letters.
    surprise = -(20 * math.log(20 / 21) + math.log(1 / 21)) / 21
    assert rungs["unigram"].mean == pytest.approx(surprise, rel=0.01)
    assert rungs["ngram"].mean < rungs["bigram"].mean < rungs["unigram"].mean


def test_every_rung_pays_the_same_for_what_the_vocabulary_lacks() -> None:
    tokenizer = Characters.of(TINY)
    common = tokenizer.decode([tokenizer.stand_in])
    strange = climbed(TINY, ["l?na"], tokenizer)
    plain = climbed(TINY, [f"l{common}na"], tokenizer)
    counted = laid(tokenizer, TINY)
    at = laid(tokenizer, [f"l{common}na"])
    priced = ladder(
        counted, Batch(at.tokens_N[1:2], at.targets_N[1:2], np.array([0, 1])), tokenizer
    )
    for name in ("uniform", "unigram", "bigram"):
        # The bigram reads the stand-in behind it, and pays the price in its place.
        expected = plain[name].nats - priced[name].nats + tokenizer.unknown_nats
        assert strange[name].nats == pytest.approx(expected), name
    assert strange["ngram"].nats > tokenizer.unknown_nats


@pytest.mark.parametrize("at_once", [7, 1 << 20])
def test_sums_are_those_of_all_positions_one_by_one_to_the_last_bit(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.counting.ladder._AT_ONCE", at_once)
    tokenizer = Characters.of(TINY)
    counted = laid(tokenizer, TINY * 2)
    # In windows; some of what is unknown begins or ends them, or is all of a piece.
    measured = laid(tokenizer, [*TINY, "x" * 30, "lxna", "xda", "benx", "lenaaladabenbob" * 3, ""])
    model = NGram.of(counted, tokenizer.vocab_size, tokenizer.bos, 4)
    pairs = Counts.of(counted, tokenizer.vocab_size)
    ways = {
        "uniform": lambda batch: np.full(batch.positions, math.log(tokenizer.vocab_size)),
        "unigram": pairs.unigram, "bigram": pairs.bigram, "ngram": model.losses,
    }  # fmt: skip
    expected = dict.fromkeys(ways, LossSum())
    for _, piece in measured.pieces(at_once):
        for name, way in ways.items():
            losses_N = charge(way(readable(piece, tokenizer)), piece.targets_N, tokenizer)
            expected[name] += LossSum.of(losses_N.tolist())
    assert ladder(counted, measured, tokenizer, model) == expected


def test_a_sum_of_numbers_that_come_some_times_is_rounded_once() -> None:
    rng = np.random.default_rng(8)
    for scale in (1e-9, 1.0, 1e6):
        values, times = rng.exponential(scale, 300), rng.integers(0, 1000, 300)
        assert exact(values, times) == math.fsum(np.repeat(values, times).tolist())
    assert exact(np.array([0.1]), np.array([(1 << 26) - 1])) == float(
        Fraction(0.1) * ((1 << 26) - 1)
    )


def test_xz_is_what_its_own_program_s_container_grows_by() -> None:
    rng = random.Random(4)
    trained = [rng.choice(TINY) + rng.choice(TINY) for _ in range(3000)]
    texts = [rng.choice(TINY) + rng.choice(TINY) for _ in range(500)]
    total = xz(trained, iter(texts), positions=7)
    assert total.positions == 7

    def file_size(lines: list[str]) -> int:
        written = io.BytesIO()
        with lzma.open(written, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
        return len(written.getvalue())

    grown = file_size(trained + texts) - file_size(trained)
    # A container rounds to 4 bytes and has an index that may grow.
    assert abs(total.nats / (8 * LN_2) - grown) <= 8
    # What was seen helps: alone the texts take more.
    assert total.nats < file_size(texts) * 8 * LN_2


@pytest.mark.slow
def test_xz_s_tables_are_as_large_as_its_input_and_find_what_the_preset_s_find() -> None:
    rng = random.Random(6)
    preset = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]

    def size(data: bytes) -> int:
        return len(lzma.compress(data, lzma.FORMAT_RAW, filters=preset))

    for n in (40, 70_000, 300_000):
        trained = [rng.choice(TINY) + rng.choice(TINY) for _ in range(n // 10)]
        before, after = ("".join(f"{line}\n" for line in its).encode() for its in (trained, TINY))
        expected = size(before + after) - size(before)
        added = xz(trained, TINY, 1).nats / (8 * LN_2)
        # Where a large one ends the coder holds back up to five bytes.
        assert added == pytest.approx(expected, abs=5 if len(before) >= 1 << 18 else 0), n


def test_xz_packs_the_end_of_what_was_trained_on_and_the_start_of_what_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("microgpt.counting.xz._PACKED", 1 << 12)
    rng = random.Random(7)
    trained, texts = (
        [rng.choice(TINY) + rng.choice(TINY) + "é" * (i % 3) for i in range(n)] for n in (900, 2000)
    )

    def packed(data: bytes) -> int:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
        return len(lzma.compress(data, lzma.FORMAT_RAW, filters=filters))

    before, after = ("".join(f"{one}\n" for one in its).encode() for its in (trained, texts))
    before, first = before[-(1 << 12) :], after[: 1 << 12]
    added = packed(before + first) - packed(before)
    expected = added * 8 * LN_2 * len(after) / len(first)  # the others are taken to be like them
    assert xz(trained, texts, 5).nats == pytest.approx(expected, rel=1e-12)


def test_a_file_of_both_shows_what_the_second_adds_to_one_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(8)
    for large in (0, 9, 400, 5000):
        trained, texts = (
            [rng.choice(TINY) + rng.choice(TINY) for _ in range(n)] for n in (large, 300)
        )
        exact_sizes = xz(trained, texts, 1).nats
        with monkeypatch.context() as patch:
            patch.setattr("microgpt.counting.xz._LARGE", 0)
            assert xz(trained, texts, 1).nats == pytest.approx(exact_sizes, abs=5 * 8 * LN_2)


def test_a_length_is_chosen_on_some_of_many_held_out_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = Characters.of(TINY)
    counted, held_out = laid(tokenizer, TINY), laid(tokenizer, TINY * 9)
    tried = list[int]()
    chosen = NGram.chosen

    def recorded(batch: Batch, vocab_size: int, bos: int, others: Batch) -> NGram:
        tried.append(others.positions)
        return chosen(batch, vocab_size, bos, others)

    monkeypatch.setattr(NGram, "chosen", recorded)
    ngram(counted, tokenizer, held_out)
    monkeypatch.setattr("microgpt.counting.ladder._TRIED", held_out.positions // 3)
    ngram(counted, tokenizer, held_out)
    assert tried[0] == held_out.positions
    assert 0.2 < tried[1] / tried[0] < 0.45


def test_xz_takes_nearly_nothing_for_what_stood_there_and_all_of_what_is_noise() -> None:
    rng = random.Random(5)
    noise = ["".join(chr(rng.randrange(33, 127)) for _ in range(50)) for _ in range(40)]
    again, new = xz(noise, noise, 2000), xz(["a"], noise, 2000)
    assert 0.0 <= again.nats < 0.02 * new.nats
    assert math.log2(94) < new.nats / LN_2 / 2000 < 1.1 * math.log2(94)
    # With a letter more this file is a byte shorter.
    odd = ["babbabba", "aabbabb", "bbbaabaa", "bbaaaab", "aaab", "a", "a"]
    for trained, texts in (
        (odd, ["a"]),
        ([], []),
        (["a"], [""]),
        (["a"] * 500, ["a"] * 3),
        (TINY, TINY[:1]),
    ):
        assert xz(trained, texts, 1).nats >= 0.0


def test_a_run_s_ladder_counts_what_it_was_trained_on_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("\n".join(TINY[i % 20] + TINY[i % 7] for i in range(140)))
    run = microgpt.train(path, steps=2, n_embd=4, n_head=1, engine="scalar", holdout=0.3,
                         preset="microgpt-v1", out=tmp_path / "run")  # fmt: skip
    trained, held_out = run.documents
    rungs = run.baselines(held_out)
    assert list(rungs) == ["uniform", "unigram", "bigram", "ngram", "xz"]
    # The n-gram reads these documents window by window, in training and when they are measured.
    block = run.settings.model.block_size
    counted, measured = (
        as_counted(whole(encode_all(run.tokenizer, d)), block) for d in (trained, held_out)
    )
    assert len(counted) > len(trained)
    V, bos = run.tokenizer.vocab_size, run.tokenizer.bos
    assert run.ngram.n == NGram.chosen(counted, V, bos, measured).n
    for counts in (run.ngram, Run(run.folder).ngram):
        assert rungs["ngram"].nats == pytest.approx(counts.losses(measured).sum())
    assert rungs["xz"] == xz(trained, held_out, measured.positions)
    assert set(run.baselines(trained, seen=True)) == {"uniform", "unigram", "bigram"}
