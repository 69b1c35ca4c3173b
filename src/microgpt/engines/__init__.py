"""The engines by name: the only place that imports one, and only when asked."""

from __future__ import annotations

import os

from microgpt.config import GPTConfig, ObjectiveName
from microgpt.engines.contract import Engine
from microgpt.errors import UsageError
from microgpt.model import size
from microgpt.optim import Adam

ENGINES = ("scalar",)
"""The names that `open_engine` knows, best first."""

# A Value, its number, its slope and Adam's two moments of it.
_SCALAR_BYTES = 200


def open_engine(
    name: str,
    config: GPTConfig,
    adam: Adam | None = None,
    loss: ObjectiveName = "cross-entropy",
    threads: int | None = None,
    device: str | None = None,
) -> Engine:
    """Open an engine for a model.

    Args:
        name: one of ENGINES, or "auto" for the best one there is.
        config: the model's shape.
        adam: the optimizer's constants.
        loss: the objective that `gradients` and `train` follow.
        threads: at most so many; None: as many as help. The scalar engine uses one.
        device: "cpu", the only one that the scalar engine knows.

    Raises:
        UsageError: no such engine, or not on that device.

    >>> open_engine("auto", GPTConfig(vocab_size=27)).name
    'scalar'
    """
    if name not in ("auto", *ENGINES):
        raise UsageError(f'engine must be one of auto, {", ".join(ENGINES)}; got "{name}".')
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be a whole number from 1; got {threads}.")
    if device not in (None, "cpu"):
        raise UsageError(f'device must be cpu for the scalar engine; got "{device}".')

    _check_memory(config)
    from microgpt.engines.scalar import ScalarEngine

    return ScalarEngine(config, adam or Adam(), loss)


def _check_memory(config: GPTConfig) -> None:
    """Raise UsageError if this machine cannot hold the scalar engine's parameters."""
    needed = size(config) * _SCALAR_BYTES
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return  # not every system tells
    if needed > there:
        raise UsageError(
            f"the model must fit in memory; got {size(config):,} parameters, "
            f"about {needed / 2**30:,.0f} GiB where {there / 2**30:,.0f} GiB are. "
            "Try a smaller n_embd, n_layer or block_size."
        )
