"""Opening an engine by its name: the only place that imports engines, each when it is needed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from microgpt.config import GPTConfig, ObjectiveName
from microgpt.engines.about import About
from microgpt.engines.compute import Compute
from microgpt.engines.contract import Engine
from microgpt.engines.machine import processors
from microgpt.engines.memory import check
from microgpt.engines.ranks import ALONE, Ranks
from microgpt.errors import MissingExtra, UsageError
from microgpt.model import size
from microgpt.model.operations import Change, Ops, unchanged
from microgpt.optim import Optimizer

ENGINES = ("native", "torch", "scalar")
"""The names of all engines: those for small models first, the slowest last."""

MOST_THREADS = 1024
"""The most threads: each has its own buffers in memory."""


def about(name: str) -> About:
    """Return an engine's properties; "auto" stands for the best engine installed.

    Raises:
        MissingExtra: the engine is not installed.

    >>> about("scalar").is_fast
    False
    """
    name = _resolved(name)
    if name == "scalar":
        from microgpt.engines import scalar

        return scalar.ABOUT
    if name == "torch":
        check_torch()
        from microgpt.engines import torch

        return torch.ABOUT
    if reason := why_not_native():
        raise MissingExtra(f'engine "native" is not there: {reason}. {_REMEDY}')
    from microgpt.engines import native

    return native.ABOUT


def _resolved(name: str, device: str | None = None) -> str:
    """Return an engine's name; "auto" is resolved to the best engine installed.

    On a device other than the processor that is torch.
    """
    if name not in ("auto", *ENGINES):
        raise UsageError(f'engine must be one of auto, {", ".join(ENGINES)}; got "{name}".')
    if name != "auto":
        return name
    return best() if device in (None, "cpu") else "torch"


def best() -> str:
    """Return the name of the fastest engine for small models that is installed."""
    if why_not_native() is None:
        return "native"
    return "torch" if has_torch() else "scalar"


def open_engine(
    name: str,
    config: GPTConfig,
    optimizer: Optimizer | None = None,
    loss: ObjectiveName = "cross-entropy",
    threads: int | None = None,
    device: str | None = None,
    compute: Compute | None = None,
    ranks: Ranks = ALONE,
    change: Change = unchanged,
    models: int = 1,
) -> Engine:
    """Open an engine for a model, or for several of one shape.

    Args:
        name: one of ENGINES, or "auto" for the best one installed.
        config: the model's shape.
        optimizer: the optimizer's constants.
        loss: the objective that `gradients` and `train` follow.
        threads: the most threads to use; None: one for each processor. The scalar engine uses one.
        device: "cpu"; for the torch engine also "cuda", "mps", or whatever PyTorch finds. None: a
            GPU for the torch engine, if there is one.
        compute: precision, and how memory is saved; for the torch engine.
        ranks: the processes that compute together.
        change: makes other operations of the engine's own: not of the native engine's.
        models: how many models of this shape are trained side by side, as an ensemble.

    Raises:
        UsageError: there is no such engine or device, or the model does not fit in memory.
        MissingExtra: the engine is not installed.

    >>> open_engine("scalar", GPTConfig(vocab_size=27)).threads
    1
    """
    is_changed = change is not unchanged
    if name == "auto" and (ranks.world > 1 or is_changed):
        name = "torch" if ranks.world > 1 or has_torch() else "scalar"
    name = _resolved(name, device)
    if is_changed and (name == "native" or ranks.world > 1):
        raise UsageError(
            f"changed operations need the engine torch, in one process, or scalar; got {name}."
        )
    if name != "torch" and ranks.world > 1:
        raise UsageError(
            f"engine must be torch for {ranks.world} ranks; got {name}. Try --engine torch, or "
            "without torchrun."
        )
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        most = f"{MOST_THREADS:,}"
        raise UsageError(f"threads must be a whole number from 1 to {most}; got {threads:,}.")
    if name == "torch" and device not in (None, "cpu") and not has_torch():
        raise UsageError(
            f'device must be cpu where PyTorch is not installed; got "{device}". '
            "Try: pip install 'microgpt-lm[torch]'."
        )
    if name != "torch" and device not in (None, "cpu"):
        raise UsageError(
            f'device must be cpu for the {name} engine; got "{device}". Try --engine torch.'
        )
    optimizer = optimizer or Optimizer()
    each = max(1, (threads or processors()) // models)
    needed = models * about(name).memory(config, optimizer, each)
    fewer = {"models": models > 1, "threads": about(name).copy and each > 1}
    check(needed, models * size(config), [what for what, helps in fewer.items() if helps])
    if models > 1:
        from microgpt.engines.ensemble import ensemble

        def member(k: int, threads: int | None) -> Engine:
            own = replace(optimizer, seed=optimizer.seed + k)  # each drops other activations
            return open_engine(name, config, own, loss, threads, device, compute, ranks, change)

        return ensemble(member, models, threads, ranks.world, about(name))
    if name == "scalar":
        from microgpt.engines.scalar import ScalarEngine

        return ScalarEngine(config, optimizer, loss, change)
    if name == "torch":
        if ranks.world > 1:
            from microgpt.engines.torch.ranked import ranked

            return ranked(ranks, config, optimizer, loss, threads, device, compute)
        from microgpt.engines.torch import TorchEngine

        return TorchEngine(config, optimizer, loss, threads, device, compute, change)
    from microgpt.engines.native import NativeEngine

    return NativeEngine(config, optimizer, loss, threads)


_REMEDY = (
    "Try: install a C++ compiler (GCC or Clang), then microgpt again, with pip's --no-cache-dir "
    "and --force-reinstall; or --engine scalar."
)


@cache
def why_not_native() -> str | None:
    """Return why the native engine cannot be used; None: it can.

    "auto" is then the torch engine, if PyTorch is there; or the scalar one, which computes the
    same, thousands of times slower.
    """
    try:
        from microgpt.engines import native
    except ImportError as error:
        if error.name and error.name.endswith("_native"):
            return "it was not built when microgpt was installed" + _unbuilt()
        return f"it cannot be loaded ({error})"
    return None if native.BUILDS else "this processor lacks what it is built for (x86-64-v2)"


def has_torch() -> bool:
    """Return whether PyTorch is installed, without the second that importing it takes."""
    return find_spec("torch") is not None


def check_torch() -> None:
    """Raise MissingExtra if PyTorch is missing."""
    if not has_torch():
        raise MissingExtra(
            'engine "torch" needs PyTorch, which is not installed. '
            "Try: pip install 'microgpt-lm[torch]'; or --engine native."
        )


def _unbuilt() -> str:
    """Return why the build failed, as it recorded it; "" in a tree that was never installed."""
    try:
        from microgpt.engines._unbuilt import REASON
    except ImportError:
        return ""
    return f": {REASON}"


def native_module() -> ModuleType | None:
    """Return the native engine's module; None: it is missing."""
    if why_not_native():
        return None
    from microgpt.engines import native

    return native


def scalar_operations() -> Ops[Any]:
    """Return the scalar engine's operations, on rows of floats or of `autograd.Value`s.

    >>> scalar_operations().linear([[1.0, 2.0]], [[3.0, 4.0]])
    [[11.0]]
    """
    from microgpt.engines.scalar.operations import ScalarOps

    return ScalarOps()


def build_of(name: str) -> str:
    """Return what an engine's rounding depends on: its build, or the version of Python.

    >>> build_of("scalar").startswith("Python 3.")
    True
    """
    return about(name).build
