"""The names of models: a GPT, an ensemble of several, a mixture of either with counts."""

from __future__ import annotations

from microgpt.wording import ALONE, MIXED, count, counts_of


def alone(models: int = 1) -> str:
    """Name the GPT, or the GPTs of an ensemble, without the counts that are mixed in.

    >>> alone(), alone(2)
    ('GPT alone', 'GPTs alone')
    """
    return ALONE if models == 1 else "GPTs alone"


def mixed(models: int = 1) -> str:
    """Name a mixture of one or more GPTs with counts.

    >>> mixed(), mixed(2)
    ('GPT + counts', 'GPTs + counts')
    """
    return MIXED if models == 1 else "GPTs + counts"


def kind_of(models: int, n: int, unit: str, weight: float | None = None) -> str:
    """Name a model: how many GPTs it averages, and the counts that it mixes in.

    Args:
        models: how many GPTs.
        n: the length of the longest n-grams, in tokens; 0: none are mixed in.
        unit: the name of a token.
        weight: of the counts in the mixture; None: not shown.

    >>> kind_of(1, 0, "character"), kind_of(2, 5, "character", 0.2)
    ('GPT', '2 GPTs + counts of 5 characters (20 %)')
    """
    gpts = "GPT" if models == 1 else count(models, "GPT")
    return f"{gpts} + {counts_of(n, unit, weight)}" if n else gpts
