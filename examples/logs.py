"""Unusual log lines among thousands of similar ones.

In: lines of a small web service, generated here, as they are and stamped with time, address and
request. Out: the share flagged of new lines, of those among them that are not in the training data,
and of odd ones; by models with and without masks, and by a list of the words in lines, with all
numbers treated as equal.

    python examples/logs.py
    python examples/logs.py 5       # the means of five seeds
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from statistics import mean

from measure import Test, made, table, unheard

from microgpt.sklearn import TextDensity

Make = Callable[[random.Random], str]

PATHS = ["users", "orders", "items", "carts", "prices", "images", "search", "login", "health"]
RATE = 0.01
STAMP = "dates,ip,hex"
NUMBER = "number=(?<=[a-z][/:])[0-9]+"


def line(rng: random.Random) -> str:
    """Make a line of the service's log."""
    kind = rng.random()
    if kind < 0.7:
        verb = rng.choices(["GET", "POST", "PUT", "DELETE"], [80, 12, 6, 2])[0]
        status = {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}[verb]
        status = rng.choices([status, 304, 404], [90, 6, 4])[0]
        path = rng.choice(PATHS)
        number = f"/{rng.randrange(1, 100_000)}" if path in PATHS[:6] else ""
        return f"INFO http {verb} /{path}{number} {status} {max(1, round(rng.gauss(18, 6)))}ms"
    if kind < 0.9:
        rows = rng.randrange(1, 200)
        return (
            f"INFO db query {rng.choice(PATHS[:5])} rows={rows} {max(1, round(rng.gauss(4, 1)))}ms"
        )
    if kind < 0.97:
        key = f"{rng.choice(PATHS[:6])}:{rng.randrange(1, 100_000)}"
        return f"INFO cache {rng.choice(['hit', 'miss'])} {key}"
    return f"WARN pool {rng.randrange(15, 20)} of 20 connections in use"


def traversal(rng: random.Random) -> str:
    """A path that climbs out."""
    return f"INFO http GET /{rng.choice(PATHS)}/{'../' * rng.randint(2, 4)}etc/passwd 404 3ms"


def injection(rng: random.Random) -> str:
    """A query in a number's place."""
    return f"INFO http GET /users/{rng.randrange(1, 999)}'+OR+1=1-- 200 {rng.randint(12, 30)}ms"


def slow(rng: random.Random) -> str:
    """A request of half a minute."""
    return f"INFO http GET /{rng.choice(PATHS[6:])} 200 {rng.randint(20_000, 40_000)}ms"


def status(rng: random.Random) -> str:
    """An answer that such a request never had."""
    path = rng.choice(PATHS[:6])
    return f"INFO http DELETE /{path}/{rng.randrange(1, 100_000)} 201 {rng.randint(10, 30)}ms"


def cut(rng: random.Random) -> str:
    """A line without its end."""
    whole = line(rng)
    return whole[: rng.randint(len(whole) // 3, 2 * len(whole) // 3)]


KINDS: tuple[Make, ...] = (traversal, injection, slow, status, cut)


def stamped(make: Make) -> Make:
    """Put before a line what a log file has there."""

    def whole(rng: random.Random) -> str:
        hour, minute, second = rng.randrange(24), rng.randrange(60), rng.random() * 59
        time = f"2026-11-{rng.randrange(1, 29):02}T{hour:02}:{minute:02}:{second:06.3f}Z"
        address = f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"
        return f"{time} {address} [{rng.getrandbits(48):012x}] {make(rng)}"

    whole.__doc__ = make.__doc__
    return whole


def words_of(text: str) -> list[str]:
    """Split a line, every number the same, and every word that has a digit and is hexadecimal."""
    return re.sub(r"\b(?=[a-f]*\d)[0-9a-f]{12}\b|\d+", "#", text).split()


def density(seen: list[str], seed: int, *masks: str) -> Test:
    """Train on lines; flag what is rarer than 99 % of good ones."""
    model = TextDensity(
        preset="micro", steps=500, contamination=RATE, random_state=seed, mask=masks or None
    ).fit(seen)
    return lambda texts: model.predict(texts) < 0


def shares(seed: int) -> dict[str, list[float]]:
    """Return what share of each group of lines each test flags."""
    found: dict[str, list[float]] = {}
    dresses: dict[str, Callable[[Make], Make]] = {"": lambda make: make, "stamped: ": stamped}
    for what, dress in dresses.items():
        rng, masks = random.Random(seed), [STAMP] * bool(what)
        seen, groups = made(dress(line), [dress(kind) for kind in KINDS], rng)
        tests: tuple[Test, ...] = (
            density(seen, seed),
            density(seen, seed, *masks, NUMBER),
            density(seen, seed, *masks, "digits"),
            unheard(seen, words_of),
        )
        for group, texts in groups.items():
            name = f"{what}{group} ({len(texts):,})"
            found[name] = [float(test(texts).mean()) for test in tests]
    return found


def main(seeds: int = 1) -> None:
    """Train, set thresholds, count flags."""
    each = [shares(seed) for seed in range(1, seeds + 1)]
    rows = [
        [name, *(f"{mean(of_seeds):.1%}" for of_seeds in zip(*its))]
        for name, its in zip(each[0], zip(*(one.values() for one in each)))
    ]
    table(["flagged", "no mask", "number", "digits", "words"], rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
