"""The native engine: a thin wrapper of `_native`, the C++ in native/.

In: batches. Out: losses, gradients, updates, in float32 with sums in float64. Documents and
parameters are divided among threads; the result is the same for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch, Batches
from microgpt.engines._native import Decoder, Engine, TextRows, builds, peak, places, spans
from microgpt.engines._native import compare as compare_by_a_build
from microgpt.engines.about import About
from microgpt.engines.contract import SLOTS, Floats, State, Tensors, Tokens
from microgpt.engines.machine import processors
from microgpt.engines.memory import ByParameters
from microgpt.errors import UsageError
from microgpt.loss.sums import Sums
from microgpt.optim import ITERATIONS, POLYNOMIAL, SMALLEST_NORM, Optimizer

__all__ = [
    "ABOUT", "BUILDS", "NativeDecoder", "NativeEngine", "TextRows", "compare", "peak", "places",
    "spans",
]  # fmt: skip

BUILDS: tuple[str, ...] = tuple(builds())
"""The builds that this processor can run, widest vectors last."""

# Floats: parameters, their copies in two layouts, gradients, moments, and padding. Each further
# thread has a transposed copy, and sums of gradients; Muon's scratch is two matrices of (4 D, D)
# and four of (D, D).
ABOUT = About("native", True, 24, BUILDS[-1] if BUILDS else "", True, True, copy=8, muon=48)

MOST_VOCABULARY = 65_536


class NativeEngine:
    """The contract in C++.

    Args:
        config: the model's shape.
        optimizer: the optimizer's constants.
        loss: the objective that `gradients` and `train` follow.
        threads: the most threads to use; None: one for each processor.
        build: one of BUILDS; None: the one with the widest vectors.

    Raises:
        UsageError: a vocabulary of more than 65,536 tokens.
    """

    name, label, share = "native", "native engine", (0, 1)

    def __init__(
        self,
        config: GPTConfig,
        optimizer: Optimizer,
        loss: ObjectiveName,
        threads: int | None = None,
        build: str | None = None,
    ) -> None:
        if config.vocab_size > MOST_VOCABULARY:
            raise UsageError(
                f"vocab_size must be at most {MOST_VOCABULARY:,} for the native engine; "
                f"got {config.vocab_size:,}."
            )
        self.config, self._optimizer = config, optimizer
        self.threads = threads or processors()
        self._engine = Engine(
            build=build or BUILDS[-1],
            vocab_size=config.vocab_size,
            block_size=config.block_size,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            squared_relu=config.activation == "squared-relu",
            rotary_base=model.ROTARY_BASE if config.position == "rotary" else 0.0,
            qk_norm=config.qk_norm,
            final_norm=config.final_norm,
            rmsnorm_epsilon=model.RMSNORM_EPSILON,
            loss=loss,
            beta1=optimizer.beta1,
            beta2=optimizer.beta2,
            eps=optimizer.eps,
            muon=optimizer.muon,
            momentum=optimizer.momentum,
            polynomial=POLYNOMIAL,
            iterations=ITERATIONS,
            smallest_norm=SMALLEST_NORM,
            weight_decay=optimizer.weight_decay,
            dropout=optimizer.dropout,
            seed=optimizer.seed % 2**32,
            threads=self.threads,
        )

    @property
    def memory(self) -> ByParameters:
        """The memory that it needs to train."""
        return ByParameters(ABOUT.memory(self.config, self._optimizer, self.threads))

    @property
    def updates(self) -> int:
        """How many updates its parameters have had; reading it copies nothing."""
        return self._engine.updates

    def load(self, state: State) -> None:
        """Load a copy of a state, rounded to float32."""
        # Numbers too large for float32 become infinity.
        with np.errstate(over="ignore"):
            parameters, m, v = (
                np.ascontiguousarray(buffer, dtype=np.float32)
                for buffer in (state.parameters, *(state.slots[name] for name in SLOTS))
            )
        self._engine.load(parameters, m, v, state.updates)

    def state(self) -> State:
        """Return a copy of all that training changes, in float32."""
        parameters, *slots, updates = self._engine.state()
        return State(parameters, dict(zip(SLOTS, slots)), updates)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position."""
        return self._engine.losses(*_arrays(batch))

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV of the next token at each position; the targets are not read.

        They take 8 N V bytes: the caller limits the size of the batch.
        """
        tokens_N, _, documents = _arrays(batch)
        return self._engine.logits(tokens_N, documents)

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients of the objective's sum."""
        return model.views(self._engine.gradients(*_arrays(batch)), self.config)

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make K updates in one call."""
        steps = np.ascontiguousarray(batches.steps, dtype=np.int64)
        lr_K = np.ascontiguousarray(lr_K, dtype=np.float64)
        nats_K = self._engine.train(*_arrays(batches), steps, lr_K)
        return Sums(nats_K, np.diff(batches.documents[steps])[: len(nats_K)])

    def decoder(self, rows: int) -> NativeDecoder:
        """Return a decoder of `rows` rows."""
        return NativeDecoder(self._engine.decoder(rows))


def compare(
    logits_NV: Floats, targets_N: Any, group_N: Any, far: float, every_GF4: Floats, top_GF4: Floats
) -> tuple[Any, ...]:
    """Compare logits with targets, adding to two tables: see `evaluation.outcomes.compared`."""
    targets_N = np.ascontiguousarray(targets_N, dtype=np.int32)
    group_N = np.ascontiguousarray(group_N, dtype=np.int64)
    logits_NV = np.ascontiguousarray(logits_NV, dtype=np.float64)
    build = BUILDS[-1]
    return compare_by_a_build(build, logits_NV, targets_N, group_N, far, every_GF4, top_GF4)


class NativeDecoder:
    """Sequences decoded side by side."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV."""
        return self._decoder.push(np.ascontiguousarray(tokens_B, dtype=np.int32))


def _arrays(batch: Batch) -> tuple[Any, Any, Any]:
    """Return a batch in the types that `_native` takes; arrays of these types are not copied."""
    return (
        np.ascontiguousarray(batch.tokens_N, dtype=np.int32),
        np.ascontiguousarray(batch.targets_N, dtype=np.int32),
        np.ascontiguousarray(batch.documents, dtype=np.int64),
    )
