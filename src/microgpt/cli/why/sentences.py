"""What the curves of `microgpt why --train` show, in sentences; each is yielded only if it is true.

In: an experiment and its curves. Out: sentences with the numbers of the curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from microgpt.experiment import SURE_AND_WRONG, Experiment, Point
from microgpt.loss import OBJECTIVES
from microgpt.wording import count, figures

Curves = dict[str, list[Point]]
"""Points by the objective's name; cross-entropy's among them."""

_TRUE = "cross-entropy"
_HERE = OBJECTIVES[_TRUE].formula


def plain_told(prepared: Experiment, curves: Curves) -> Iterator[str]:
    """Say what plain gradient descent shows: the length of the first gradients, who starts late."""
    base, others = curves[_TRUE][0].slope, _others(curves)
    shorter = {name: base / points[0].slope for name, points in others.items() if points[0].slope}
    if len(shorter) == len(others) and all(times > 1.5 for times in shorter.values()):
        weights = [number(points[0].weight) for points in others.values()]
        yield (
            f"slope = w(p) (probabilities - 1[target]). At the start w is {_and(weights)} on "
            f"average for {_and(_formulas(others))}, where {_HERE} has 1: so their slopes are "
            f"{_and([f'{times:.0f}' for times in shorter.values()])} times shorter."
        )
    yield from _letters(prepared, curves)
    yield from _late(prepared, curves)
    yield from _stalled(prepared, curves)


def adam_told(prepared: Experiment, curves: Curves) -> Iterator[str]:
    """Say what the recipe's own optimizer shows: an equal start, and where the others stall."""
    others = _others(curves)
    alike = _alike(curves)
    if alike:
        step = curves[_TRUE][alike].step
        nats = [_nats(points[alike].loss) for points in curves.values()]
        yield (
            "A w that is small everywhere is made up for: after "
            f"{count(step, 'step')} the three stand at {_and(nats)} nats."
        )
    yield from _letters(prepared, curves)
    for name, points in others.items():
        best, end = min(points, key=lambda point: point.loss), points[-1]
        if end.loss > best.loss + 0.1 and end.step > best.step:
            blind = prepared.baselines["uniform"].mean
            worse = f", more than a blind guess ({blind:.2f})" if end.loss > blind else ""
            yield (
                f"{OBJECTIVES[name].formula} is at its best after step {best.step}, with "
                f"{_nats(best.loss)} nats; at the end it costs {_nats(end.loss)}{worse}."
            )
    yield from _stalled(prepared, curves)
    rights = [f"{points[-1].accuracy:.1%}" for points in others.values()]
    own = curves[_TRUE][-1].accuracy
    yield (
        f"The likeliest character came at {_and(rights)} of the positions with "
        f"{_and(_formulas(others))}, and at {own:.1%} with {_HERE}."
    )


def number(value: float) -> str:
    """Write a slope or a weight in three digits.

    >>> number(0.4164), number(0.0000123), number(1.0)
    ('0.416', '1.23e-05', '1')
    """
    return f"{value:.3g}"


def _letters(prepared: Experiment, curves: Curves) -> Iterator[str]:
    """Say from which step on each has a lower loss than the unigram model."""
    letters = prepared.baselines["unigram"].mean
    since: dict[str, int | None] = {}
    for name, points in curves.items():
        above = [i for i, point in enumerate(points) if point.loss >= letters]
        after = above[-1] + 1 if above else 0
        since[name] = points[after].step if after < len(points) else None
    parts = [
        f"{OBJECTIVES[name].formula} costs less from step {step:,} on"
        for name, step in since.items()
        if step is not None
    ]
    never = [OBJECTIVES[name].formula for name, step in since.items() if step is None]
    if never:
        verb = "costs" if len(never) == 1 else "cost"
        parts.append(f"{_and(never)} {verb} more at the end")
    known = f"Knowing only how common each character is costs {letters:.2f} nats"
    yield f"{known}: {'; '.join(parts)}."


def _late(prepared: Experiment, curves: Curves) -> Iterator[str]:
    """Say where the others are when cross-entropy has reached the unigram model's loss."""
    letters = prepared.baselines["unigram"].mean
    base, others = curves[_TRUE], _others(curves)
    at = next((i for i, point in enumerate(base) if point.loss < letters), 0)
    fall = base[0].loss - base[at].loss
    falls = [points[0].loss - points[at].loss for points in others.values()]
    if at and max(map(abs, falls)) < fall / 4:
        now = [_nats(points[at].loss) for points in others.values()]
        yield (
            f"After {count(base[at].step, 'step')} {_HERE} has come from {_nats(base[0].loss)} to "
            f"{_nats(base[at].loss)} nats, and {_and(_formulas(others))} are at {_and(now)}: they "
            "have hardly started."
        )


def _stalled(prepared: Experiment, curves: Curves) -> Iterator[str]:
    """Say if the others stall, at positions where they are confident and wrong."""
    own = curves[_TRUE][-1]
    for name, points in _others(curves).items():
        end = points[-1]
        if end.wrong <= own.wrong or end.wrong_weight is None or end.wrong_weight > 0.1:
            continue
        sentence = (
            f"{OBJECTIVES[name].formula} gives what came less than {SURE_AND_WRONG:g} at "
            f"{end.wrong:.1%} of the positions ({_HERE}: {own.wrong:.1%}); there w is "
            f"{number(end.wrong_weight)}."
        )
        if end.stayed is not None and own.stayed is not None and end.stayed > own.stayed:
            sentence += (
                f" It stalls there: of those that stood so at step {prepared.quarter}, "
                f"{end.stayed:.0%} still do ({_HERE}: {own.stayed:.0%})."
            )
        yield sentence


def _alike(curves: Curves) -> int:
    """Return the last point until which all fell by the same, within a tenth; 0: there is none."""
    alike = 0
    for i in range(1, min(map(len, curves.values()))):
        falls = [points[0].loss - points[i].loss for points in curves.values()]
        if min(falls) > 0 and min(falls) >= 0.9 * max(falls):
            alike = i
    return alike


def _others(curves: Curves) -> Curves:
    return {name: points for name, points in curves.items() if name != _TRUE}


def _formulas(curves: Curves) -> list[str]:
    return [OBJECTIVES[name].formula for name in curves]


def _nats(value: float) -> str:
    return figures(value, 2)


def _and(words: Sequence[str]) -> str:
    """Write a list.

    >>> _and(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
