"""Host names that do not belong: made by a machine, misspelt, or called by another scheme.

In: host names made here, as a company would give them. Out: the share that is flagged of new names,
of those among them that the model has not seen, and of odd ones; beside the entropy of a name's
letters, and beside a list of the words that names are made of.

    python examples/hosts.py
"""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Callable

import numpy as np
from measure import Test, flag_table, made, unheard
from numpy.typing import NDArray

from microgpt.sklearn import TextDensity

ROLES = ["web", "app", "db", "cache", "queue", "mail", "search", "auth", "proxy", "backup", "vpn"]
SITES = ["ams", "fra", "lon", "par", "waw", "mad", "osl", "hel", "dub", "zrh"]
RATE = 0.01


def host(rng: random.Random) -> str:
    """Name a host: its role, number, place and zone."""
    role = rng.choices(ROLES, range(len(ROLES), 0, -1))[0]
    stage = rng.choices(["", "-test", "-dev"], [8, 1, 1])[0]
    zone = rng.choices(["int", "dmz"], [4, 1])[0]
    site = f"{rng.choice(SITES)}{rng.randint(1, 3)}"
    return f"{role}{stage}-{rng.randint(1, 60):02}.{site}.{zone}.example.net"


def generated(rng: random.Random) -> str:
    """Letters at random, as malware asks for."""
    first = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(6, 9)))
    return f"{first}.{host(rng).split('.', 1)[1]}"


def misspelt(rng: random.Random) -> str:
    """Two letters of the role exchanged."""
    name = next(name for name in iter(lambda: host(rng), "") if name[0] != name[1])
    return name[1] + name[0] + name[2:]


def unknown(rng: random.Random) -> str:
    """A place where there is nothing."""
    name = host(rng).split(".")
    return ".".join([name[0], f"{rng.choice(['nyc', 'sfo', 'tyo', 'sin', 'syd'])}1", *name[2:]])


def foreign(rng: random.Random) -> str:
    """Another scheme."""
    return f"ip-10-{rng.randint(0, 255)}-{rng.randint(0, 255)}.{rng.choice(SITES)}1.int.example.net"


KINDS: tuple[Callable[[random.Random], str], ...] = (generated, misspelt, unknown, foreign)


def entropy(names: list[str]) -> NDArray[np.float64]:
    """Return the bits a character of each name's first word, counted on itself: high is odd."""
    words = [name.split(".")[0] for name in names]
    counts = [np.array([*Counter(word).values()]) / len(word) for word in words]
    return np.array([-(p * np.log2(p)).sum() for p in counts])


def words_of(name: str) -> list[str]:
    """Split a name, every number the same."""
    return re.findall("[a-z]+|#+", re.sub(r"\d", "#", name))


def main() -> None:
    """Train, set thresholds, count flags."""
    rng = random.Random(1)
    seen, groups = made(host, KINDS, rng)
    model = TextDensity(preset="micro", steps=500, contamination=RATE, random_state=1).fit(seen)
    limit = float(np.quantile(entropy(seen), 1 - RATE))
    tests: dict[str, Test] = {
        "microgpt": lambda texts: model.predict(texts) < 0,
        "entropy": lambda texts: entropy(texts) > limit,
        "list of words": unheard(seen, words_of),
    }
    flag_table(tests, groups)
    worst = model.run_.score(misspelt(rng))
    top = max(range(len(worst.text)), key=lambda i: worst.losses[i])
    likely = " ".join(worst.characters[top].likely)
    print(f"\n{worst.text}: {worst.losses[top]:.1f} nats for {worst.text[top]!r}; likely: {likely}")


if __name__ == "__main__":
    main()
