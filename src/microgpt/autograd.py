"""Reverse-mode differentiation of scalars: each number records the operation that made it.

In: numbers and operations on them. Out: the gradient of the result with respect to every input.
Each node stores its inputs and its local derivative with respect to each of these, so that one loop
serves all operations::

    d_input += local_derivative * d_output

The free functions at the end (`exp`, `relu`, `dot`) take floats as well as Values. Written with
them, a model is plain arithmetic on floats and differentiates itself on Values, with equal numbers.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from operator import mul
from typing import TypeAlias, cast

Scalar: TypeAlias = "float | Value"


class Value:
    """A scalar in a graph of operations.

    Attributes:
        data: the number itself.
        grad: the derivative of the value that `backward` was called on with respect to this one; a
            leaf sums it over all calls.
        inputs: the Values that it was computed from; a leaf has none.
        derivatives: the local derivative with respect to each input.

    Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
    Nature 323 (1986); in this form, Karpathy's micrograd.

    >>> a, b = Value(2.0), Value(3.0)
    >>> (a * b + a).backward()
    >>> a.grad, b.grad
    (4.0, 2.0)
    """

    __slots__ = ("data", "derivatives", "grad", "inputs")

    def __init__(
        self, data: float, inputs: Sequence[Value] = (), derivatives: Sequence[float] = ()
    ) -> None:
        self.data = data
        self.grad = 0.0
        # Tuples, not sets: the order of the sums, and so the last bit, is the same in every run.
        self.inputs = tuple(inputs)
        self.derivatives = tuple(derivatives)

    def __repr__(self) -> str:
        return f"Value({self.data!r}, grad={self.grad!r})"

    def __add__(self, other: Scalar) -> Value:
        if isinstance(other, Value):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))
        return Value(self.data + other, (self,), (1.0,))

    def __mul__(self, other: Scalar) -> Value:
        if isinstance(other, Value):
            return Value(self.data * other.data, (self, other), (other.data, self.data))
        return Value(self.data * other, (self,), (other,))

    def __pow__(self, exponent: float) -> Value:
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def __neg__(self) -> Value:
        return Value(-self.data, (self,), (-1.0,))

    def __sub__(self, other: Scalar) -> Value:
        return self + -other

    def __truediv__(self, other: Scalar) -> Value:
        if isinstance(other, Value):
            quotient = self.data / other.data
            return Value(quotient, (self, other), (1.0 / other.data, -quotient / other.data))
        return Value(self.data / other, (self,), (1.0 / other,))

    def __radd__(self, other: float) -> Value:
        return self + other

    def __rmul__(self, other: float) -> Value:
        return self * other

    def __rsub__(self, other: float) -> Value:
        return -self + other

    def __rtruediv__(self, other: float) -> Value:
        return Value(other) / self

    def exp(self) -> Value:
        """Return e to this power."""
        result = math.exp(self.data)
        return Value(result, (self,), (result,))

    def log(self) -> Value:
        """Return the natural logarithm."""
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def relu(self) -> Value:
        """Return the number itself where it is positive, else 0. The derivative at 0 is 0."""
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0.0),))

    def backward(self) -> None:
        """Add to every node's `grad` the derivative of this value with respect to that node.

        Nodes are visited in reverse topological order: each comes after all nodes computed from it.
        The order is found with an explicit stack: a deep graph would exceed the recursion limit.
        """
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            node, inputs_are_in = stack.pop()
            if inputs_are_in:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend([(v, False) for v in node.inputs if v.inputs and v not in seen])

        # Inner nodes start at 0: gradients of an earlier call must not be propagated again.
        for node in order:
            if node.inputs:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            d_output = node.grad
            for v, derivative in zip(node.inputs, node.derivatives):
                v.grad += derivative * d_output


def exp(x: Scalar) -> Scalar:
    """Return e to the power x, for a float or a Value."""
    return x.exp() if isinstance(x, Value) else math.exp(x)


def relu(x: Scalar) -> Scalar:
    """Return max(x, 0), for a float or a Value."""
    return x.relu() if isinstance(x, Value) else max(x, 0.0)


def dot(xs: Sequence[Scalar], ys: Sequence[Scalar]) -> Scalar:
    """Return the sum of products, for floats or for Values.

    On Values it is one node of 2n inputs, where n products and n - 1 sums would be 2n - 1 nodes:
    the same gradients in a tenth of the time.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    11.0
    >>> x = Value(3.0)
    >>> dot([x, x], [x, Value(1.0)]).backward()  # x^2 + x
    >>> x.grad
    7.0
    """
    if not isinstance(xs[0], Value):
        return sum(map(mul, cast("Sequence[float]", xs), cast("Sequence[float]", ys)))
    xs, ys = cast("Sequence[Value]", xs), cast("Sequence[Value]", ys)
    x_data, y_data = [x.data for x in xs], [y.data for y in ys]
    return Value(sum(map(mul, x_data, y_data)), (*xs, *ys), (*y_data, *x_data))


@contextmanager
def without_collector() -> Generator[None]:
    """Keep Python's cycle collector from walking a graph: it is large and has no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
