"""The identity of a computation: the run, the build, and a probe of the numbers that they compute.

In: a model ready to compute. Out: an `Identity`, which a compressed file contains. Decompressing
needs exactly the same probabilities, which depend on the run, the build and the kind of processor:
a file with another identity is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from dataclasses import dataclass

import numpy as np

import microgpt
from microgpt.compress.fixed import intervals
from microgpt.config import GPTConfig
from microgpt.counting.mixture import Mixture
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines import ENGINES, about, build_of
from microgpt.engines.contract import Engine, Predictor
from microgpt.errors import DataError, UsageError

DIGEST = 8
"""Bytes of a hash."""

# The probe pushes tokens: this many rows, this many times.
_PROBE = (3, 8)


@dataclass(frozen=True)
class Identity:
    """What must be equal for compressing and decompressing.

    Attributes:
        run: a hash of parameters, counts, the weights of a mixture, shape and vocabulary.
        build: the versions of microgpt and numpy, the engine and its build, the system, in words.
        probe: a hash of the exact probabilities after a few tokens.
    """

    run: bytes
    build: str
    probe: bytes

    @classmethod
    def of(
        cls, engine: Engine, mixture: Mixture | None, tokenizer: Tokenizer, config: GPTConfig
    ) -> Identity:
        """Return the identity of a GPT, or of a mixture with one.

        Raises:
            UsageError: the engine's numbers depend on what is computed beside them.
        """
        if not about(engine.name).is_exact:
            raise UsageError(
                "compressing needs an engine whose numbers repeat to the last bit, native or "
                f"scalar; got {engine.name}."
            )
        build = (
            f"microgpt {microgpt.__version__}",
            f"{engine.name} {build_of(engine.name)}",
            f"numpy {np.__version__}",  # pyright: ignore[reportUnknownMemberType]
            f"{platform.system()} {platform.machine()}",
        )
        run = _run(engine, mixture, tokenizer, config)
        return cls(run, ", ".join(build), _probe(mixture or engine, config))

    def check(self, theirs: Identity, name: str) -> None:
        """Raise DataError if a file has another identity, and say which part differs."""
        if theirs.run != self.run:
            raise DataError(
                f"{name}: the run must be the one it was compressed with, {theirs.run.hex()}; "
                f"got {self.run.hex()}. Try another; more training makes it another, too."
            )
        if theirs.build != self.build:
            raise DataError(
                f"{name}: the build must be the one it was compressed with, {theirs.build}; "
                f"got {self.build}. {_remedy(theirs.build, self.build)}"
            )
        if theirs.probe != self.probe:
            raise DataError(
                f"{name}: the model must give the probabilities it was compressed with; this "
                f"processor gives others ({self.build}). Try the machine it was made on."
            )


def _remedy(theirs: str, ours: str) -> str:
    for name in ENGINES:
        if f", {name} " in theirs and f", {name} " not in ours:
            return f"Try --engine {name}."
    return "Try the machine it was made on, or the same versions."


def _run(engine: Engine, mixture: Mixture | None, tokenizer: Tokenizer, config: GPTConfig) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST)
    about = [dataclasses.asdict(config), tokenizer.to_json()]
    digest.update(json.dumps(about, sort_keys=True).encode())
    # Rounded to float32: a run has the same hash whichever engine computes.
    with np.errstate(over="ignore"):  # parameters of a diverged training may overflow
        digest.update(engine.state().parameters.astype("<f4").tobytes())
    if mixture:
        fitted = mixture.fitted
        digest.update((fitted.weight or 0.0).hex().encode())
        digest.update(fitted.tables)
        for name, values in mixture.ngram.arrays().items():
            digest.update(name.encode())
            digest.update(values.astype("<i8").tobytes())
    return digest.digest()


def _probe(predictor: Predictor, config: GPTConfig) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST)
    rows, times = _PROBE
    decoder = predictor.decoder(rows)
    for t in range(min(times, config.block_size)):
        tokens = [(1 + t * rows + row) * 7 % config.vocab_size for row in range(rows)]
        logits_BV = decoder.push(tokens)
        upto, losses_BV = intervals(logits_BV)
        # The fixed-point numbers alone would hide differences in the last bits.
        for numbers in (logits_BV, np.exp(-losses_BV), losses_BV, upto):
            digest.update(np.ascontiguousarray(numbers).tobytes())
    return digest.digest()
