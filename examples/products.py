"""A spreadsheet of products in which some names were typed wrong: find them, and what was meant.

In: 20,000 products made here, as a shop has them: a number, a name as "Dyson Portable Hard Drive
TA9150 (Black)", a price; 52 names have one mistake. Out: of the 50 rows that `microgpt suspicious`
writes, how many have a mistake, and how many suggestions are what was meant; beside the simplest
alternative, the names with the rarest words.

    python examples/products.py
"""

from __future__ import annotations

import csv
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

KINDS = {
    "Mouse": "Wireless|Optical|Silent|Gaming|Vertical",
    "Keyboard": "Mechanical|Wireless|Compact|Backlit|Silent",
    "Headphones": "Wireless|Noise Cancelling|Folding|Gaming|Studio",
    "Monitor": "Curved|Gaming|Portable|Ultrawide|Touch",
    "Webcam": "Full HD|4K|Streaming|Autofocus",
    "Docking Station": "USB-C|Thunderbolt|Triple Display|Compact",
    "Charger": "USB-C|Wireless|Travel|Dual Port|Fast",
    "Power Bank": "Slim|Solar|Fast|Rugged|Magnetic",
    "Speaker": "Bluetooth|Portable|Waterproof|Shelf|Party",
    "Printer": "Laser|Inkjet|Photo|Label|Portable",
    "Router": "Mesh|Gigabit|Travel|Dual Band",
    "Hard Drive": "External|Internal|Rugged|Portable|Desktop",
    "Memory Card": "High Speed|Waterproof|Industrial|Photo",
    "Backpack": "Laptop|Travel|Camera|Waterproof|School",
    "Desk Lamp": "Folding|Dimmable|Clip-on|Solar|Reading",
    "Coffee Machine": "Automatic|Compact|Filter|Espresso|Capsule",
    "Kettle": "Electric|Glass|Travel|Steel|Gooseneck",
    "Toaster": "Two Slice|Four Slice|Retro|Compact",
    "Blender": "Hand|Portable|Glass|Smoothie|Professional",
    "Vacuum Cleaner": "Cordless|Robot|Bagless|Handheld|Quiet",
    "Drill": "Cordless|Impact|Hammer|Compact|Angle",
    "Screwdriver Set": "Magnetic|Precision|Insulated|Ratchet",
    "Garden Hose": "Expandable|Flexible|Reinforced|Coiled",
    "Tent": "Family|Trekking|Inflatable|Festival|Winter",
    "Sleeping Bag": "Summer|Winter|Ultralight|Double|Children's",
    "Bicycle Helmet": "Folding|Children's|Mountain|Racing|City",
}
BRANDS = [
    "Acer", "Anker", "Bosch", "Brother", "Canon", "Creative", "Dell", "Dyson", "Epson", "Garmin",
    "Hama", "Jabra", "Kingston", "Lenovo", "Logitech", "Makita", "Microsoft", "Netgear",
    "Panasonic", "Philips", "Razer", "Rowenta", "Samsung", "Sandisk", "Sennheiser", "Siemens",
    "Sony", "Stanley", "Toshiba", "Trust", "Ultimate", "Verbatim", "Western", "Xiaomi", "Yamaha",
    "Zyxel",
]  # fmt: skip
COLOURS = [
    "Black", "White", "Silver", "Graphite", "Navy Blue", "Forest Green", "Red", "Light Grey",
    "Sand", "Rose",
]  # fmt: skip
SIZES = [
    "2-Pack", "Refurbished", "with Bag", "with Cable", "Limited Edition", "Set of Three",
    "Spare Part",
]  # fmt: skip
PRODUCTS, WRONG, ROWS = 20_000, 52, 50


