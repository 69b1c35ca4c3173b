"""The loss on tensors: for the torch engine, and in other people's models.

In: what the last layer of a model reads and its matrix. Out: the cross-entropy of a large
vocabulary without its logits. It needs PyTorch (`pip install 'microgpt-lm[torch]'`).
"""

from __future__ import annotations

from importlib.util import find_spec

from microgpt.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra(
        "microgpt.torch needs PyTorch, which is not installed. "
        "Try: pip install 'microgpt-lm[torch]'"
    )

from microgpt.torch.linear import linear_cross_entropy
from microgpt.torch.statistics import Statistics

__all__ = ["Statistics", "linear_cross_entropy"]
