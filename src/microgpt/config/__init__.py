"""The settings of a model and of its training: two frozen dataclasses that check their values.

In: keywords, or a JSON object. Out: `GPTConfig` and `TrainConfig`. The annotation of a field has
its type, bounds and help text: `config.setting` makes checks, flags and help of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from microgpt import schema
from microgpt.config.bounds import ABOVE_0, FROM_0, SHARE, STEPS, Real, Whole
from microgpt.config.setting import check
from microgpt.errors import UsageError

Activation = Literal["relu", "squared-relu"]
ObjectiveName = Literal["cross-entropy", "linear", "quadratic"]
Order = Literal["per-epoch", "once"]
LongDocuments = Literal["window", "cut"]
Position = Literal["learned", "rotary"]
Init = Literal["normal", "fan-in"]
OptimizerName = Literal["adam", "muon"]
MixtureName = Literal["linear", "log-linear"]
Precision = Literal["auto", "float32", "bfloat16", "float64"]

TokenizerName = str
"""One of TOKENIZERS, or the path of a `tokenizer.json` of Hugging Face's tokenizers."""

TOKENIZERS = ("characters", "bytes", "bpe")
"""What is made of the data; only "bpe" has a size to choose."""


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The settings of a model: its shape, and its initial values.

    Raises:
        UsageError: a value outside its domain.

    >>> GPTConfig(vocab_size=27, n_embd=18)
    Traceback (most recent call last):
    microgpt.errors.UsageError: n_embd must be a multiple of n_head; got n_embd=18, n_head=4.
    """

    # Unicode has 1,114,112 code points.
    vocab_size: Annotated[
        int, Whole(1, 2**21), "Number of token ids, BOS (the ends of a document) included."
    ]
    block_size: Annotated[
        int, Whole(1, 2**20), "Context length: the most tokens the model sees at once."
    ] = 16
    n_layer: Annotated[int, Whole(1, 4096), "Number of layers, each of attention and an MLP."] = 1
    n_head: Annotated[int, Whole(1, 2**16), "Attention heads a layer; they share the width."] = 4
    n_embd: Annotated[int, Whole(1, 2**16), "Width: the length of a token's vector."] = 16
    activation: Annotated[Activation, "Activation function of the MLP."] = "relu"
    position: Annotated[
        Position,
        "Position encoding: a learned vector for each position, or rotated queries and keys.",
    ] = "learned"
    qk_norm: Annotated[bool, "Normalise each head's queries and keys (RMSNorm)."] = False
    final_norm: Annotated[bool, "Normalise the input of lm_head (RMSNorm)."] = False
    init: Annotated[
        Init,
        "Initial values: one standard deviation for all; or 1 / sqrt(inputs) in the layers, and 0 "
        "in lm_head.",
    ] = "normal"
    init_std: Annotated[
        float, FROM_0, "Standard deviation of the initial values; with fan-in, of the embeddings."
    ] = 0.08
    zero_init: Annotated[
        bool, "Start each layer's output matrices, attn_wo and mlp_fc2, at zero."
    ] = False

    def __post_init__(self) -> None:
        check(self)
        if self.n_embd % self.n_head:
            raise UsageError(
                "n_embd must be a multiple of n_head; "
                f"got n_embd={self.n_embd}, n_head={self.n_head}."
            )
        if self.position == "rotary" and self.n_embd // self.n_head % 2:
            raise UsageError(
                "n_embd / n_head must be even for rotary positions, which rotate pairs; "
                f"got {self.n_embd} / {self.n_head}."
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings of a training.

    Raises:
        UsageError: a value outside its domain.

    >>> TrainConfig(lr=-1)
    Traceback (most recent call last):
    microgpt.errors.UsageError: lr must be a number above 0; got -1.
    """

    steps: Annotated[int | None, STEPS, "Number of updates of the parameters."] = 1000
    # At most thirty years.
    seconds: Annotated[
        float | None,
        Real(0.0, 1e9, low_open=True),
        "Seconds to train for, in place of steps; with both, whichever ends first.",
    ] = None
    batch_size: Annotated[
        int, Whole(1, 2**20), "Documents a step; each window of a long document counts as one."
    ] = 1
    lr: Annotated[float, ABOVE_0, "Initial learning rate; it falls linearly to 0."] = 0.01
    beta1: Annotated[float, SHARE, "Adam's decay rate of the gradients' mean, a step."] = 0.85
    beta2: Annotated[float, SHARE, "Adam's decay rate of the squared gradients' mean, a step."] = (
        0.99
    )
    eps: Annotated[float, ABOVE_0, "Added to Adam's divisor, so that it is never 0."] = 1e-8
    optimizer: Annotated[
        OptimizerName, "Optimizer of the layers' matrices; Adam updates all other parameters."
    ] = "adam"
    muon_lr: Annotated[float, ABOVE_0, "Muon's initial learning rate; it falls linearly to 0."] = (
        0.02
    )
    momentum: Annotated[float, SHARE, "Muon's decay rate of the gradients' mean, a step."] = 0.95
    weight_decay: Annotated[
        float,
        FROM_0,
        "Weight decay: a step multiplies the layers' matrices by 1 - learning rate * weight decay.",
    ] = 0.0
    dropout: Annotated[
        float, SHARE, "Share of the layers' outputs that a training step sets to 0."
    ] = 0.0
    loss: Annotated[
        ObjectiveName, "Training objective: -log p, 1 - p or (1 - p)^2; -log p is what is reported."
    ] = "cross-entropy"
    models: Annotated[
        int,
        Whole(1, 64),
        "GPTs of this shape to train side by side, one a core; each probability is the mean of "
        "theirs (an ensemble).",
    ] = 1
    # n-grams are numbered in 63 bits: the limit for a vocabulary of two tokens.
    ngram: Annotated[
        int,
        Whole(0, 62),
        "Mix the GPT with counts of n-grams of this length, in tokens, and in long texts with a "
        "cache; 0: do not.",
    ] = 0
    mixture: Annotated[
        MixtureName,
        "How counts are mixed in: a weighted mean of probabilities; or a product of their powers, "
        "with counts of 2 tokens to ngram, for small vocabularies: a lower loss, and more time.",
    ] = "linear"
    holdout: Annotated[
        float, SHARE, "Share of documents held out from training, to measure on."
    ] = 0.1
    seed: Annotated[
        int, Whole(0, 2**63 - 1), "Random seed of the order of documents and the initial values."
    ] = 42
    order: Annotated[Order, "Shuffle the documents again in every epoch, or once."] = "per-epoch"
    long: Annotated[
        LongDocuments, "Documents longer than the block: split into windows, or cut."
    ] = "window"
    precision: Annotated[
        Precision,
        "What the torch engine computes in; with bfloat16, parameters and loss stay in float32. "
        "auto: bfloat16 on a GPU that has it, else float32.",
    ] = "auto"
    accumulate: Annotated[
        int,
        Whole(1, 2**20),
        "Parts in which the torch engine computes a step's batch, one after another, to save "
        "memory; the update is that of the whole batch.",
    ] = 1
    recompute: Annotated[
        bool,
        "Compute each layer again in the backward pass, to save memory (activation checkpointing; "
        "the torch engine).",
    ] = False
    compile: Annotated[
        bool, "Compile the layers, which takes up to a minute (torch.compile; the torch engine)."
    ] = False
    deterministic: Annotated[
        bool,
        "On a GPU, use only operations that give the same numbers again (the torch engine).",
    ] = False
    shard: Annotated[
        bool,
        "Keep a part of each matrix in each of several processes, for models too large for one "
        "device (FSDP2; the torch engine under torchrun).",
    ] = False

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise UsageError("steps or seconds must be given; got neither.")
        check(self)


