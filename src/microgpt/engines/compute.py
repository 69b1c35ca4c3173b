"""How an engine computes: precision, and ways to save memory.

In: a training's config. Out: `Compute`, of which only the torch engine has a choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.config import OF_THE_ENGINE, Precision, TrainConfig
from microgpt.errors import UsageError


@dataclass(frozen=True)
class Compute:
    """How an engine computes. But for rounding its results do not depend on it.

    The attributes are those of `TrainConfig`.
    """

    precision: Precision = "auto"
    accumulate: int = 1
    recompute: bool = False
    compile: bool = False
    deterministic: bool = False
    shard: bool = False

    @classmethod
    def of(cls, config: TrainConfig) -> Compute:
        """Take them from a training's config."""
        return cls(**{name: getattr(config, name) for name in OF_THE_ENGINE})

    def check(self, engine: str, world: int = 1) -> None:
        """Raise UsageError if something is asked for that an engine, or one process, does not have.

        >>> Compute(compile=True).check("scalar")
        Traceback (most recent call last):
        microgpt.errors.UsageError: compile needs the torch engine; got scalar. Try --engine torch.
        """
        for name, usual in vars(Compute()).items():
            value = getattr(self, name)
            if engine != "torch" and value != usual:
                asked = name if value is True else f"{name} {value}"
                raise UsageError(
                    f"{asked} needs the torch engine; got {engine}. Try --engine torch."
                )
        if self.shard and world == 1:
            raise UsageError(
                "shard needs several processes; got one. Try: torchrun --nproc-per-node 2 -m "
                "microgpt train ..."
            )