def product(rng: random.Random) -> str:
    """Make a name; some brands and kinds come often, others rarely."""
    brand = BRANDS[int(len(BRANDS) * rng.random() ** 1.6)]
    kind = rng.choices([*KINDS], range(1, len(KINDS) + 1))[0]
    model = f"{rng.choice('BDGKMPSTXZ')}{rng.choice('ABELRX')}{rng.randrange(1, 1000)}0"
    name = f"{brand} {rng.choice(KINDS[kind].split('|'))} {kind} {model}"
    name += f" ({rng.choice(COLOURS)})" if rng.random() < 0.5 else ""
    return name + (f", {rng.choice(SIZES)}" if rng.random() < 0.2 else "")


def misspelt(name: str, rng: random.Random) -> str:
    """Make one mistake in a word of four letters or more: a space, or a letter more, less or wrong.

    >>> misspelt("Sony Optical Mouse SA100", random.Random(1))
    'S ony Optical Mouse SA100'
    """
    word = rng.choice([*re.finditer(r"[A-Za-z]{4,}", name)])
    i = rng.randrange(word.start() + 1, word.end() - 1)
    before, letter, after = name[:i], name[i], name[i + 1 :]
    other = rng.choice([c for c in "aeionrstlm" if c != letter])
    made = (
        f"{before} {letter}{after}",
        f"{before}{letter}{letter}{after}",
        f"{before}{other}{after}",
        f"{before}{after}",
        f"{before}{after[:1]}{letter}{after[1:]}",
    )
    return rng.choice([text for text in made if text != name])


def products(seed: int = 1, copies: int = 1) -> tuple[list[str], dict[str, str]]:
    """Return the names of all rows; and of each that is wrong, what was meant.

    Args:
        seed: of what is drawn.
        copies: how many rows each wrong name has.
    """
    rng = random.Random(seed)
    names = [product(rng) for _ in range(PRODUCTS)]
    meant: dict[str, str] = {}
    for place in rng.sample(range(PRODUCTS), WRONG // copies):
        meant[misspelt(names[place], rng)] = names[place]
    wrong = [name for name in meant for _ in range(copies)]
    for name, place in zip(wrong, rng.sample(range(PRODUCTS), len(wrong))):
        names[place] = name
    return names, meant


def rare(names: Sequence[str], first: int) -> list[str]:
    """Return the names that the simplest alternative would show: those with the rarest words.

    Numbers are left out: of a serial number every one is rare.
    """
    words = {name: re.findall(r"[^\W\d]{2,}", name) for name in dict.fromkeys(names)}
    often = Counter(word for its in words.values() for word in its)
    return sorted(words, key=lambda name: min(often[word] for word in words[name]))[:first]


def write(path: Path, names: Sequence[str], seed: int = 1) -> None:
    """Write the spreadsheet."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "name", "price"])
        for number, name in enumerate(names, start=100_000):
            rows.writerow([number, name, f"{rng.uniform(5, 500):.2f}"])


def read(path: Path) -> list[dict[str, str]]:
    """Read the rows that were written."""
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def main() -> None:
    """Find them, and count."""
    names, meant = products()
    with tempfile.TemporaryDirectory() as place:
        table, odd = Path(place, "products.csv"), Path(place, "odd.csv")
        write(table, names)
        words = [table, "--column", "name", "--top", ROWS, "-o", odd, "--seconds", 20]
        command = [sys.executable, "-m", "microgpt", "suspicious", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True)
        rows = read(odd)
    wrong = [row for row in rows if row["name"] in meant]
    suggested = [row for row in rows if row["suggestion"]]
    right = [row for row in suggested if row["suggestion"] == meant.get(row["name"])]
    others = [name for name in rare(names, ROWS) if name in meant]
    print(f"of {ROWS} rows shown           microgpt  rare words")
    print(f"with a mistake           {len(wrong) / ROWS:>8.0%}  {len(others) / ROWS:>10.0%}")
    print(f"with a suggestion        {len(suggested) / ROWS:>8.0%}  {0:>10.0%}")
    print(f"of these what was meant  {len(right) / len(suggested):>8.0%}  {0:>10.0%}")
    print("\nThe first five:")
    for row in rows[:5]:
        print(f"row {row['row']}, [{row['span']}]: {row['name']}")
        print(f"    -> {row['suggestion']}")


if __name__ == "__main__":
    main()
