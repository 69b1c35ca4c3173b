"""What the native module computes that is no part of an engine; None where that module is missing.

Each has a definition in Python that returns the same, and takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from microgpt.engines import native_module

if TYPE_CHECKING:
    from microgpt.engines.contract import Floats
    from microgpt.engines.native import TextRows

Offsets = NDArray[Any]


def native_peak() -> float | None:
    """Measure a core's peak rate of multiply-adds, with the widest vectors, in GFLOP/s.

    A multiply-add counts as two operations. None: there is no native engine to measure with.
    """
    native = native_module()
    return max(map(native.peak, native.BUILDS)) if native else None


def native_compare() -> Callable[..., tuple[NDArray[Any], ...]] | None:
    """Return the native engine's comparison of logits with targets; None: it is missing.

    It returns what `evaluation.outcomes.by_numpy` returns, to rounding, in a third of the time.
    """
    native = native_module()
    return native.compare if native else None


@cache
def native_rows() -> type[TextRows] | None:
    """Return the class of rows that are laid out natively; None: it is missing.

    Its rows are those of `scoring.rows.plain.PlainRows`, byte for byte.
    """
    native = native_module()
    return native.TextRows if native else None


@cache
def native_spans() -> Callable[..., tuple[Offsets, Offsets]] | None:
    """Return the native search for spans; None: it is missing.

    It returns what `scoring.spans.by_python` returns.
    """
    native = native_module()
    return native.spans if native else None


@cache
def native_places() -> Callable[[Floats, Floats], Offsets] | None:
    """Return the native search in sorted keys; None: it is missing.

    It returns what `numpy.searchsorted` returns, for numbers that are not NaN.
    """
    native = native_module()
    return native.places if native else None