OF_THE_ENGINE = ("precision", "accumulate", "recompute", "compile", "deterministic", "shard")
"""The settings of a training that say how an engine computes, and but for rounding not what."""

Config = TypeVar("Config", GPTConfig, TrainConfig)


def from_json(kind: type[Config], data: Any, name: str) -> Config:
    """Make a config of a JSON object, which must not have other fields.

    Args:
        kind: the type of config.
        data: the object; missing fields have their defaults.
        name: the object's name in messages.

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


def check_tokenizer(name: TokenizerName, vocab_size: int | None = None) -> None:
    """Raise UsageError unless there can be a tokenizer of this name and size.

    >>> check_tokenizer("bytes", 300)
    Traceback (most recent call last):
    microgpt.errors.UsageError: vocab_size must stand with tokenizer bpe; got bytes.
    """
    if name not in TOKENIZERS and not name.endswith(".json"):
        raise UsageError(
            f"tokenizer must be one of {', '.join(TOKENIZERS)}, or the path of a tokenizer.json; "
            f'got "{name}".'
        )
    if vocab_size is not None:
        if name != "bpe":
            raise UsageError(f"vocab_size must stand with tokenizer bpe; got {name}.")
        check_vocab_size(vocab_size)


def check_vocab_size(value: int) -> None:
    """Raise UsageError unless a BPE may have so many ids: one for each byte, BOS, and more."""
    Whole(257, 2**21).check("vocab_size", value)
