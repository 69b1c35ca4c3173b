"""Compressed files: as long as the text's loss, decompressed byte for byte or refused."""

from __future__ import annotations

import dataclasses
import math
import random
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt import evaluation
from microgpt.compress import SLACK, Codec, container
from microgpt.compress.container import Header, digest, pack, unpack
from microgpt.compress.fixed import SCALE, intervals
from microgpt.compress.identity import Identity
from microgpt.compress.lanes import shares
from microgpt.compress.text import FileForm, put_together, take_apart
from microgpt.config import GPTConfig
from microgpt.counting.linear import LinearMixture
from microgpt.counting.ngram import NGram
from microgpt.data.batch import lay_out, whole
from microgpt.data.measured import overlapped, with_context
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer, encode_all
from microgpt.engines import about
from microgpt.engines.contract import Engine
from microgpt.errors import DataError, RunError, UsageError
from microgpt.loss import LN_2, cross_entropy

from .conftest import TINY, examples, opened, some

BETTER: dict[str, Any] = {
    "position": "rotary", "qk_norm": True, "final_norm": True, "activation": "squared-relu",
}  # fmt: skip


@pytest.fixture
def exact_engine(engine_name: str) -> str:
    """The name of an engine that can compress."""
    if not about(engine_name).is_exact:
        pytest.skip("its numbers depend on what is computed beside them")
    return engine_name


def test_an_engine_whose_numbers_may_change_compresses_nothing(engine_name: str) -> None:
    if about(engine_name).is_exact:
        pytest.skip("its numbers repeat to the last bit")
    with pytest.raises(UsageError) as caught:
        codec(engine_name).compress(b"ada")
    assert str(caught.value) == (
        "compressing needs an engine whose numbers repeat to the last bit, native or scalar; "
        f"got {engine_name}."
    )


def mixed(engine: Engine, tokenizer: Tokenizer, weight: float) -> Engine:
    """Mix an engine with counts of the tiny names."""
    batch = lay_out(encode_all(tokenizer, TINY), tokenizer.bos, 8).batch
    return LinearMixture(engine, NGram.of(batch, tokenizer.vocab_size, tokenizer.bos), weight)


def codec(
    name: str,
    tokenizer: Tokenizer | None = None,
    weight: float | None = None,
    *,
    stream: bool = False,
    threads: int | None = None,
    std: float = 0.5,
    **shape: Any,
) -> Codec:
    tokenizer = tokenizer or Bytes()
    shape = {"block_size": 5, "n_head": 1, "n_embd": 2, **shape}
    config = GPTConfig(vocab_size=tokenizer.vocab_size, **shape)
    engine = opened(name, config, std=std, threads=threads)
    return of(engine, tokenizer, config, weight, stream=stream)


def of(
    engine: Engine,
    tokenizer: Tokenizer,
    config: GPTConfig,
    weight: float | None = None,
    *,
    stream: bool = False,
) -> Codec:
    mixture = None if weight is None else mixed(engine, tokenizer, weight)
    identity = partial(Identity.of, engine, mixture, tokenizer, config)
    return Codec(mixture or engine, tokenizer, config, identity, stream=stream)


def check(made: Codec, data: bytes) -> int:
    """Compress and decompress a file; return the compressed size."""
    packed = made.compress(data)
    assert made.decompress(packed.data) == data
    code = len(packed.data) - packed.header
    # It may be shorter: what the fixed point knows no smaller probability for costs 48 bits.
    assert code <= packed.ideal + SLACK
    return code


FILES = [
    b"", b"\n", b"\n\n\n", b"a", b"a\n", b"a\nb", b"\na", b"a\r\nb\r\n", b"a\r\nb", b"a\r\nb\n",
    b"\r", b"\r\r", b"a\rb\r", b"a\rb", b"\r\r\n", b"\n\r", b"\r\n", b"\xef\xbb\xbf",
    b"\xef\xbb\xbfa\r\n", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xff\xfe\0\0", b"\x80\n\xc3\n\xa9\n",
    bytes(range(256)), b"\0" * 50, "né\u2028é😀\n".encode(), b"abcde" * 9 + b"\n" + b"x" * 31,
    b"abcd\nabcde\nabcdef\n",
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("data", FILES)
def test_every_form_of_a_file_comes_back(data: bytes, *, stream: bool) -> None:
    form, text = take_apart(data, stream=stream)
    assert put_together(form, text) == data
    assert FileForm.from_number(form.to_number()) == form
    check(codec("scalar", stream=stream, block_size=3), data)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.one_of(st.binary(max_size=80), st.text("ab\r\n", max_size=40).map(str.encode)),
    stream=st.booleans(),
    weight=st.sampled_from([None, 0.0, 0.3, 0.999]),
    block_size=st.integers(1, 9),
    better=st.booleans(),
)
def test_any_bytes_come_back_from_any_model(
    exact_engine: str, data: bytes, weight: float | None, block_size: int, *, stream: bool,
    better: bool,
) -> None:  # fmt: skip
    shape = {"block_size": block_size, **(BETTER if better else {})}
    check(codec(exact_engine, weight=weight, stream=stream, **shape), data)


