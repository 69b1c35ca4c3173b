"""The loss without logits: against torch's cross-entropy of the logits, and our definition."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from microgpt import cross_entropy
from microgpt.engines import has_torch
from microgpt.errors import UsageError
from microgpt.loss import OBJECTIVES
from tests.conftest import REQUIRED

if not has_torch() and "torch" not in REQUIRED:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from microgpt.torch import linear_cross_entropy

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
N, D, V = 7, 5, 11
# Bytes of a tile: all at once; one position, a few tokens; a number at a time.
CHUNKS = [1 << 26, 100, 8]


def layer(dtype: torch.dtype = torch.float64, device: str = "cpu", seed: int = 0) -> Any:
    """Return hidden, weight, bias, targets, of which one is ignored."""
    rng = torch.Generator().manual_seed(seed)
    shapes = (N, D), (V, D), (V,)
    hidden, weight, bias = (
        torch.randn(*shape, generator=rng, dtype=torch.float64).to(device, dtype).requires_grad_()
        for shape in shapes
    )
    targets = torch.randint(0, V, (N,), generator=rng).to(device)
    targets[2] = -100
    return hidden, weight, bias, targets


def by_logits(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, bias: Tensor | None, reduction: str,
    label_smoothing: float, class_weights: Tensor | None, softcap: float | None, z_loss: float,
) -> Tensor:  # fmt: skip
    """Compute the same of all logits, by torch's own function."""
    z = hidden @ weight.T + (0.0 if bias is None else bias)
    z = softcap * torch.tanh(z / softcap) if softcap else z
    counted = targets != -100
    losses = F.cross_entropy(
        z, targets, weight=class_weights, reduction="none", label_smoothing=label_smoothing
    )
    losses = losses + counted.double() * z_loss * torch.logsumexp(z, 1) ** 2
    if reduction == "none":
        return losses
    each = counted if class_weights is None else class_weights[targets.clamp(0)] * counted
    return losses.sum() / (each.sum() if reduction == "mean" else 1.0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_and_gradients_are_those_of_the_logits(
    reduction: Any, chunk: int, device: str
) -> None:
    options = itertools.product(
        [0.0, 0.1, 1.0], [None, 3.0], [0.0, 0.01], [False, True], [False, True]
    )
    for seed, (smoothing, cap, z_loss, with_bias, with_classes) in enumerate(options):
        hidden, weight, bias, targets = layer(device=device, seed=seed)
        bias = bias if with_bias else None
        # The first class, which some targets are of, counts nothing.
        classes = None
        if with_classes:
            classes = torch.linspace(0, 2, V, dtype=torch.float64, device=device)
            targets[0] = 0
        said = {"reduction": reduction, "label_smoothing": smoothing, "softcap": cap}
        expected = by_logits(
            hidden, weight, targets, bias=bias, class_weights=classes, z_loss=z_loss, **said
        )
        found = linear_cross_entropy(
            hidden, weight, targets, bias_V=bias, class_weights_V=classes, z_loss=z_loss,
            chunk_bytes=chunk, **said,
        )  # fmt: skip
        assert torch.allclose(found, expected, rtol=1e-12), said
        inputs = [x for x in (hidden, weight, bias) if x is not None]
        upstream = torch.randn_like(expected)
        for ours, theirs in zip(
            torch.autograd.grad(found, inputs, upstream),
            torch.autograd.grad(expected, inputs, upstream),
        ):
            assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12), said


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_position_costs_what_our_definition_says(chunk: int) -> None:
    hidden, weight, _, targets = layer()
    losses, found = linear_cross_entropy(
        hidden, weight, targets, reduction="none", chunk_bytes=chunk, statistics=True
    )
    logits = (hidden @ weight.T).tolist()
    for n, (row, target) in enumerate(zip(logits, targets.tolist())):
        if target == -100:
            assert not any(float(x[n]) for x in vars(found).values())
            assert float(losses.detach()[n]) == 0.0
            continue
        nats, _ = cross_entropy(row, target)
        each = [cross_entropy(row, token)[0] for token in range(V)]
        assert float(losses.detach()[n]) == pytest.approx(nats, rel=1e-13)
        assert float(found.nats_N[n]) == pytest.approx(nats, rel=1e-13)
        entropy = math.fsum(math.exp(-loss) * loss for loss in each)
        assert float(found.entropy_N[n]) == pytest.approx(entropy, rel=1e-12)
        assert float(found.log_sum_exp_N[n]) == pytest.approx(nats + row[target], rel=1e-12)
        assert bool(found.hit_N[n]) == (row.index(max(row)) == target)
    assert found.sum.positions == N - 1
    assert found.sum.nats == pytest.approx(float(losses.detach().sum()), rel=1e-13)
    assert found.accuracy == pytest.approx(int(found.hit_N.sum()) / (N - 1))


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_is_the_one_of_the_loss_room(name: Any, reduction: Any) -> None:
    hidden, weight, _, targets = layer()
    targets[2] = 1
    losses = linear_cross_entropy(
        hidden, weight, targets, objective=name, reduction=reduction, chunk_bytes=100
    )
    nats = F.cross_entropy(hidden @ weight.T, targets, reduction="none")
    value = {"cross-entropy": nats, "linear": 1 - torch.exp(-nats),
             "quadratic": (1 - torch.exp(-nats)) ** 2}[name]  # fmt: skip
    assert float(losses.detach().sum()) == pytest.approx(float(value.detach().sum()), rel=1e-12)
    assert float(value.detach()[0]) == pytest.approx(
        OBJECTIVES[name].value(float(nats.detach()[0])), rel=1e-12
    )
    (ours,) = torch.autograd.grad(losses.sum(), weight)
    (theirs,) = torch.autograd.grad(value.sum(), weight)
    assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_gradients_are_those_of_finite_differences(chunk: int) -> None:
    hidden, weight, bias, targets = layer()

    def loss(*inputs: Tensor) -> Tensor:
        return linear_cross_entropy(
            inputs[0], inputs[1], targets, bias_V=inputs[2], softcap=2.0, z_loss=0.1,
            label_smoothing=0.2, reduction="none", chunk_bytes=chunk,
        )  # fmt: skip

    assert torch.autograd.gradcheck(loss, (hidden, weight, bias), fast_mode=True)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_frozen_has_no_gradient(reduction: Any) -> None:
    hidden, weight, bias, targets = layer()
    for frozen in (hidden, weight, bias):
        for x in (hidden, weight, bias):
            x.grad = None
            x.requires_grad_(x is not frozen)
        linear_cross_entropy(
            hidden, weight, targets, bias_V=bias, reduction=reduction
        ).sum().backward()
        assert [x.grad is None for x in (hidden, weight, bias)] == [
            x is frozen for x in (hidden, weight, bias)
        ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("n", [0, 3])
def test_where_all_is_ignored_loss_and_gradients_are_0(reduction: Any, n: int) -> None:
    hidden, weight, bias, _ = layer()
    hidden = hidden[:n]
    loss, found = linear_cross_entropy(
        hidden, weight, torch.full((n,), -100), bias_V=bias, reduction=reduction, z_loss=0.1,
        label_smoothing=0.1, statistics=True,
    )  # fmt: skip
    assert float(loss.detach().sum()) == 0.0
    assert (found.sum.nats, found.sum.positions) == (0.0, 0)
    assert math.isnan(found.accuracy)
    for gradient in torch.autograd.grad(loss.sum(), (weight, bias)):
        assert not gradient.any()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_an_ignored_position_holds_does_not_matter(reduction: Any) -> None:
    hidden, weight, bias, targets = layer()
    others = hidden.detach().clone()
    others[2] = torch.nan
    others.requires_grad_()
    made = []
    for x in (hidden, others):
        loss = linear_cross_entropy(x, weight, targets, bias_V=bias, reduction=reduction)
        made.append((loss, *torch.autograd.grad(loss.sum(), (x, weight, bias))))
    assert all(torch.equal(a, b) for a, b in zip(*made))
    assert not made[1][1][2].any()


@pytest.mark.parametrize("chunk", CHUNKS)
def test_logits_of_any_size_are_no_nan(chunk: int) -> None:
    weight = torch.tensor([[1e4], [-1e4], [0.0]])
    hidden = torch.tensor([[1.0], [1.0], [-3.0]], requires_grad=True)
    losses = linear_cross_entropy(
        hidden, weight, torch.tensor([0, 1, 2]), reduction="none", chunk_bytes=chunk
    )
    assert losses.tolist() == [0.0, 2e4, 3e4]
    losses.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()
    # A token that a bias makes impossible.
    bias = torch.tensor([0.0, -torch.inf, 0.0])
    losses = linear_cross_entropy(
        torch.zeros(2, 1), weight, torch.tensor([0, 1]), bias_V=bias, reduction="none",
        chunk_bytes=chunk,
    )  # fmt: skip
    assert losses.tolist() == [pytest.approx(math.log(2.0)), math.inf]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chunk", [1 << 26, 4096])
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_numbers_of_16_and_32_bits_are_near_those_of_64(
    dtype: torch.dtype, chunk: int, reduction: Any, device: str
) -> None:
    rng = torch.Generator().manual_seed(1)
    hidden, weight = (
        torch.randn(n, 16, generator=rng).to(device, dtype).requires_grad_() for n in (300, 50)
    )
    targets = torch.randint(0, 50, (300,), generator=rng).to(device)
    exact = [x.detach().double().requires_grad_() for x in (hidden, weight)]
    truth = F.cross_entropy(exact[0] @ exact[1].T, targets, reduction="sum")
    loss = linear_cross_entropy(hidden, weight, targets, reduction=reduction, chunk_bytes=chunk)
    assert loss.dtype == torch.float32
    # On a processor the inputs alone are rounded; on a GPU products of 16 bits are, too.
    hair = 1e-5 if device == "cpu" or dtype == torch.float32 else 1e-2
    assert float(loss.detach().sum()) == pytest.approx(float(truth.detach()), rel=hair)
    truth.backward()
    loss.sum().backward()
    for ours, theirs in zip((hidden, weight), exact):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert ours.grad.dtype == dtype
        scale = float(theirs.grad.abs().max())
        error = float((ours.grad.double() - theirs.grad).abs().max())
        assert error < scale * max(float(torch.finfo(dtype).eps), hair)


def test_under_autocast_it_casts_as_a_linear_layer() -> None:
    hidden, weight, _, targets = layer(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(hidden, weight, targets, reduction="none")
    rounded = linear_cross_entropy(hidden.bfloat16(), weight.bfloat16(), targets, reduction="none")
    assert loss.dtype == torch.float32
    assert torch.equal(loss, rounded)
    loss.sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


class Sizes(TorchDispatchMode):
    """Notes the largest tensor that an operation returns, in numbers."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(one, Tensor):
                self.largest = max(self.largest, one.numel())
        return result


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_tensor_is_as_large_as_the_logits(dtype: torch.dtype, reduction: Any) -> None:
    hidden, weight = torch.randn(2000, 8).to(dtype), torch.randn(3000, 8).to(dtype)
    inputs = hidden.requires_grad_(), weight.requires_grad_()
    with Sizes() as sizes:
        loss = linear_cross_entropy(
            *inputs, torch.zeros(2000).long(), reduction=reduction, chunk_bytes=1 << 20
        )
        loss.sum().backward()
    assert sizes.largest <= (1 << 20) // 4


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_second_derivative_and_a_second_backward_are_refused(chunk: int) -> None:
    hidden, weight, _, targets = layer()
    for reduction in ("mean", "sum", "none"):
        loss = linear_cross_entropy(hidden, weight, targets, reduction=reduction, chunk_bytes=chunk)
        with pytest.raises(UsageError, match="must go backward without create_graph"):
            torch.autograd.grad(loss.sum(), weight, create_graph=True)
    loss = linear_cross_entropy(hidden, weight, targets, chunk_bytes=chunk)
    loss.backward(retain_graph=True)
    with pytest.raises(UsageError, match="can go backward once"):
        loss.backward()
    losses = linear_cross_entropy(hidden, weight, targets, reduction="none", chunk_bytes=chunk)
    first, again = (
        torch.autograd.grad(losses.sum(), weight, retain_graph=True)[0] for _ in range(2)
    )
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"targets_N": torch.tensor([0, 1, 11])}, "target at position 2 must be in [0, 11), or "
         "ignore_index=-100; got 11."),
        ({"targets_N": torch.tensor([0, -1, 1])}, "target at position 1 must be in [0, 11), or "
         "ignore_index=-100; got -1."),
        ({"targets_N": torch.tensor([0, 1])}, "targets must be N = 3 whole numbers; got (2,) of "
         "torch.int64."),
        ({"targets_N": torch.zeros(3)}, "targets must be N = 3 whole numbers; got (3,) of "
         "torch.float32."),
        ({"hidden_ND": torch.zeros(3, 4)}, "hidden and weight must be (N, D) and (V, D); got "
         "(3, 4) and (11, 5)."),
        ({"hidden_ND": torch.zeros(3, 5).bfloat16()}, "hidden and weight must be of one "
         "floating-point type; got torch.bfloat16 and torch.float32."),
        ({"bias_V": torch.zeros(5)}, "bias must be (V,) = (11,); got (5,)."),
        ({"class_weights_V": torch.zeros(2, 2)}, "class_weights must be (V,) = (11,); got (2, 2)."),
        ({"bias_V": torch.zeros(11, device="meta")}, "bias must be on hidden's device, cpu; got "
         "meta."),
        ({"reduction": "avg"}, 'reduction must be one of mean, sum, none; got "avg".'),
        ({"objective": "hinge"}, "objective must be one of cross-entropy, linear, quadratic; got "
         '"hinge".'),
        ({"label_smoothing": 1.5}, "label_smoothing must be in [0, 1]; got 1.5."),
        ({"targets_N": torch.zeros(3).bool()}, "targets must be N = 3 whole numbers; got (3,) of "
         "torch.bool."),
        ({"label_smoothing": 0.1, "objective": "linear"}, "label_smoothing must be 0 with the "
         "objective linear."),
        ({"softcap": 0.0}, "softcap must be a number above 0; got 0."),
        ({"z_loss": math.nan}, "z_loss must be a number from 0; got nan."),
        ({"chunk_bytes": 0}, "chunk_bytes must be a whole number from 1; got 0."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(change: dict[str, Any], text: str) -> None:
    usual = {"hidden_ND": torch.zeros(3, 5), "weight_VD": torch.zeros(11, 5),
             "targets_N": torch.tensor([0, 1, 2])}  # fmt: skip
    with pytest.raises(UsageError) as caught:
        linear_cross_entropy(**{**usual, **change})
    assert str(caught.value) == text
