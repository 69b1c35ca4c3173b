"""A run on one long text and its cache: trained, saved, loaded, resumed, measured."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt.compress import SLACK
from microgpt.compress.cached import LaneCache
from microgpt.compress.container import unpack
from microgpt.counting.cache import TextCache
from microgpt.counting.linear import LinearMixture
from microgpt.data.corpus import Source
from microgpt.engines import why_not_native
from microgpt.errors import DataError
from microgpt.evaluation import evaluate, scores
from microgpt.runs import prepare
from microgpt.runs.run import Run
from microgpt.runs.usual import fingerprint
from microgpt.scoring.price import Pricer
from microgpt.training.heldout import HeldOut

from .conftest import TINY, out

native = pytest.mark.skipif(why_not_native() is not None, reason=why_not_native() or "")

TEXT = "".join(random.Random(1).choices([f"{a}{b} " for a in TINY for b in TINY[:5]], k=900))
TRAIN: dict[str, object] = {
    "stream": True, "preset": "micro", "steps": 200, "n_embd": 8, "n_head": 2, "block_size": 16,
    "holdout": 0.3, "ngram": 1, "out": "r",
}  # fmt: skip


@native
def test_a_run_on_one_text_keeps_its_cache_and_measures_alike_everywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("t.txt").write_text(TEXT)
    run = microgpt.train("t.txt", **TRAIN)  # type: ignore[arg-type]
    again = microgpt.load("r")
    assert run.mixture is not None
    assert again.mixture is not None
    assert again.mixture.cache == run.mixture.cache
    assert isinstance(again.mixture.cache, TextCache)
    logged = run.log.heldout[-1]["heldout"]
    held_out, tokens, block = again.documents[1], again.tokenizer, again.settings.model.block_size
    result = evaluate(again.predictor, tokens, block, held_out)
    assert logged["loss"] == pytest.approx(result.loss, abs=1e-6)
    assert logged["gpt"] == pytest.approx(again.alone(held_out).mean, abs=1e-6)
    priced = Pricer(again.predictor, tokens, block).price(held_out)
    assert priced.losses_N.mean() == pytest.approx(result.loss, abs=1e-6)
    (score,) = scores(again.predictor, tokens, block, held_out)
    assert score.losses == pytest.approx(priced.losses_N.tolist(), abs=1e-5)
    said = out(capsys, "evaluate r --engine native")
    assert re.search(r"GPT \+ counts of 1 character \(\d+ %\) and a cache of the text: ", said)
    assert json.loads(out(capsys, "evaluate r --json"))["cache"] is True
    # Without the cache it is another model, with a higher loss and another fingerprint.
    bare = LinearMixture(again.gpt, again.mixture.ngram, again.mixture.weight)
    assert evaluate(bare, tokens, block, held_out).loss > result.loss + 0.01
    assert fingerprint(again.engine, bare) != fingerprint(again.engine, again.mixture)


@native
def test_an_unknown_character_in_a_text_with_a_cache_has_its_own_loss_alone() -> None:
    Path("t.txt").write_text(TEXT)
    run = microgpt.train("t.txt", **TRAIN)  # type: ignore[arg-type]
    text = 3 * (TEXT[:100] + "é")
    (priced,) = Pricer(run.predictor, run.tokenizer, 16).each([text])
    result = evaluate(run.predictor, run.tokenizer, 16, [text])
    assert result.unknown == 3
    assert result.sum.nats == pytest.approx(priced.losses_N.sum(), abs=1e-4)
    unknown = [i for i, c in enumerate(text) if c == "é"]
    assert priced.losses_N[unknown].tolist() == [run.tokenizer.unknown_nats] * 3
    assert np.isfinite(priced.losses_N).all()


@native
def test_a_training_with_a_cache_is_resumed_exactly() -> None:
    Path("t.txt").write_text(TEXT)
    told = {"preset_name": "micro"} | {k: v for k, v in TRAIN.items() if k not in ("stream", "out")}
    del told["preset"]
    source = Source(files=("t.txt",), stream=True)
    with prepare.new(source, out=Path("a"), **told) as session:
        list(session)
    with prepare.new(source, out=Path("b"), **told) as session:
        for event in session:
            if isinstance(event, HeldOut):  # the first: the cache is fitted, and saved
                session.stop()
    halfway = microgpt.load("b")
    assert halfway.mixture is not None
    assert halfway.mixture.cache is not None
    cut = Path("b/checkpoint.safetensors").read_bytes()
    halfway.resume()
    once, resumed = (Path(name, "checkpoint.safetensors").read_bytes() for name in "ab")
    assert once == resumed != cut


@native
def test_compressing_one_long_text_uses_the_cache_of_what_is_decoded() -> None:
    Path("t.txt").write_text(TEXT)
    run = microgpt.train("t.txt", **TRAIN)  # type: ignore[arg-type]
    short, long = TEXT[-2000:], TEXT + TEXT[::-1] + TEXT
    alone = run.codec.compress(short.encode())
    assert unpack(alone.data, "it")[0].lanes == 1
    assert alone.sum.nats == pytest.approx(sum(run.losses([short])[0]), rel=1e-5)
    packed = run.codec.compress(long.encode())
    assert unpack(packed.data, "it")[0].lanes > 3
    assert run.codec.decompress(packed.data) == long.encode()
    assert packed.header < len(packed.data) <= packed.header + packed.ideal + SLACK
    others = Run("r")
    assert others.mixture is not None
    others.mixture.cache = None  # another model, and another hash of it
    assert others.codec.compress(long.encode()).sum.nats > packed.sum.nats * 1.02
    with pytest.raises(DataError, match="the run must be the one it was compressed with"):
        others.codec.decompress(packed.data)


def test_lanes_know_what_other_lanes_have_coded() -> None:
    seen = LaneCache(TextCache((0.5,) * 12), 3)
    p_BV = np.array([[0.5, 0.3, 0.2]] * 2)
    for token in (0, 1, 2, 0, 1, 2):
        seen.read(np.array([token]), np.array([0]))
    for token in (0, 1, 2):
        seen.read(np.array([token]), np.array([2]))
    log_p_BV = seen.mix(np.log(p_BV), np.array([1, 2]))  # lane 1 has read nothing
    assert np.exp(log_p_BV) == pytest.approx(np.array([[0.5, 0.3, 0.2], [0.75, 0.15, 0.1]]))
