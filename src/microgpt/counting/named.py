"""The names of models: a GPT, an ensemble of several, a mixture of either with counts."""

from __future__ import annotations

from microgpt.wording import ALONE, MIXED, count


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


def counts_of(
    n: int,
    unit: str = "character",
    weight: float | None = None,
    *,
    several: bool = False,
    cached: bool = False,
) -> str:
    """Name what a GPT is mixed with.

    Args:
        n: the length of the longest n-grams, in tokens.
        unit: the name of a token.
        weight: of the counts in the mixture; None: not shown.
        several: whether shorter n-grams have counts of their own, from two tokens on.
        cached: whether there is a cache of long texts, too.

    >>> counts_of(5), counts_of(3, "byte", 0.374, cached=True)
    ('counts of 5 characters', 'counts of 3 bytes (37 %) and a cache of the text')
    >>> counts_of(8, several=True)
    'counts of 2 to 8 characters'
    """
    share = "" if weight is None else f" ({100 * weight:.0f} %)"
    shortest = "2 to " if several and n > 2 else ""
    cache = " and a cache of the text" if cached else ""
    return f"counts of {shortest}{count(n, unit)}{share}{cache}"


def kind_of(models: int, counts: str = "") -> str:
    """Name a model: how many GPTs it averages, and the counts that it mixes in.

    Args:
        models: how many GPTs.
        counts: as `counts_of` names them; "": none are mixed in.

    >>> kind_of(1), kind_of(2, counts_of(5, weight=0.2))
    ('GPT', '2 GPTs + counts of 5 characters (20 %)')
    """
    gpts = "GPT" if models == 1 else count(models, "GPT")
    return f"{gpts} + {counts}" if counts else gpts
