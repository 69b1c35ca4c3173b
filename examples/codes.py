"""Product codes with a check digit: how much of the format a model learns.

In: codes generated here, such as `KAB-40718-23-6`: one of forty groups, a number, a year, and
Luhn's check digit of the seven digits before it. Out: the share flagged of codes spoilt in five
ways, by a model that flags 1 % of good ones, a regular expression, a list, and the check sum.

    python examples/codes.py
"""

from __future__ import annotations

import math
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import price, table

import microgpt
from microgpt.scoring.reference import Reference
from microgpt.scoring.threshold import threshold

GROUPS = [a + b + c for a in "KLMRT" for b in "AEIO" for c in "BD"]
SHAPE = re.compile(r"[A-Z]{3}-\d{5}-\d{2}-\d")


def luhn(digits: str) -> str:
    """Return the digit that makes a number valid (Luhn, US patent 2,950,048, 1960).

    >>> luhn("7992739871")
    '3'
    """
    doubled = [2 * int(d) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def code(rng: random.Random) -> str:
    """Make a code; late years are more frequent."""
    number, year = f"{rng.randrange(100_000):05}", f"{rng.choices(range(10, 25), range(1, 16))[0]}"
    return f"{rng.choice(GROUPS)}-{number}-{year}-{luhn(number + year)}"


def letter(text: str, rng: random.Random) -> str:
    """Write O for a nought, I for a one, or S for a five."""
    places = [i for i, c in enumerate(text) if c in "015"] or [len(text) - 1]
    i = rng.choice(places)
    return text[:i] + {"0": "O", "1": "I"}.get(text[i], "S") + text[i + 1 :]


def short(text: str, rng: random.Random) -> str:
    """Leave a digit of the number out."""
    i = rng.randrange(4, 9)
    return text[:i] + text[i + 1 :]


def group(text: str, rng: random.Random) -> str:
    """Exchange two letters of the group."""
    return (
        text[1] + text[0] + text[2:]
        if rng.random() < 0.5
        else text[0] + text[2] + text[1] + text[3:]
    )


def year(text: str, rng: random.Random) -> str:
    """Write a year that never was, with the check digit that it would have."""
    made = str(rng.randrange(60, 100))
    return f"{text[:10]}{made}-{luhn(text[4:9] + made)}"


def digit(text: str, rng: random.Random) -> str:
    """Write another digit into the number."""
    i = rng.randrange(4, 9)
    return text[:i] + rng.choice("0123456789".replace(text[i], "")) + text[i + 1 :]


SPOILT: tuple[Callable[[str, random.Random], str], ...] = (letter, short, group, year, digit)


def main() -> None:
    """Train, spoil codes, count flags."""
    rng = random.Random(1)
    codes = list({code(rng): None for _ in range(26_000)})
    seen, good = codes[:20_000], codes[20_000:]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "codes.txt").write_text("\n".join(seen))
        run = microgpt.train(
            Path(folder) / "codes.txt", preset="micro", seed=1, steps=800, out=Path(folder) / "run"
        )
        held_out = price(run, run.documents[1])
        usual = Reference(held_out.laid.lengths_D, held_out.means_D)
    limit = threshold(usual, 0.01)

    def flagged(texts: list[str]) -> float:
        found = price(run, texts)
        return float(limit.flags(found.laid.lengths_D, found.means_D).mean())

    known = {text[:3] for text in seen}
    tests: dict[str, Callable[[list[str]], float]] = {
        "microgpt": flagged,
        "the shape": lambda texts: sum(not SHAPE.fullmatch(t) for t in texts) / len(texts),
        "a list of groups": lambda texts: sum(t[:3] not in known for t in texts) / len(texts),
        "the check digit": lambda texts: sum(not valid(t) for t in texts) / len(texts),
    }
    rows = [["good ones, unseen", *(f"{test(good):.1%}" for test in tests.values())]]
    for how in SPOILT:
        spoilt = [how(text, rng) for text in good]
        name = str(how.__doc__).split(",")[0].rstrip(".").lower()
        rows.append([name, *(f"{test(spoilt):.1%}" for test in tests.values())])
    table(["flagged", *tests], rows)
    last = [score.losses[-2] for score in run.scores(good[:1000])]
    mean = sum(last) / len(last)
    print(f"\nThe check digit costs {mean:.3f} nats; a guess, ln 10, {math.log(10):.3f}.")


def valid(text: str) -> bool:
    """Return whether a code's check digit is correct."""
    digits = re.sub(r"\D", "", text)
    return len(digits) > 1 and luhn(digits[:-1]) == digits[-1]


if __name__ == "__main__":
    main()
