"""The arguments that the native engine rejects, in a sentence, and the error if it is missing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from microgpt import engines
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.engines import open_engine, why_not_native
from microgpt.errors import MissingExtra, UsageError
from microgpt.optim import Optimizer
from tests.conftest import REFUSED, REQUIRED, laid_out, opened
from tests.test_engines_agree import numpy_losses

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import NativeEngine
from tests.native_engines import SHAPES, native, numbers


@REFUSED
def test_what_does_not_fit_is_refused_at_the_border(
    tokens: list[int], targets: list[int], offsets: list[int], text: str
) -> None:
    batch = Batch(*(np.array(x, np.int32) for x in (tokens, targets)), np.array(offsets, np.int64))
    with pytest.raises(UsageError) as caught:
        native(SHAPES[0]).losses(batch)
    assert str(caught.value).startswith(text)


def test_a_decoder_refuses_what_it_cannot_read() -> None:
    decoder = native(SHAPES[0]).decoder(2)
    for tokens, text in (
        ([1], "tokens must be one a row, 2; got 1."),
        ([1, 5], "token of row 1 must be below 5; got 5."),
    ):
        with pytest.raises(UsageError) as caught:
            decoder.push(tokens)
        assert str(caught.value) == text


@pytest.mark.parametrize("rows", [0, -1, 2**60])
def test_a_decoder_has_rows_that_fit_in_memory(rows: int) -> None:
    with pytest.raises(
        UsageError, match=r"^rows of a decoder must be at least 1 and fit in memory"
    ):
        native(SHAPES[0]).decoder(rows)


def test_a_document_too_long_for_memory_is_refused_in_a_sentence() -> None:
    V = 5
    # Its activations are 400 GB.
    config = GPTConfig(vocab_size=V, block_size=2**20, n_layer=512, n_head=1, n_embd=1)
    engine = NativeEngine(config, Optimizer(), "cross-entropy", 1)
    short = laid_out([[0, 1]], 2, config.block_size)
    assert engine.losses(short) == pytest.approx(np.log(V), rel=1e-6)
    n = config.block_size
    long = Batch(np.zeros(n, np.int32), np.zeros(n, np.int32), np.array([0, n], np.int64))
    with pytest.raises(UsageError, match=r"^what is computed at once must fit in memory"):
        engine.losses(long)
    assert engine.losses(short) == pytest.approx(np.log(V), rel=1e-6)


def test_a_vocabulary_of_65536_is_the_largest() -> None:
    config = GPTConfig(vocab_size=65_536, block_size=4, n_layer=1, n_head=1, n_embd=4)
    batch = laid_out([[65_534, 0]], 65_535, 4)
    assert native(config).losses(batch) == pytest.approx(
        numpy_losses(config, numbers(config).parameters, batch), rel=1e-5
    )
    with pytest.raises(UsageError, match=r"^vocab_size must be at most 65,536 for the native"):
        opened("native", GPTConfig(vocab_size=65_537, n_embd=4))


def test_without_the_native_engine_auto_is_the_scalar_one_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "why_not_native", lambda: "it was not built")
    monkeypatch.setattr(engines, "has_torch", lambda: False)
    assert open_engine("auto", SHAPES[0]).name == "scalar"
    monkeypatch.setattr(engines, "has_torch", lambda: True)
    assert engines.best() == "torch"
    with pytest.raises(
        MissingExtra, match=r'^engine "native" is not there: it was not built\. Try'
    ):
        open_engine("native", SHAPES[0])


@pytest.mark.parametrize("reason", ["", "there is no C++ compiler"])
def test_a_module_that_is_not_there_is_the_reason_and_so_is_what_the_build_says(
    reason: str,
) -> None:
    code = (
        "import sys; sys.modules['microgpt.engines._native'] = None\n"
        "unbuilt = type(sys)('microgpt.engines._unbuilt')\n"
        f"unbuilt.REASON = {reason!r}\n"
        f"sys.modules[unbuilt.__name__] = unbuilt if {reason!r} else None\n"
        "from microgpt.engines import why_not_native; print(why_not_native())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    because = f": {reason}" if reason else ""
    assert said.stdout == f"it was not built when microgpt was installed{because}\n"