def random_names(seed: int, number: int, longest: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abdelno", k=rng.randrange(longest))) for _ in range(number)]


@pytest.mark.parametrize("bos", some(["first", "last"], 0))
@pytest.mark.parametrize("weight", some([None, 0.4], 1))
def test_the_size_is_the_sum_of_the_losses_that_evaluate_reports(
    exact_engine: str, bos: Any, weight: float | None
) -> None:
    tokenizer = Characters.of(TINY, bos)
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=6, n_head=1, n_embd=4)
    engine = opened(exact_engine, config)
    model = engine if weight is None else mixed(engine, tokenizer, weight)
    names = random_names(1, 50, 20)
    data = ("\n".join(names) + "\n").encode()
    packed = of(engine, tokenizer, config, weight).compress(data)
    total = evaluation.evaluate(model, tokenizer, 6, names).sum
    assert packed.sum.positions == total.positions
    assert packed.sum.nats == pytest.approx(total.nats, rel=1e-12)
    # And those of the other way to compute them, all positions of a window at once.
    batch = overlapped(whole(encode_all(tokenizer, names)), 6)
    nats = math.fsum(batch.counted(model.losses(batch)).tolist())
    code = len(packed.data) - packed.header
    assert nats / LN_2 / 8 - 2 < code <= nats / LN_2 / 8 + SLACK
    assert of(engine, tokenizer, config, weight).decompress(packed.data) == data


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("length", some([0, 1, 2, 15, 16, 17, 400, 4_000, 20_000], *range(8)))
def test_the_bound_holds_for_short_and_long_files(length: int, *, stream: bool) -> None:
    pytest.importorskip("microgpt.engines._native")
    text = "\n".join(random_names(length, length // 5 + 1, 12)).encode()[:length]
    made = codec("native", stream=stream, std=0.2, block_size=16, n_embd=8)
    assert abs(check(made, text) - made.compress(text).ideal) < 1.5


@pytest.mark.parametrize("block", some([2, 3, 5, 8], 0, 2))
def test_a_lane_within_a_text_has_context_from_its_second_window_on(block: int) -> None:
    pytest.importorskip("microgpt.engines._native")
    text = "".join(random_names(4, 600, 20))
    tokenizer = Characters.of([text])
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=block, n_head=1, n_embd=4)
    engine = opened("native", config)
    made = of(engine, tokenizer, config, stream=True)
    packed = made.compress(text.encode())
    assert made.decompress(packed.data) == text.encode()
    lanes = unpack(packed.data, "it")[0].lanes
    batch = overlapped(whole(encode_all(tokenizer, [text])), block)
    assert lanes == 1 + batch.n_counted // 4096 > 1
    assert batch.context is not None
    context_W = batch.context.copy()
    context_W[shares(len(batch), lanes)[:-1]] = 0  # each lane's first window begins anew
    lengths_W = np.diff(batch.ends)
    anew = with_context(
        whole(encode_all(tokenizer, [text])), batch.ends[:-1], lengths_W, context_W, block
    )
    nats = math.fsum(anew.counted(engine.losses(anew)).tolist())
    assert packed.sum.nats == pytest.approx(nats, rel=1e-5)


@pytest.mark.slow
def test_one_long_line_has_many_lanes_and_a_byte_or_two_of_header_for_each() -> None:
    pytest.importorskip("microgpt.engines._native")
    made = codec("native", block_size=8, n_embd=8)
    one, many = (bytes([97, 98, 99, 100, 101, 102, 103, end]) * 2000 for end in (97, 10))
    packed = [made.compress(data) for data in (one, many)]
    headers = [unpack(each.data, "it")[0] for each in packed]
    assert (headers[0].lanes, len(headers[0].firsts)) == (1 + 16_001 // 4096, 4)
    assert (headers[1].lanes, headers[1].firsts) == (2000, ())
    assert [made.decompress(each.data) for each in packed] == [one, many]
    assert all(len(each.data) - each.header <= each.ideal + SLACK for each in packed)
    assert packed[0].header - packed[1].header < 20


@pytest.mark.slow
def test_the_same_file_makes_the_same_bytes_for_any_number_of_threads() -> None:
    pytest.importorskip("microgpt.engines._native")
    data = "\n".join(random_names(3, 50, 14)).encode()
    makers = [codec("native", n_embd=16, threads=threads, weight=0.2) for threads in (1, 2, 3, 1)]
    first, *others = [made.compress(data).data for made in makers]
    assert all(other == first for other in others)
    assert all(made.decompress(first) == data for made in makers)


def test_a_character_that_is_unknown_is_named_with_its_line() -> None:
    made = codec("scalar", Characters.of(["ab"]))
    for data, what in (("a\nb\naé", '3 has "é"'), ("a\nb\r\n", r'2 has "\\r"')):
        with pytest.raises(UsageError, match=f"^the text in line {what}, which this model has ne"):
            made.compress(data.encode())
    assert made.decompress(made.compress(b"a\r\nb\r\n").data) == b"a\r\nb\r\n"
    sentence = (
        r"^x\.txt: line 2: not UTF-8 \(0xff\), which this model's characters are\. "
        r"Try a run of --tokenizer bytes\.$"
    )
    with pytest.raises(DataError, match=sentence):
        made.compress(b"a\n\xff", "x.txt")


# --- the fixed point ----------------------------------------------------------------------------


def test_an_interval_is_never_empty_and_hardly_narrower_than_its_probability() -> None:
    rng = np.random.default_rng(1)
    for V, spread in ((2, 1.0), (27, 5.0), (257, 30.0), (1000, 400.0), (5, 0.0)):
        logits_BV = rng.normal(0, spread, (20, V))
        upto, losses_BV = intervals(logits_BV)
        sizes, totals = np.diff(upto, axis=1), upto[:, -1:]
        assert (sizes >= 1).all()
        assert (abs(totals - SCALE) <= V).all()
        # Python's whole numbers have a logarithm to the last place.
        cost_BV = np.vectorize(lambda size, total: math.log2(total / size))(sizes, totals)
        assert (cost_BV - losses_BV / LN_2 < 1.45 * V / SCALE + 1e-14 * (1 + cost_BV)).all()
        for logits_V, losses_V in zip(logits_BV[:1].tolist(), losses_BV):
            expected = [cross_entropy(logits_V, i)[0] for i in range(V)]
            assert losses_V == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_what_the_model_thinks_impossible_costs_48_bits() -> None:
    upto, losses = intervals(np.array([[0.0, -np.inf, -5000.0]]))
    assert np.diff(upto).tolist() == [[SCALE + 1, 1, 1]]
    assert losses.tolist() == [[0.0, np.inf, 5000.0]]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(broken: float) -> None:
    with pytest.raises(RunError, match=r"^the model's logits must be numbers; got some that are "):
        intervals(np.array([[0.0, broken]]))


# --- hostile files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[Codec, bytes]:
    """A model, and a file of its making."""
    made = codec("scalar", weight=0.3)
    return made, made.compress(b"ada\nbob\n\xff\xfe").data


def test_every_flipped_bit_and_every_cut_is_refused(small: tuple[Codec, bytes]) -> None:
    made, data = small
    for at in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(DataError, match=r"^it: "):
            made.decompress(bytes(flipped), "it")
    for length in range(len(data)):
        with pytest.raises(DataError, match=r"^it: "):
            made.decompress(data[:length], "it")
    with pytest.raises(DataError, match=r"^it: damaged: its checksum is not that of its bytes\. "):
        made.decompress(data + b"\0", "it")


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=120), st.sampled_from([0, 4, 5, 13]))
def test_any_other_bytes_are_refused(rest: bytes, known: int) -> None:
    # The magic alone, the format too, and then even the right checksum.
    head = container.MAGIC + bytes([container.FORMAT]) + digest(rest)
    with pytest.raises(DataError, match=r"^it: "):
        unpack(head[:known] + rest, "it")


