"""What a model is and how it is trained: two frozen records, checked at birth, and from JSON.

In: keywords, or a JSON object. Out: `GPTConfig` and `TrainConfig`. What their numbers may be stands
in `bounds`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from microgpt import schema
from microgpt.config.bounds import Whole, check
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
            check(name, getattr(self, name))
        if self.n_embd % self.n_head:
            raise UsageError(
                "n_embd must be a multiple of n_head; "
                f"got n_embd={self.n_embd}, n_head={self.n_head}."
            )
        check_choice("activation", self.activation, get_args(Activation))
        check_choice("position", self.position, get_args(Position))
        if self.position == "rotary" and self.n_embd // self.n_head % 2:
            raise UsageError(
                "n_embd / n_head must be even for rotary positions, which turn pairs; "
                f"got {self.n_embd} / {self.n_head}."
            )
        check_choice("init", self.init, get_args(Init))
        check("init_std", self.init_std)


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
        for name in ("steps", "seconds"):
            if getattr(self, name) is not None:
                check(name, getattr(self, name))
        for name in ("batch_size", "lr", "beta1", "beta2", "eps", "muon_lr", "momentum"):
            check(name, getattr(self, name))
        check_choice("optimizer", self.optimizer, get_args(OptimizerName))
        for name in ("weight_decay", "dropout", "holdout", "seed"):
            check(name, getattr(self, name))
        if self.ngram:
            check("ngram", self.ngram)
        check_choice("loss", self.loss, get_args(ObjectiveName))
        check_choice("order", self.order, get_args(Order))
        check_choice("long", self.long, get_args(LongDocuments))


Config = TypeVar("Config", GPTConfig, TrainConfig)


def from_json(kind: type[Config], data: Any, name: str) -> Config:
    """Make a config from a JSON object that has no fields but its own.

    Args:
        kind: of config.
        data: the object; what it lacks is as by default.
        name: what a message calls it.

    Raises:
        UsageError: a field is unknown, of another type, or out of its domain.

    >>> from_json(TrainConfig, {"steps": 5}, "training").steps
    5
    """
    config = schema.convert(kind, data, name)
    for other in sorted(data.keys() - {f.name for f in dataclasses.fields(kind)}):
        raise UsageError(f'{kind.__name__} must have its own fields; got one more, "{other}".')
    return config


def check_count(name: str, value: object) -> None:
    """Raise UsageError unless the value is a whole number from 1 that 63 bits can hold."""
    Whole(1, 2**63 - 1).check(name, value)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless the value is one of the choices."""
    if value not in choices:
        raise UsageError(f'{name} must be one of {", ".join(choices)}; got "{value}".')
