"""Where and in what precision the torch engine computes.

In: the names that a user gives. Out: a torch device, types, and a context to compute in.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

from microgpt.config import Precision
from microgpt.engines.machine import processors
from microgpt.errors import UsageError


@dataclass(frozen=True)
class Device:
    """A device, and how it is computed with.

    Attributes:
        device: torch's.
        dtype: of parameters, gradients and moments.
        autocast: the type of matrix products, if it is another; None: dtype.
        threads: of a processor.
        deterministic: whether only operations are used that repeat to the last bit.
    """

    device: torch.device
    dtype: torch.dtype
    autocast: torch.dtype | None
    threads: int
    deterministic: bool

    @classmethod
    def of(
        cls, name: str | None, precision: Precision, threads: int | None, deterministic: bool
    ) -> Device:
        """Find a device by its name, such as "cpu", "cuda", "cuda:1" or "mps".

        Args:
            name: None: a GPU if there is one, else the processor.
            precision: "auto" is bfloat16 on a GPU that has it, else float32.
            threads: of a processor; None: one for each.
            deterministic: use only operations that repeat to the last bit.

        Raises:
            UsageError: there is no such device here, or it lacks the precision.
        """
        device = _found(name or best_device())
        if precision == "auto":
            has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
            precision = "bfloat16" if has_bfloat16 else "float32"
        if precision == "float64" and device.type == "mps":
            raise UsageError("precision must be float32 or bfloat16 on mps; got float64.")
        if deterministic and device.type == "cuda":
            # cuBLAS reads it when it is first used. Source: PyTorch, "Reproducibility".
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        dtype = torch.float64 if precision == "float64" else torch.float32
        autocast = torch.bfloat16 if precision == "bfloat16" else None
        return cls(device, dtype, autocast, threads or processors(), deterministic)

    @property
    def precision(self) -> str:
        """What it computes in, for a message or a fingerprint."""
        return "bfloat16" if self.autocast else str(self.dtype).removeprefix("torch.")

    @property
    def memory(self) -> int | None:
        """Bytes of a GPU's memory; None: it is the processor's, or unknown."""
        if self.device.type != "cuda":
            return None
        return torch.cuda.get_device_properties(self.device).total_memory

    @contextmanager
    def computing(self) -> Generator[None]:
        """Set torch's threads and determinism while this engine computes."""
        before = torch.get_num_threads()
        was_deterministic = torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(self.threads)
        if self.deterministic:
            torch.use_deterministic_algorithms(True)
        try:
            with ExitStack() as stack:
                if self.autocast:
                    # A copy of a matrix in autocast's cache would outlive an update: FSDP2 gathers
                    # each matrix into the same tensor again.
                    stack.enter_context(
                        torch.autocast(self.device.type, dtype=self.autocast, cache_enabled=False)
                    )
                yield
        finally:
            torch.set_num_threads(before)
            if self.deterministic:
                torch.use_deterministic_algorithms(was_deterministic)


def best_device() -> str:
    """Return the name of the fastest device here: a GPU, if there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _found(name: str) -> torch.device:
    """Return a device that is there."""
    there = ["cpu"]
    if torch.cuda.is_available():
        there += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there += ["mps"]
    if name not in there:
        raise UsageError(
            f'device must be one that PyTorch finds here, {", ".join(there)}; got "{name}".'
        )
    return torch.device(name)
