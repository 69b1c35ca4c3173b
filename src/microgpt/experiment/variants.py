"""The variants that each idea of the course is tried on: "without RMSNorm: what happens?"

In: documents and settings. Out: for each idea the variants to train, with what differs: settings,
an operation, the tokenizer, the number of documents, the engine. `attempt` trains and measures one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from microgpt.engines import ENGINES, has_torch, why_not_native
from microgpt.experiment import changes, measures
from microgpt.experiment.base import Base, plain
from microgpt.experiment.measures import Measure
from microgpt.model.operations import Change, unchanged
from microgpt.wording import count


@dataclass(frozen=True, eq=False)
class Variant:
    """A training that differs from the recipe.

    Attributes:
        label: what differs, in words.
        model: changed settings of the model.
        training: changed settings of the training.
        change: makes other operations of an engine's.
        tokenizer: the name of another tokenizer; "": the same.
        vocab_size: how many ids it has.
        documents: how many documents it trains on; None: all.
        engine: the only one to compute it with; "": any.
        measure: what is measured at its end.
        begins: whether the rows from here on are compared with this one, not with the first.
    """

    label: str
    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    change: Change = unchanged
    tokenizer: str = ""
    vocab_size: int | None = None
    documents: int | None = None
    engine: str = ""
    measure: Measure = measures.losses
    begins: bool = False


Variants = Iterator[Variant]


@dataclass(frozen=True)
class Comparison:
    """The experiment of an idea.

    Attributes:
        variants: what is trained; the others are compared with the first.
        columns: what is measured, in the order of the table.
        compared: the column whose difference from the first row is shown; "": none.
        spread: the columns with the least and the most of several seeds; others have medians.
        changes: whether some variants change an operation.
        decimals: of the losses.
    """

    variants: Callable[[Base], Variants]
    columns: Sequence[str] = ("step 1", "training", "held out")
    compared: str = "held out"
    spread: Sequence[str] = ("held out",)
    changes: bool = False
    decimals: int = 3


def _text(base: Base) -> Variants:
    for name in ("characters", "bytes"):
        yield Variant(name, tokenizer=name, measure=measures.in_bytes)
    if find_spec("tokenizers"):
        how = measures.in_bytes
        yield Variant("bpe, 500 ids", tokenizer="bpe", vocab_size=500, measure=how)


def _parameters(base: Base) -> Variants:
    for value in _first(base.config.init_std, 0.0, 0.02, 0.08, 0.5, 2.0):
        yield Variant(f"init_std {value:g}", {"init_std": value})


def _embeddings(base: Base) -> Variants:
    for value in _first(base.config.position, "learned", "rotary"):
        yield Variant(f"{value} positions", {"position": value})
    yield Variant("no positions", {"position": "learned"}, change=changes.NoPositions)


def _linear(base: Base) -> Variants:
    for value in _first(base.config.n_embd, 4, 8, 16, 32, 64):
        yield Variant(f"n_embd {value}", {"n_embd": value})


def _rmsnorm(base: Base) -> Variants:
    yield from _shallow_and_deep("without RMSNorm", changes.NoNorm)


def _attention(base: Base) -> Variants:
    yield Variant(f"as it is, {count(base.config.n_head, 'head')}")
    yield Variant("even shares of all earlier values", change=changes.EvenShares)
    yield Variant("each position its own value alone", change=changes.ItselfAlone)
    for value in _first(base.config.n_head, 1, 2, 4, 8)[1:]:
        yield Variant(count(value, "head"), {"n_head": value})
    yield Variant("without the mask", change=changes.NoMask, measure=measures.with_the_mask_too)
    yield Variant("without the division by sqrt(K)", change=changes.NoDivision)


def _mlp(base: Base) -> Variants:
    for value in _first(base.config.activation, "relu", "squared-relu"):
        yield Variant(f"with {value}", {"activation": value})
    yield Variant("without relu", change=changes.NoRelu)
    yield Variant("without the MLP", change=changes.NoMLP)


def _residual(base: Base) -> Variants:
    yield from _shallow_and_deep("without the additions", changes.NoAddition)


def _adam(base: Base) -> Variants:
    for rate in _first(base.training.lr, 0.001, 0.01, 0.1, 1.0):
        yield Variant(f"Adam, rate {rate:g}", training={"optimizer": "adam", "lr": rate})
    for rate in (0.1, 1.0, 3.0, 10.0):
        how = vars(plain(base.training, rate))
        yield Variant(f"plain gradient descent, rate {rate:g}", training=how)
    for rate in (0.002, 0.02, 0.2):
        yield Variant(f"Muon, rate {rate:g}", training={"optimizer": "muon", "muon_lr": rate})


def _training(base: Base) -> Variants:
    size, rate = base.training.batch_size, base.training.lr
    documents = (base.training.steps or 1) * size
    for value in _first(size, 1, 4, 16, 64):
        how = {"batch_size": value, "steps": max(documents // value, 1)}
        yield Variant(f"batch_size {value}, {count(how['steps'], 'step')}", training=how)
    for value in _first(rate, 0.0001, 0.001, 0.01, 0.1, 1.0)[1:]:
        yield Variant(f"batch_size {size}, lr {value:g}", training={"lr": value})


def _sampling(base: Base) -> Variants:
    yield Variant("", measure=measures.at_temperatures)


def _good_loss(base: Base) -> Variants:
    all_of_them = len(base.dataset.train_documents)
    for value in (None, 100, 1000, 10_000):
        if value is None or value < all_of_them:
            label = count(value or all_of_them, "document")
            yield Variant(label, documents=value, measure=measures.beside_counts)


def _tensors(base: Base) -> Variants:
    missing = {"native": bool(why_not_native()), "torch": not has_torch()}
    for name in ENGINES:
        if not missing.get(name):
            how = {"steps": min(base.training.steps or 1, 100), "batch_size": 1}
            yield Variant(name, training=how, engine=name, measure=measures.along)


def _shallow_and_deep(label: str, change: Change) -> Variants:
    for layers in (1, 4):
        words = count(layers, "layer")
        yield Variant(words, {"n_layer": layers}, begins=True)
        yield Variant(f"{words}, {label}", {"n_layer": layers}, change=change)


def _first(own: Any, *values: Any) -> list[Any]:
    """Return the recipe's own value, then the others."""
    return [own, *(value for value in values if value != own)]


COMPARISONS: dict[str, Comparison] = {
    "text": Comparison(
        _text, ("ids", "bytes a token", "held out", "bits a byte"), "bits a byte", ("bits a byte",)
    ),
    "parameters": Comparison(_parameters),
    "embeddings": Comparison(_embeddings, changes=True),
    "linear": Comparison(_linear),
    "rmsnorm": Comparison(_rmsnorm, changes=True),
    "attention": Comparison(_attention, changes=True),
    "mlp": Comparison(_mlp, changes=True),
    "residual": Comparison(_residual, changes=True),
    "adam": Comparison(_adam),
    "training": Comparison(_training),
    "sampling": Comparison(
        _sampling, ("loss", "in the data", "distinct"), "", ("loss", "in the data", "distinct")
    ),
    "good-loss": Comparison(_good_loss, ("training", "held out", "n-grams")),
    "tensors": Comparison(
        _tensors, ("step 1", "step 10", "step 100", "ms a step"), "", ("ms a step",), decimals=9
    ),
}
"""The experiments by the ideas' names."""
