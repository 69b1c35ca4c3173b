"""The torch engine: in float64 it is the scalar engine's; what saves memory changes no number."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines import has_torch, open_engine
from microgpt.engines.compute import Compute
from microgpt.errors import UsageError
from microgpt.optim import Optimizer
from tests.conftest import REFUSED, REQUIRED, laid_out, opened
from tests.test_engines_agree import MODERN, configured

if not has_torch() and "torch" not in REQUIRED:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import torch

from microgpt.engines.torch import TorchEngine
from microgpt.engines.torch.packed import Packed

# Whatever else is there is tested, too.
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
DOCUMENTS = [[0, 1, 2, 3, 0], [3], [2, 1, 1], [], [0, 2, 1]]
MUON = Optimizer(muon=2.0, weight_decay=0.1, dropout=0.3)


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=4, block_size=6)


def torch_engine(
    config: GPTConfig,
    optimizer: Optimizer | None = None,
    loss: ObjectiveName = "cross-entropy",
    device: str = "cpu",
    **compute: Any,
) -> TorchEngine:
    """Open the engine on the parameters of `conftest.opened`."""
    engine = TorchEngine(config, optimizer or Optimizer(), loss, 1, device, Compute(**compute))
    engine.load(opened("scalar", config).state())
    return engine


def trained(engine: Any, batch: Batch, steps: int) -> np.ndarray:
    plan = Plan(batch, batch_size=2, seed=3)
    return engine.train(plan.batches(0, steps), np.linspace(0.01, 0.0001, steps)).nats_K


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loss", ["cross-entropy", "linear", "quadratic"])
@pytest.mark.parametrize("optimizer", [Optimizer(), MUON], ids=["adam", "muon"])
@pytest.mark.parametrize("config", [configured("relu"), MODERN], ids=["original", "modern"])
def test_a_hundred_updates_in_float64_are_the_scalar_engine_s(
    config: GPTConfig, optimizer: Optimizer, loss: ObjectiveName, device: str, batch: Batch
) -> None:
    config = replace(config, n_layer=1)
    scalar = opened("scalar", config, optimizer=optimizer, loss=loss)
    engine = torch_engine(config, optimizer, loss, device, precision="float64")
    expected = trained(scalar, batch, 100)
    assert trained(engine, batch, 100) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    theirs, ours = scalar.state(), engine.state()
    assert ours.parameters.dtype == np.float64
    for name, numbers in theirs.buffers.items():
        assert ours.buffers[name] == pytest.approx(numbers, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(
    "compute",
    [
        {"accumulate": 2}, {"accumulate": 100}, {"recompute": True}, {"deterministic": True},
        {"recompute": True, "accumulate": 3},
    ],
    ids=str,
)  # fmt: skip
def test_what_saves_memory_changes_no_number(compute: dict[str, Any], batch: Batch) -> None:
    plain = torch_engine(MODERN, MUON, precision="float64")
    saving = torch_engine(MODERN, MUON, precision="float64", **compute)
    assert trained(saving, batch, 8) == pytest.approx(trained(plain, batch, 8), rel=1e-12)
    assert saving.state().parameters == pytest.approx(plain.state().parameters, abs=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of itself
def test_compiled_layers_change_no_number() -> None:
    config = replace(MODERN, n_layer=1)
    batch = laid_out([[0, 1, 2, 3, 0]] * 4, bos=4, block_size=6)
    plain = torch_engine(config, precision="float64")
    compiled = torch_engine(config, precision="float64", compile=True)
    assert trained(compiled, batch, 3) == pytest.approx(trained(plain, batch, 3), rel=1e-12)


def test_in_bfloat16_parameters_and_loss_stay_in_float32(batch: Batch) -> None:
    engine, exact = torch_engine(MODERN, precision="bfloat16"), torch_engine(MODERN)
    assert engine.state().parameters.dtype == np.float32
    losses_N, exact_N = engine.losses(batch), exact.losses(batch)
    assert losses_N != pytest.approx(exact_N, rel=1e-5)
    # bfloat16 has 8 bits.
    assert losses_N == pytest.approx(exact_N, rel=0.05, abs=0.05)
    assert trained(engine, batch, 5) == pytest.approx(trained(exact, batch, 5), rel=0.05)


def test_a_state_in_float32_is_not_copied_through_float64() -> None:
    engine = torch_engine(MODERN)
    state = engine.state()
    assert {numbers.dtype for numbers in state.buffers.values()} == {np.dtype(np.float32)}
    other = TorchEngine(MODERN, Optimizer(), "cross-entropy", 1, "cpu")
    other.load(state)
    assert np.array_equal(other.state().parameters, state.parameters)


@pytest.mark.parametrize("seed", range(20))
def test_rows_go_into_rectangles_and_back_with_their_gradients(seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.choice((1, 2, 7, rng.randint(1, 30))) for _ in range(rng.randint(1, 12))]
    offsets = np.cumsum([0, *lengths])
    packed = Packed(offsets, torch.device("cpu"))
    x_ND = torch.arange(offsets[-1] * 3, dtype=torch.float64).view(-1, 3).requires_grad_()
    places = [r.pad(x_ND) for r in packed.rectangles]
    assert torch.equal(
        packed.together([r.unpad(p) for r, p in zip(packed.rectangles, places)]), x_ND
    )
    # Each document lies at the beginning of a row of its own, and nothing else does.
    found = sorted(
        row[row.any(1)].tolist() for x_BTD in places for row in (x_BTD + (x_BTD != 0)).detach()
    )
    rows = [x_ND[a:b] for a, b in pairwise(offsets)]
    assert found == sorted([one for one in (row + (row != 0)).tolist() if any(one)] for row in rows)
    d_ND = torch.randn_like(x_ND)
    packed.together([r.unpad(p * p) for r, p in zip(packed.rectangles, places)]).backward(d_ND)
    assert x_ND.grad is not None
    assert torch.allclose(x_ND.grad, 2 * x_ND.detach() * d_ND)


def test_what_is_left_of_torch_is_as_it_was(batch: Batch) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    engine = TorchEngine(
        MODERN, Optimizer(), "cross-entropy", before[0] + 1, "cpu", Compute(deterministic=True)
    )
    engine.losses(batch)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


@REFUSED
def test_what_does_not_fit_is_refused_at_the_border(
    tokens: list[int], targets: list[int], offsets: list[int], text: str
) -> None:
    batch = Batch(*(np.array(x, np.int32) for x in (tokens, targets)), np.array(offsets, np.int64))
    engine = torch_engine(MODERN)
    for work in (engine.losses, engine.gradients):
        with pytest.raises(UsageError) as caught:
            work(batch)
        assert str(caught.value).startswith(text)


def test_a_decoder_refuses_what_it_cannot_read() -> None:
    decoder = torch_engine(MODERN).decoder(2)
    for tokens, text in (
        ([1], "tokens must be one a row, 2; got 1."),
        ([1, 5], "token of row 1 must be below 5; got 5."),
    ):
        with pytest.raises(UsageError) as caught:
            decoder.push(tokens)
        assert str(caught.value) == text


def test_a_decoder_s_caches_grow_with_its_longest_row() -> None:
    config = replace(MODERN, block_size=200)
    batch = laid_out([[i % 4 for i in range(180)]], bos=4, block_size=200)
    engine = torch_engine(config)
    decoder = engine.decoder(2)
    rows = [decoder.push([-1 if t < 90 else 4 if t == 90 else 0, token])[1]
            for t, token in enumerate(batch.tokens_N)]  # fmt: skip
    logits_NV = engine.logits(batch)
    assert np.array(rows) == pytest.approx(logits_NV, abs=1e-5 * np.abs(logits_NV).max())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"device": "moon"}, "device must be one that PyTorch finds here, "),
        ({"device": "cuda:99"}, "device must be one that PyTorch finds here, "),
    ],
)
def test_a_device_that_is_not_there_is_named(words: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        open_engine("torch", MODERN, **words)


def test_a_device_that_is_no_processor_is_torch_s_even_by_default() -> None:
    with pytest.raises(UsageError, match="that PyTorch finds here"):
        open_engine("auto", MODERN, device="moon")


def test_large_models_are_drawn_without_a_list_of_numbers() -> None:
    config = GPTConfig(vocab_size=300, n_embd=1024, n_layer=2, block_size=8, n_head=8)
    drawn = model.initial(config, random.Random(1))
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn, model.initial(config, random.Random(1)))
    views = model.views(drawn, config)
    assert views["layer1.mlp_fc2"].std() == pytest.approx(config.init_std, rel=0.01)
    assert (
        abs(np.corrcoef(views["layer0.attn_wq"].ravel(), views["layer1.attn_wq"].ravel())[0, 1])
        < 0.01
    )
