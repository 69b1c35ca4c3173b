"""The memory that a training step needs: estimated from shapes, before anything is allocated.

In: a model's shape, the positions that are computed at once. Out: bytes. Counted are the tensors
that the backward pass reads, for each position and layer, in widths D of numbers::

    inputs of the layer and of both norms' products, q, k, v, attention's output, relu's output: 12
    rotary positions 0.5, norms of queries and keys 2, the square of relu 4
    dropout: two masks 1.25, what is left of attention 1, and of relu 4 if that is not kept anyway

and once: ten widths of gradients on their way; or what the loss holds, a tile of logits and the
gradient of lm_head; or what the update does. Where documents differ in length attention holds its
inputs and output once more, padded. The tests hold this to measured peaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.engines.compute import Compute
from microgpt.optim import Optimizer
from microgpt.torch.linear import CHUNK_BYTES

# Attention's padding: rectangles are at most half empty, and most are fuller.
_PADDED = 1.3


@dataclass(frozen=True)
class Memory:
    """The memory of a training.

    Args:
        config: the model's shape.
        optimizer: what its update is.
        compute: what saves memory.
        precision: "float32", "bfloat16" or "float64".
        place: what the memory belongs to.
        available: bytes that there are; None: unknown.
        world: in how many parts parameters, gradients and moments are kept, one in each process.

    >>> memory = Memory(GPTConfig(vocab_size=27), Optimizer(), Compute(), "float32")
    >>> memory.fixed, memory.step(0) - memory.fixed
    (67072, 16768)
    """

    config: GPTConfig
    optimizer: Optimizer
    compute: Compute
    precision: str
    place: str = "this machine"
    available: int | None = None
    world: int = 1

    @property
    def parts(self) -> int:
        """In how many parts a batch is computed."""
        return self.compute.accumulate

    @property
    def fixed(self) -> int:
        """Bytes of parameters, gradients and moments."""
        return 4 * self._number * -(-model.size(self.config) // self.world)

    def step(self, positions: int, *, ragged: bool = False) -> int:
        """Return the bytes at the peak of a step.

        Args:
            positions: of the step's batch.
            ragged: whether documents differ in length.
        """
        config, number = self.config, self._number
        D, V, L = config.n_embd, config.vocab_size, config.n_layer
        N = -(-positions // self.compute.accumulate)
        each = self._each_layer + (4 * _PADDED * self._half if ragged else 0.0)
        kept = L * each if not self.compute.recompute else L + each
        tile = min(CHUNK_BYTES, N * V * number)
        # lm_head's gradient is made before it is added to that of the batch's other parts.
        loss = 3 * N * D * number + tile + V * D * number
        activations = kept * N * D * number + max(10 * self._half * N * D * number, loss)
        return self.fixed + int(max(activations, self._update))

    @property
    def _number(self) -> int:
        return 8 if self.precision == "float64" else 4

    @property
    def _half(self) -> float:
        """What the numbers of matrix products take, in those of parameters."""
        return 0.6 if self.precision == "bfloat16" else 1.0

    @property
    def _each_layer(self) -> float:
        """Widths kept of each position in a layer."""
        config = self.config
        squared = config.activation == "squared-relu"
        bfloat16 = self.precision == "bfloat16"
        kept = 8.1 if bfloat16 else 12.1
        kept += 0.5 * (config.position == "rotary")
        kept += 2.1 * config.qk_norm
        kept += 4.0 * self._half * squared
        if self.optimizer.dropout:
            kept += 1.25 + self._half * (1.0 + (0.0 if squared else 4.0))
        return kept

    @property
    def _update(self) -> int:
        """Bytes that the update holds beside parameters, gradients and moments."""
        hidden = 12 * self.config.n_layer * self.config.n_embd**2
        if not self.optimizer.muon:
            return self._number * model.size(self.config)
        # The step ahead, and of the matrices of one shape a stack and its iterations.
        return int(2.7 * self._number * hidden)
