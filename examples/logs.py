"""Unusual log lines among thousands of similar ones.

In: lines of a small web service, generated here. Out: the share flagged of new lines, of those
among them that are not in the training data, and of odd ones; by the model, and by a list of the
words in lines, with all numbers treated as equal.

    python examples/logs.py
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from measure import Test, flag_table, made, unheard

from microgpt.sklearn import TextDensity

PATHS = ["users", "orders", "items", "carts", "prices", "images", "search", "login", "health"]
RATE = 0.01


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


KINDS: tuple[Callable[[random.Random], str], ...] = (traversal, injection, slow, status, cut)


def words_of(text: str) -> list[str]:
    """Split a line into words; all numbers become equal."""
    return re.sub(r"\d+", "#", text).split()


def main() -> None:
    """Train, set thresholds, count flags."""
    rng = random.Random(1)
    seen, groups = made(line, KINDS, rng)
    model = TextDensity(preset="micro", steps=500, contamination=RATE, random_state=1).fit(seen)
    tests: dict[str, Test] = {
        "microgpt": lambda texts: model.predict(texts) < 0,
        "list of words": unheard(seen, words_of),
    }
    flag_table(tests, groups)


if __name__ == "__main__":
    main()
