"""Sums of gradients over all ranks, begun while the backward pass goes on.

In: the gradients of a model's matrices, parts of one flat tensor. Out: their sums over all ranks,
in place. The flat tensor is cut into buckets; when the backward pass has completed the last layers'
gradients, their bucket is on its way while earlier layers are computed.

Source: Li et al., "PyTorch Distributed: experiences on accelerating data parallel training",
VLDB 13 (2020), sections 3.2.2 and 3.2.3.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from microgpt.engines.torch.ranks import lost

# As in PyTorch's DistributedDataParallel.
BUCKET_BYTES = 25 << 20


@dataclass(eq=False)
class Bucket:
    """Some matrices whose gradients lie side by side.

    Attributes:
        grads: their gradients, flat.
        matrices: how many they are.
        missing: how many gradients are not complete yet.
    """

    grads: Tensor
    matrices: int
    missing: int = field(default=0)


class Buckets:
    """The gradients of a model in buckets.

    Every rank begins the sums in the same order, from the last bucket to the first, whether its own
    gradients are complete or it has none.

    Args:
        matrices: in the order in which their gradients lie.
        grads: all gradients, flat.
        begin: begins to sum a tensor over all ranks, and returns what waits for it.
        most: bytes of a bucket.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        grads: Tensor,
        begin: Callable[[Tensor], Any],
        most: int = BUCKET_BYTES,
    ) -> None:
        self._begin, self._waits, self._is_open, self._next = begin, list[Any](), False, 0
        self._buckets = list[Bucket]()
        last = first = grads.numel()
        number = 0
        for matrix in reversed([*matrices]):
            matrix.register_post_accumulate_grad_hook(partial(self._complete, len(self._buckets)))
            first, number = first - matrix.numel(), number + 1
            if not first or (last - first) * grads.element_size() >= most:
                self._buckets.append(Bucket(grads[first:last], number))
                last, number = first, 0

    def __len__(self) -> int:
        return len(self._buckets)

    def open(self) -> None:
        """Begin to watch: the backward pass that follows completes the gradients."""
        for bucket in self._buckets:
            bucket.missing = bucket.matrices
        self._is_open = True

    def wait(self, last: Tensor) -> None:
        """Begin the sums that have not begun, and wait for all.

        Args:
            last: a tensor to sum after all gradients: the order is the same in all ranks.
        """
        self._is_open = False
        while self._next < len(self._buckets):
            self._sum()
        self._waits.append(self._begin(last))
        with lost():
            for wait in self._waits:
                wait.wait()
        self._waits.clear()
        self._next = 0

    def _complete(self, number: int, _: Tensor) -> None:
        if not self._is_open:
            return
        self._buckets[number].missing -= 1
        while self._next < len(self._buckets) and not self._buckets[self._next].missing:
            self._sum()

    def _sum(self) -> None:
        self._waits.append(self._begin(self._buckets[self._next].grads))
        self._next += 1