@pytest.mark.parametrize(
    "change",
    [
        {"size": 2**62}, {"size": 0, "windows": 1}, {"size": 2**62, "windows": 2**62},
        {"windows": 2}, {"windows": 2**62, "lanes": 2**50, "size": 2**62}, {"lanes": 1},
        {"firsts": (300, 300, 300)}, {"firsts": (2**60, 0, 0)}, {"firsts": (0, 1, 2)},
        {"firsts": (256,)}, {"content": b"\0" * 8}, {"form": FileForm(False, b"\r", True)},
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused_and_ends(
    small: tuple[Codec, bytes], change: dict[str, Any]
) -> None:
    made, data = small
    header, code = unpack(data, "it")
    assert (header.windows, header.lanes, header.size) == (3, 3, 10)
    assert made.decompress(pack(header, code)) == b"ada\nbob\n\xff\xfe"
    changed: Header = dataclasses.replace(header, **change)
    with pytest.raises(
        DataError, match=r"^it: (what comes out must be wh|foreign: its header is not as)"
    ):
        made.decompress(pack(changed, code), "it")


@pytest.mark.parametrize("code", [b"", b"\0" * 1000, b"\xff" * 1000, bytes(range(256)) * 3])
def test_a_code_that_no_encoder_made_is_refused_and_ends(
    small: tuple[Codec, bytes], code: bytes
) -> None:
    made, data = small
    header, _ = unpack(data, "it")
    for size in (header.size, 2**62):
        lying = dataclasses.replace(header, size=size, windows=min(size, 2**40))
        with pytest.raises(DataError, match=r"^it: what comes out must be what went in; got "):
            made.decompress(pack(lying, code), "it")


def test_bytes_behind_the_code_are_refused(small: tuple[Codec, bytes]) -> None:
    made, data = small
    header, code = unpack(data, "it")
    with pytest.raises(DataError, match="what comes out must be what went in"):
        made.decompress(pack(header, code + b"\0" * 40), "it")


def refusal(made: Codec, data: bytes) -> str:
    with pytest.raises(DataError) as error:
        made.decompress(data, "it")
    return str(error.value)


def test_other_files_are_told_so(small: tuple[Codec, bytes]) -> None:
    made, data = small
    assert refusal(made, b"hello") == (
        "it: not compressed by microgpt. Expected what microgpt compress has written."
    )
    assert refusal(made, data[:4] + b"\x07" + data[5:]) == (
        "it: the format must be 2; got 7. Try the microgpt that made it."
    )
    assert refusal(made, data[:4]).startswith("it: the format must be 2; got none. ")


def test_another_run_weight_build_and_processor_are_recognised(
    small: tuple[Codec, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, data = small
    mine = made.identity
    others = [codec("scalar"), codec("scalar", weight=0.31), codec("scalar", weight=0.3, n_embd=3)]
    for other in others:
        assert refusal(other, data) == (
            f"it: the run must be the one it was compressed with, {mine.run.hex()}; got "
            f"{other.identity.run.hex()}. Try another; more training makes it another, too."
        )
    header, code = unpack(data, "it")

    def of(**change: Any) -> bytes:
        theirs: Identity = dataclasses.replace(mine, **change)
        return pack(dataclasses.replace(header, identity=theirs), code)

    assert refusal(made, of(build=mine.build.replace("numpy ", "numpy 0."))) == (
        "it: the build must be the one it was compressed with, "
        f"{mine.build.replace('numpy ', 'numpy 0.')}; got {mine.build}. "
        "Try the machine it was made on, or the same versions."
    )
    native = mine.build.replace("scalar Python", "native v9, Python")
    assert refusal(made, of(build=native)).endswith(f"got {mine.build}. Try --engine native.")
    assert refusal(made, of(build="")).endswith(
        "Try the machine it was made on, or the same versions."
    )
    assert refusal(made, of(probe=b"\0" * 8)) == (
        "it: the model must give the probabilities it was compressed with; this processor gives "
        f"others ({mine.build}). Try the machine it was made on."
    )
    # Another rounding in the last place, as of another library, is another probe.
    exp = np.exp
    monkeypatch.setattr(np, "exp", lambda x: np.nextafter(exp(x), 2.0))
    assert made._identity().probe != mine.probe


def test_both_engines_are_one_run_and_two_builds() -> None:
    pytest.importorskip("microgpt.engines._native")
    scalar, native = codec("scalar", weight=0.2), codec("native", weight=0.2)
    assert scalar.identity.run == native.identity.run
    data = native.compress(b"ada").data
    assert refusal(scalar, data).endswith(". Try --engine native.")


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
def test_megabytes_come_back(*, stream: bool) -> None:
    rng = random.Random(5)
    made = codec("native", stream=stream, block_size=64, n_embd=8)
    check(made, rng.randbytes(1_000_000))
    check(made, b"a" * 1_000_000)
    check(made, b"\n" * 300_000)
