"""The ideas that `microgpt why` explains, one a page of `docs/learn`, in the order of the course.

In: an idea's name. Out: the module that explains it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from microgpt.cli.why.subject import Subject

IDEAS = {
    "text": "What does a model read?",
    "counting": "How good is a table of counts, and can gradient descent find it?",
    "parameters": "What is learned, and what are the numbers before learning?",
    "embeddings": "How does a token become numbers, and how does the model know its place?",
    "linear": "What does a matrix do to a vector?",
    "rmsnorm": "Why is a vector divided by its size?",
    "attention": "How does a position read the ones before it?",
    "mlp": "What is computed at each position by itself?",
    "residual": "How do the parts work together?",
    "softmax": "How do arbitrary numbers become probabilities?",
    "loss": "How wrong was a prediction?",
    "gradient": "Which way should each number move?",
    "adam": "How far should each number move?",
    "training": "What happens in a thousand steps?",
    "sampling": "How does a model write?",
    "good-loss": "Is this loss good?",
    "tensors": "Why do three engines compute the same?",
}
"""The question of each idea."""


class Idea(Protocol):
    """A module that explains an idea."""

    def example(self) -> None:
        """Print the idea on numbers that a reader can check by hand."""
        ...

    def numbers(self, on: Subject) -> dict[str, Any]:
        """Return the idea's numbers on a run and a text, ready for JSON."""
        ...

    def tell(self, numbers: dict[str, Any]) -> None:
        """Print these numbers: first what they are, then one or two sentences on what they show."""
        ...


def idea(name: str) -> Idea:
    """Load the module of an idea."""
    return cast(Idea, import_module(f"microgpt.cli.why.{name.replace('-', '_')}"))
