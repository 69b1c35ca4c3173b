"""The argument X of an estimator: checked, converted to strings, and measured.

In: strings in a list, an array, a column of a table. Out: a list of str, or an error that names the
first entry that is not a string; and the nats of each text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.data.column import is_missing
from microgpt.errors import UsageError
from microgpt.runs.model import Model

Floats = NDArray[np.float64]

# Texts measured at once.
_TEXTS = 8192


def strings(X: Iterable[Any]) -> list[str]:
    """Return the texts of X, which has one dimension or one column.

    Raises:
        UsageError: X has another shape, is empty, or has an entry that is not a string.

    >>> strings(np.array([["ada"], ["bea"]]))
    ['ada', 'bea']
    >>> strings(["ada", None])
    Traceback (most recent call last):
    microgpt.errors.UsageError: X[1] must be a string; got None. Drop what is missing, or fill it.
    """
    if isinstance(X, (str, bytes)):
        raise UsageError(f"X must be many strings; got one, {X!r:.40}. Try [X].")
    values = np.asarray(list(X) if isinstance(X, Iterator) else X, dtype=object)
    if values.ndim == 0:
        raise UsageError(
            f"X must be a list, an array or a column of strings; got {type(X).__name__}."
        )
    if values.ndim > 1 and values.size != len(values):
        raise UsageError(
            f"X must have one column, of strings; got shape {values.shape}. Choose one of them."
        )
    found: list[Any] = values.ravel().tolist()
    if not found:
        raise UsageError("X must have at least one string; got none.")
    for i, text in enumerate(found):
        if not isinstance(text, str):
            remedy = " Drop what is missing, or fill it." if is_missing(text) else ""
            raise UsageError(f"X[{i}] must be a string; got {text!r:.40}.{remedy}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"X[{i}] must be Unicode; got {text!a:.40}.") from None
    return list(map(str, found))


def priced(run: Model, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the nats of each text, and its characters as they are read, its end included.

    The nats are those of `Run.score`, computed many texts at a time; what a mask matches is one
    character.
    """
    groups = [texts[i : i + _TEXTS] for i in range(0, len(texts), _TEXTS)]
    each = [run.pricer.price(group) for group in groups]
    nats = np.concatenate([one.nats_D for one in each])
    return nats, np.concatenate([one.laid.characters_D for one in each]).astype(np.float64)
