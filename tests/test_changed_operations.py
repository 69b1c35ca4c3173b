"""The model without one of its parts: what an engine computes with a changed operation."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from microgpt import model as gpt
from microgpt.config import GPTConfig
from microgpt.data.plan import Plan
from microgpt.engines import has_torch, open_engine
from microgpt.engines.compute import Compute
from microgpt.engines.contract import Engine
from microgpt.errors import UsageError
from microgpt.experiment import changes
from microgpt.experiment.changes import Changed
from microgpt.inside.operations import ArrayOps

from .conftest import laid_out, opened

CHANGES = [value for value in vars(changes).values() if isinstance(value, type)]
CHANGES = [kind for kind in CHANGES if issubclass(kind, Changed) and kind is not Changed]
CONFIG = GPTConfig(vocab_size=7, block_size=6, n_layer=1, n_head=2, n_embd=4)
# Lengths so unlike that attention needs two rectangles, one of them padded.
BATCH = laid_out([[4], [0, 3, 1, 2, 5], [], [1]], bos=6, block_size=6)


def exact(name: str, change: Any) -> Engine:
    """An engine in float64."""
    compute = Compute(precision="float64") if name == "torch" else None
    return opened(name, CONFIG, threads=1, compute=compute, change=change)


@pytest.mark.skipif(not has_torch(), reason="PyTorch is not installed")
@pytest.mark.parametrize("change", CHANGES)
def test_torch_learns_without_a_part_what_the_scalar_engine_does(change: Any) -> None:
    scalar, torch = (exact(name, change) for name in ("scalar", "torch"))
    assert torch.losses(BATCH) == pytest.approx(scalar.losses(BATCH), abs=1e-6)
    assert torch.logits(BATCH) == pytest.approx(scalar.logits(BATCH), abs=1e-6)
    theirs = torch.gradients(BATCH)
    for name, gradient in scalar.gradients(BATCH).items():
        assert theirs[name] == pytest.approx(gradient, abs=1e-6), name
    for engine in (scalar, torch):
        engine.train(Plan(BATCH, batch_size=4).batches(0, 2), np.full(2, 0.01))
    assert torch.losses(BATCH) == pytest.approx(scalar.losses(BATCH), abs=1e-6)


class ByHand(ArrayOps):
    """Operations in numpy, each changed as its test says."""

    def __init__(self, **others: Callable[..., Any]) -> None:
        for name, operation in others.items():
            setattr(self, name, operation)


def attended(shares: Callable[[Any], Any], scale: float = 1.0) -> Callable[..., Any]:
    """Attention in numpy by a function from scores_HTT, q k / sqrt(K), to shares."""

    def attention(q_TD: Any, k_TD: Any, v_TD: Any, n_head: int, memory: Any) -> Any:
        q, k, v = (np.reshape(x, (len(x), n_head, -1)) for x in (q_TD, k_TD, v_TD))
        scores_HTT = scale * np.einsum("thk,shk->hts", q, k) / q.shape[2] ** 0.5
        return np.einsum("hts,shk->thk", shares(scores_HTT), v).reshape(q_TD.shape)

    return attention


def softmax(scores: Any) -> Any:
    shares = np.exp(scores)
    return shares / shares.sum(axis=2, keepdims=True)


def causal(scores: Any) -> Any:
    return softmax(np.where(np.tri(scores.shape[1]) > 0, scores, -np.inf))


def even(scores: Any) -> Any:
    T = scores.shape[1]
    return np.broadcast_to(np.tri(T) / np.arange(1, T + 1)[:, None], scores.shape)


K = CONFIG.n_embd // CONFIG.n_head
BY_HAND = {
    changes.NoNorm: {"rmsnorm": lambda x, groups=1: x},
    changes.NoPositions: {"embed": lambda tokens, wte, wpe, start: wte[np.asarray(tokens)]},
    changes.EvenShares: {"causal_attention": attended(even)},
    changes.ItselfAlone: {"causal_attention": lambda q, k, v, n_head, memory: v},
    changes.NoMask: {"causal_attention": attended(softmax)},
    changes.NoDivision: {"causal_attention": attended(causal, scale=K**0.5)},
    changes.NoMLP: {"relu": lambda x, squared: np.zeros_like(x)},
    changes.NoRelu: {"relu": lambda x, squared: x},
    changes.NoAddition: {"add": lambda x, y: y},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_model_without_a_part_is_what_numpy_says(change: Any) -> None:
    engine = exact("scalar", change)
    weights = gpt.views(engine.state().parameters, CONFIG)
    expected = [
        gpt.gpt(ByHand(**BY_HAND[change]), CONFIG, weights, BATCH.document(d)[0].tolist())
        for d in range(len(BATCH))
    ]
    assert engine.logits(BATCH) == pytest.approx(np.concatenate(expected), abs=1e-10)
    whole = exact("scalar", lambda ops: ops)
    assert np.abs(engine.logits(BATCH) - whole.logits(BATCH)).max() > 1e-3


def test_numpy_s_attention_is_the_engine_s() -> None:
    """What the test above changes is right where nothing is changed."""
    engine = opened("scalar", CONFIG)
    weights = gpt.views(engine.state().parameters, CONFIG)
    tokens = BATCH.document(1)[0].tolist()
    ops = ByHand(causal_attention=attended(causal))
    mine = gpt.gpt(ops, CONFIG, weights, tokens)
    assert mine == pytest.approx(engine.logits(BATCH.take(np.array([1]))), abs=1e-10)


@pytest.mark.parametrize(
    ("change", "idle"),
    [
        (changes.EvenShares, ("attn_wq", "attn_wk")),
        (changes.ItselfAlone, ("attn_wq", "attn_wk")),
        (changes.NoMLP, ("mlp_fc1", "mlp_fc2")),
        (changes.NoPositions, ("wpe",)),
    ],
)
def test_what_is_not_used_does_not_learn(change: Any, idle: tuple[str, ...]) -> None:
    for name, gradient in exact("scalar", change).gradients(BATCH).items():
        assert gradient.any() != name.endswith(idle), name


@pytest.mark.parametrize("name", ["scalar", "torch"])
def test_a_decoder_has_the_engine_s_operations(name: str) -> None:
    if name == "torch" and not has_torch():
        pytest.skip("PyTorch is not installed")
    engine = exact(name, changes.NoNorm)
    batch = BATCH.take(np.array([1]))
    tokens = batch.tokens_N.tolist()
    decoder = engine.decoder(1)
    read = np.concatenate([decoder.push([token]) for token in tokens])
    assert read == pytest.approx(engine.logits(batch), abs=1e-9)


def test_the_native_engine_and_several_processes_have_no_changed_operations() -> None:
    with pytest.raises(UsageError, match=r"^changed operations need .*; got native\.$"):
        open_engine("native", CONFIG, change=changes.NoNorm)
    several: Any = SimpleNamespace(rank=0, world=2)
    with pytest.raises(UsageError, match=r"^changed operations need .*; got torch\.$"):
        open_engine("auto", CONFIG, change=changes.NoNorm, ranks=several)
    automatic = open_engine("auto", CONFIG, change=changes.NoNorm)
    assert automatic.name == ("torch" if has_torch() else "scalar")
