"""What a model is and how it is trained: two frozen records, checked at birth, to and from JSON.

In: keywords, or a JSON object. Out: `GPTConfig` and `TrainConfig`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from microgpt.errors import UsageError

Activation = Literal["relu", "squared-relu"]
ObjectiveName = Literal["cross-entropy", "linear", "quadratic"]
Order = Literal["per-epoch", "once"]
LongDocuments = Literal["window", "cut"]
Position = Literal["learned", "rotary"]
Init = Literal["normal", "fan-in"]
OptimizerName = Literal["adam", "muon"]


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The shape of a model and the spread of its first numbers.

    Args:
        vocab_size: V, token ids, BOS included.
        block_size: T, the most positions the model sees at once.
        n_layer: L, blocks of attention and MLP.
        n_head: H, attention heads; divides n_embd.
        n_embd: D, the width.
        activation: of the MLP, "relu" or "squared-relu".
        position: how a token's place is told: "learned", a row of numbers for each place, added to
            the token's; or "rotary", queries and keys turned by angles that grow with the place.
        qk_norm: whether each head's queries and keys pass through an RMSNorm.
        final_norm: whether what enters lm_head does.
        init: where the numbers start: "normal", all N(0, init_std); or "fan-in", the weights of the
            layers N(0, 1/in), lm_head at zero, the embeddings N(0, init_std).
        init_std: the standard deviation of the initial numbers.
        zero_init: whether attn_wo and mlp_fc2 start at zero.

    Raises:
        UsageError: a value outside its domain.

    >>> GPTConfig(vocab_size=27, n_embd=18)
    Traceback (most recent call last):
    microgpt.errors.UsageError: n_embd must be a multiple of n_head; got n_embd=18, n_head=4.
    """

    vocab_size: int
    block_size: int = 16
    n_layer: int = 1
    n_head: int = 4
    n_embd: int = 16
    activation: Activation = "relu"
    position: Position = "learned"
    qk_norm: bool = False
    final_norm: bool = False
    init: Init = "normal"
    init_std: float = 0.08
    zero_init: bool = False

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            check_count(name, getattr(self, name))
        if self.n_embd % self.n_head:
            raise UsageError(
                "n_embd must be a multiple of n_head; "
                f"got n_embd={self.n_embd}, n_head={self.n_head}."
            )
        check_choice("activation", self.activation, ("relu", "squared-relu"))
        check_choice("position", self.position, ("learned", "rotary"))
        if self.position == "rotary" and self.n_embd // self.n_head % 2:
            raise UsageError(
                "n_embd / n_head must be even for rotary positions, which turn pairs; "
                f"got {self.n_embd} / {self.n_head}."
            )
        check_choice("init", self.init, ("normal", "fan-in"))
        _check_range("init_std", self.init_std, 0.0, math.inf)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained.

    Args:
        steps: updates of the parameters; None: as many as fit in `seconds`.
        seconds: the time budget; None: no limit. With both, whichever ends first.
        batch_size: documents (or windows of long ones) a step.
        lr: the learning rate at the start; it falls linearly to 0.
        beta1, beta2, eps: Adam's.
        optimizer: of the layers' matrices: "adam", or "muon", whose updates turn and never stretch;
            everything else is Adam's.
        muon_lr: Muon's learning rate at the start; it falls as lr does.
        momentum: Muon's.
        weight_decay: how fast the layers' matrices shrink, times their learning rate, a step.
        dropout: the share of what attention and the hidden layer hand on that training leaves out.
        loss: what is pushed down: "cross-entropy", "linear" or "quadratic".
        ngram: mix the model with counts of so many tokens in a row; 0: with none.
        holdout: the share of documents kept away from training, in [0, 1).
        seed: of the order of the documents and the initial numbers.
        order: whether documents are shuffled anew "per-epoch" or "once".
        long: whether documents longer than the block are trained on in windows or cut.

    Raises:
        UsageError: a value outside its domain.

    >>> TrainConfig(lr=-1)
    Traceback (most recent call last):
    microgpt.errors.UsageError: lr must be a number above 0; got -1.
    """

    steps: int | None = 1000
    seconds: float | None = None
    batch_size: int = 1
    lr: float = 0.01
    beta1: float = 0.85
    beta2: float = 0.99
    eps: float = 1e-8
    optimizer: OptimizerName = "adam"
    muon_lr: float = 0.02
    momentum: float = 0.95
    weight_decay: float = 0.0
    dropout: float = 0.0
    loss: ObjectiveName = "cross-entropy"
    ngram: int = 0
    holdout: float = 0.1
    seed: int = 42
    order: Order = "per-epoch"
    long: LongDocuments = "window"

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise UsageError("steps or seconds must be given; got neither.")
        if self.steps is not None:
            check_count("steps", self.steps)
        if self.seconds is not None:
            _check_range("seconds", self.seconds, 0.0, math.inf, low_open=True)
        check_count("batch_size", self.batch_size)
        _check_range("lr", self.lr, 0.0, math.inf, low_open=True)
        _check_range("beta1", self.beta1, 0.0, 1.0)
        _check_range("beta2", self.beta2, 0.0, 1.0)
        _check_range("eps", self.eps, 0.0, math.inf, low_open=True)
        check_choice("optimizer", self.optimizer, ("adam", "muon"))
        _check_range("muon_lr", self.muon_lr, 0.0, math.inf, low_open=True)
        _check_range("momentum", self.momentum, 0.0, 1.0)
        _check_range("weight_decay", self.weight_decay, 0.0, math.inf)
        _check_range("dropout", self.dropout, 0.0, 1.0)
        if self.ngram:
            check_count("ngram", self.ngram)
        _check_range("holdout", self.holdout, 0.0, 1.0)
        if self.seed < 0:
            raise UsageError(f"seed must be a whole number from 0; got {self.seed}.")
        check_choice("loss", self.loss, ("cross-entropy", "linear", "quadratic"))
        check_choice("order", self.order, ("per-epoch", "once"))
        check_choice("long", self.long, ("window", "cut"))


Config = TypeVar("Config", GPTConfig, TrainConfig)


def from_json(kind: type[Config], data: Mapping[str, Any]) -> Config:
    """Make a config from a JSON object that has all its fields and no others.

    Raises:
        UsageError: a field is missing, unknown, or out of its domain.

    >>> from_json(TrainConfig, {**dataclasses.asdict(TrainConfig()), "steps": 5}).steps
    5
    """
    expected = {f.name for f in dataclasses.fields(kind)}
    for name in sorted(expected.symmetric_difference(data)):
        got = "none" if name in expected else "one more"
        raise UsageError(f'{kind.__name__} must have its own fields; got {got}, "{name}".')
    return kind(**data)


def check_count(name: str, value: object) -> None:
    """Raise UsageError unless the value is a whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name} must be a whole number from 1; got {value}.")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless the value is one of the choices."""
    if value not in choices:
        raise UsageError(f'{name} must be one of {", ".join(choices)}; got "{value}".')


def _check_range(
    name: str, value: float, low: float, high: float, *, low_open: bool = False
) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)  # pyright: ignore
    if not number or not (low < value if low_open else low <= value) or not value < high:
        bounds = f"in {'(' if low_open else '['}{low:g}, {high:g})"
        if high == math.inf:
            bounds = f"a number {'above' if low_open else 'from'} {low:g}"
        raise UsageError(f"{name} must be {bounds}; got {value}.")
