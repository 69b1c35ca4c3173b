from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Singles = NDArray[np.float32]

# Arrays are one-dimensional and contiguous: int32 tokens and targets, int64 offsets and steps.

def builds() -> list[str]: ...
def peak(build: str) -> float: ...
def compare(
    build: str,
    logits_NV: Floats,
    targets_N: Any,
    group_N: Any,
    far: float,
    every_GF4: Floats,
    likeliest_GF4: Floats,
    /,
) -> tuple[Any, ...]: ...
def spans(
    losses_N: Floats, texts: Any, usual: float, units: float, most: float, /
) -> tuple[Any, Any]: ...
def places(keys: Floats, values_D: Floats, /) -> Any: ...

class TextRows:
    def __init__(self, rows: int, /) -> None: ...
    def same(self, word: bytes, /) -> None: ...
    def choose(self, text: Any, offsets: Any, which_D: Any, /) -> None: ...
    def cut(
        self,
        text: Any,
        starts_D: Any,
        stops_D: Any,
        ended_D: Any,
        end: bytes,
        quoting: str,
        delimiter: bytes,
        /,
    ) -> None: ...
    def decimal(self, values_D: Floats, places: int, width: int, /) -> None: ...
    def whole(self, numbers_D: Any, width: int, zero: bytes, /) -> None: ...
    def joined(self) -> tuple[bytes, Any]: ...

class Decoder:
    def push(self, tokens_B: Any) -> Floats: ...

class Engine:
    def __init__(
        self,
        *,
        build: str,
        vocab_size: int,
        block_size: int,
        n_layer: int,
        n_head: int,
        n_embd: int,
        squared_relu: bool,
        rotary_base: float,
        qk_norm: bool,
        final_norm: bool,
        rmsnorm_epsilon: float,
        loss: str,
        beta1: float,
        beta2: float,
        eps: float,
        muon: float,
        momentum: float,
        polynomial: tuple[float, float, float],
        iterations: int,
        smallest_norm: float,
        weight_decay: float,
        dropout: float,
        seed: int,
        threads: int,
    ) -> None: ...
    @property
    def updates(self) -> int: ...
    def load(self, parameters: Singles, m: Singles, v: Singles, updates: int, /) -> None: ...
    def state(self) -> tuple[Singles, Singles, Singles, int]: ...
    def losses(self, tokens_N: Any, targets_N: Any, documents: Any, /) -> Floats: ...
    def logits(self, tokens_N: Any, documents: Any, /) -> Floats: ...
    def gradients(self, tokens_N: Any, targets_N: Any, documents: Any, /) -> Floats: ...
    def train(
        self,
        tokens_N: Any,
        targets_N: Any,
        documents: Any,
        steps: Any,
        lr_K: Floats,
        /,
    ) -> Floats: ...
    def decoder(self, rows: int, /) -> Decoder: ...
