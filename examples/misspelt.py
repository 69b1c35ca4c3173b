"""Find misspelt and foreign names: rank names by nats a character.

In: the embedded surnames, 4,000 of them held back from all models, half of these misspelt in four
ways; and a hundred names from five countries. Out: each model's area under the ROC curve: the
probability that an odd name has a higher loss than a good one. 1 is perfect, 0.5 is chance.

    python examples/misspelt.py
"""

from __future__ import annotations

import random
import string
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import counted, price, table
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import microgpt
from microgpt.data.datasets import names_path

SEEDS = range(3)
ASIDE = 4000
FOREIGN = {
    "Finnish": "hyvonen jarvinen karjalainen koskinen lehtonen makinen nieminen pitkanen"
    " rautiainen saarinen tuominen vaisanen virtanen ylonen aaltonen haapala kauppinen leppanen"
    " ojala rantanen",
    "Icelandic": "arnardottir bjornsdottir einarsdottir gudmundsson gunnarsdottir halldorsson"
    " hjartarson ingolfsdottir jonsdottir kristjansdottir magnusdottir palsson ragnarsson"
    " sigurdardottir sigurjonsson steingrimsson thorvaldsson tryggvason vilhjalmsson ornolfsdottir",
    "Polish": "wojciechowski szczepanski grzegorczyk przybylski zawadzki wrzesniewski krzyzanowska"
    " szymczyk brzezicki dzieciol jedrzejczyk kwiecien mscislawski pietrzyk rzepecki skrzypczak"
    " trzcinski wlodarczyk zdziech zielinska",
    "Vietnamese": "nguyen tran pham huynh hoang phan vuong dang bui duong ngo ly trinh doan thai"
    " luong phung quach nghiem khuat",
    "Welsh": "llewelyn gwynedd cadwaladr prydderch llwyd ynyr rhydderch gwilym bowain eynon tudur"
    " gruffudd cynwrig meurig iorwerth goronwy maredudd ednyfed hywel llywarch",
}


def swapped(word: str, rng: random.Random) -> str:
    """Exchange two adjacent letters that differ."""
    i = rng.choice([i for i in range(len(word) - 1) if word[i] != word[i + 1]] or [0])
    return word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :]


def dropped(word: str, rng: random.Random) -> str:
    """Omit a letter."""
    i = rng.randrange(len(word))
    return word[:i] + word[i + 1 :]


def doubled(word: str, rng: random.Random) -> str:
    """Double a letter."""
    i = rng.randrange(len(word))
    return word[: i + 1] + word[i:]


def replaced(word: str, rng: random.Random) -> str:
    """Replace a letter with another."""
    i = rng.randrange(len(word))
    return word[:i] + rng.choice(string.ascii_lowercase.replace(word[i], "")) + word[i + 1 :]


KINDS: tuple[Callable[[str, random.Random], str], ...] = (swapped, dropped, doubled, replaced)


def looked_up(known: set[str], words: list[str]) -> NDArray[np.float64]:
    """Return 0 for a name in the list and 1 for another: the simplest alternative."""
    return np.array([0.0 if word in known else 1.0 for word in words])


def areas(seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the areas of one split, by kind of odd name and by model."""
    rng = random.Random(seed)
    names = names_path().read_text("ascii").split()
    rng.shuffle(names)
    good, to_spoil, rest = names[: ASIDE // 2], names[ASIDE // 2 : ASIDE], names[ASIDE:]
    real = set(names)
    odd = {how.__name__: [how(name, rng) for name in to_spoil] for how in KINDS}
    # A misspelling that is itself a surname does not count as misspelt.
    odd = {kind: [word for word in words if word not in real] for kind, words in odd.items()}
    known = set(rest)
    for where, text in FOREIGN.items():
        odd[where] = [word for word in text.split() if word not in known]
    (folder / "surnames.txt").write_text("\n".join(rest))
    run = microgpt.train(folder / "surnames.txt", preset="micro", seed=seed, out=folder / "run")
    pairs = counted(run, 2)
    scorers: dict[str, Callable[[list[str]], NDArray[np.float64]]] = {
        "microgpt": lambda words: price(run, words).means_D,
        f"{run.ngram.n}-grams": lambda words: price(run, words, run.ngram).means_D,
        "pairs": lambda words: price(run, words, pairs).means_D,
        "look-up": lambda words: looked_up(known, words),
    }
    found: dict[str, dict[str, float]] = {}
    for kind, words in odd.items():
        truth = [0] * len(good) + [1] * len(words)
        found[kind] = {
            name: float(roc_auc_score(truth, scorer(good + words)))
            for name, scorer in scorers.items()
        }
    return found


def main() -> None:
    """Measure several splits, print means and spreads."""
    splits = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            splits.append(areas(seed, Path(folder)))
    rows = []
    for kind in splits[0]:
        cells = np.array([list(split[kind].values()) for split in splits])
        pairs = zip(cells.mean(axis=0), cells.std(axis=0, ddof=1))
        rows.append([kind, *(f"{mean:.3f} ± {spread:.3f}" for mean, spread in pairs)])
    table(["", *splits[0]["swapped"]], rows)


if __name__ == "__main__":
    main()
