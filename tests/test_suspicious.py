"""`microgpt suspicious`: rows scored by models that did not learn from them, each told once."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from microgpt.cli.app import run as cli
from microgpt.data.reader.block import Block
from microgpt.data.texts import Texts
from microgpt.engines import why_not_native
from microgpt.folds import crossed as folds
from microgpt.folds.crossed import Crossed
from microgpt.folds.ranked import ranked
from microgpt.runs import prepared
from microgpt.runs.prepared import Prepared
from microgpt.scoring import suggest
from microgpt.scoring.price import Priced, Pricer
from microgpt.scoring.suggest import Suggester
from microgpt.training.trainer import Trainer

from .conftest import TINY

Capture = pytest.CaptureFixture[str]

COLOURS = ["red", "blue", "green", "white", "black"]
THINGS = ["chair", "lamp", "tent", "drill", "kettle"]
# A mistake that stands in four rows; each of the others in one.
WRONG = ["green laamp 7"] * 4 + ["blue t ent 3", "whiet drill 5"]
TINY_GPT = {
    "engine": "scalar", "preset_name": "microgpt", "steps": 8, "n_embd": 2, "n_head": 1,
    "block_size": 16,
}  # fmt: skip
ABLE = {"engine": "native", "preset_name": "micro", "steps": 300, "n_embd": 16, "n_head": 2}


def lines() -> list[str]:
    """Some hundred names of things, of which six rows are wrong."""
    rng = random.Random(1)
    found = [f"{rng.choice(COLOURS)} {rng.choice(THINGS)} {rng.randrange(10)}" for _ in range(400)]
    for place, wrong in zip(rng.sample(range(400), 6), WRONG):
        found[place] = wrong
    return found


def shrink(patch: pytest.MonkeyPatch, shape: dict[str, object]) -> None:
    """Train a small model, as long as the texts of a test need: no clock decides."""
    real = prepared.in_memory

    def in_memory(data: object, **told: object) -> Prepared:
        return real(data, **{**told, "seconds": None, "ngram": 3, **shape})  # type: ignore[arg-type]

    patch.setattr(prepared, "in_memory", in_memory)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, TINY_GPT)


@pytest.fixture
def _able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model learn something, which the scalar engine would take long for."""
    if why := why_not_native():
        pytest.skip(f"no native engine: {why}")
    for name, value in ABLE.items():
        monkeypatch.setitem(TINY_GPT, name, value)


@pytest.fixture(scope="module")
def learnt() -> Crossed:
    """Folds whose models have learnt something from the lines."""
    if why := why_not_native():
        pytest.skip(f"no native engine: {why}")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, {**TINY_GPT, **ABLE})
        return trained(lines())


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suggest nothing, which takes the scalar engine long."""
    monkeypatch.setattr(Suggester, "suggest", lambda _, texts, *__: [None] * len(texts))


@pytest.fixture
def table() -> Path:
    path = Path("in.csv")
    rows = (f'{n:03},"{line}",{n}\n' for n, line in enumerate(lines()))
    path.write_text("id,name,n\n" + "".join(rows))
    return path


def trained(texts: list[str], number: int = 4) -> Crossed:
    crossed = Crossed(Texts.of(texts), number, 1.0)
    for _ in crossed:
        pass
    return crossed


def test_no_model_learns_from_a_text_that_it_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[set[str]] = []
    inner = prepared.in_memory

    def in_memory(data: Texts, **told: object) -> Prepared:
        made = inner(data, **told)  # type: ignore[arg-type]
        corpus = made.corpus.documents
        assert [*corpus] == [*data]
        learnt.append(set(corpus))
        return made

    monkeypatch.setattr(prepared, "in_memory", in_memory)
    texts = lines()
    crossed = trained(texts)
    assert len(learnt) == crossed.folds == 4
    every = set(texts)
    for text, fold in zip(crossed.texts_U, crossed.folds_U.tolist()):
        assert text not in learnt[fold]
    for fold, known in enumerate(learnt):
        its = {t for t, f in zip(crossed.texts_U, crossed.folds_U.tolist()) if f == fold}
        assert known == every - its
        # The counts that it is mixed with are of these alone, and so is its alphabet.
        tokens = crossed.pricer(fold).tokenizer
        assert {*"".join(known)} == {tokens.decode([i]) for i in range(tokens.vocab_size)} - {""}
    assert sorted(crossed.texts_U) == sorted(every)


def test_a_fold_is_that_of_the_text_whatever_else_there_is() -> None:
    one, other = lines(), lines()[::-1] + TINY
    found = []
    for texts in (one, other):
        crossed = Crossed(Texts.of(texts))
        found.append(dict(zip(crossed.texts_U, crossed.folds_U.tolist())))
    assert all(found[1][text] == fold for text, fold in found[0].items())
    many = Crossed(Texts.of([f"text {n}" for n in range(1000)]))
    sizes = Counter(many.folds_U.tolist())
    assert len(sizes) == folds.FOLDS
    # Five standard deviations of a binomial distribution.
    assert max(abs(size - 200) for size in sizes.values()) < 5 * (1000 * 0.2 * 0.8) ** 0.5


def test_each_text_costs_what_its_fold_s_model_says() -> None:
    texts = lines()
    crossed = trained(texts)
    nats = positions = 0.0
    for u, text in enumerate(crossed.texts_U):
        priced = crossed.pricer(int(crossed.folds_U[u])).price([text])
        assert crossed.means_U[u] == pytest.approx(priced.means_D[0], rel=1e-9)
        assert crossed.lengths_U[u] == len(text)
        assert crossed.unknown_U[u] == priced.laid.unknown_D[0]
        nats, positions = nats + priced.nats_D[0], positions + len(text) + 1
    assert crossed.usual == pytest.approx(nats / positions)


def test_what_surprises_is_what_was_not_expected_and_the_bound_misses_none(
    monkeypatch: pytest.MonkeyPatch, learnt: Crossed
) -> None:
    # A few at a time, so that the bound decides where to end.
    monkeypatch.setattr(folds, "_CLOSELY", 4)
    crossed = learnt
    asked: list[str] = []
    inner = Pricer.unexpected

    def unexpected(self: Pricer, texts: Sequence[str]) -> Priced:
        asked.extend(texts)
        return inner(self, texts)

    monkeypatch.setattr(Pricer, "unexpected", unexpected)
    found = crossed.surprising(3)
    assert 3 <= len(asked) < len(crossed.texts_U)
    surprises: list[float] = []
    spans: list[tuple[int, int]] = []
    for u, text in enumerate(crossed.texts_U):
        pricer = crossed.pricer(int(crossed.folds_U[u]))
        priced = pricer.price([text])
        logits_NV = pricer.predictor.logits(priced.laid.batch)
        p_NV = np.exp(logits_NV) / np.exp(logits_NV).sum(axis=1, keepdims=True)
        entropy_N = -(p_NV * np.log(p_NV)).sum(axis=1)
        over = priced.losses_N - entropy_N - crossed.usual
        n = len(over)
        sums = {(a, b): over[a:b].sum() for a in range(n) for b in range(a + 1, n + 1)}
        spans.append(max(sums, key=lambda ends: sums[ends]))
        surprises.append(sums[spans[-1]])
        assert surprises[-1] <= crossed.bounds_U[u] + 1e-3
    best = np.argsort(-np.array(surprises), kind="stable")[:3].tolist()
    assert found.texts_D.tolist() == best
    assert found.surprises_D.tolist() == pytest.approx([surprises[u] for u in best], abs=1e-3)
    assert [*zip(found.starts_D, found.stops_D)] == [spans[u] for u in best]
    rarer = [100 * sum(s < surprises[u] - 1e-3 for s in surprises) / len(surprises) for u in best]
    assert found.percentiles_D.tolist() == pytest.approx(rarer)


@pytest.mark.slow
@pytest.mark.usefixtures("_able")
def test_mistakes_come_first_those_that_repeat_too_each_once(
    table: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A model as small as this is not sure enough for one mistake in a hundred texts.
    monkeypatch.setattr(suggest, "MISTAKES", 0.3)
    words = ["suspicious", str(table), "--column", "name", "--top", "5", "--seconds", "1"]
    assert cli([*words, "-o", "out.csv"]) == 0
    said = capsys.readouterr()
    rows = [*csv.DictReader(Path("out.csv").read_text().splitlines())]
    assert {row["name"] for row in rows[:3]} == set(WRONG)
    assert [float(row["surprise"]) for row in rows] == sorted(
        (float(row["surprise"]) for row in rows), reverse=True
    )
    every = lines()
    for row in rows:
        assert int(row["copies"]) == every.count(row["name"])
        assert int(row["row"]) == every.index(row["name"]) + 2
        assert row["id"] == f"{int(row['row']) - 2:03}"
    meant = {row["name"]: row["suggestion"] for row in rows}
    right = {"green laamp 7": "green lamp 7", "blue t ent 3": "blue tent 3",
             "whiet drill 5": "white drill 5"}  # fmt: skip
    assert all(meant[wrong] in (text, "") for wrong, text in right.items())
    assert sum(meant[wrong] == text for wrong, text in right.items()) >= 2
    # The bytes of the rows are those of the file.
    raw = table.read_text().splitlines()
    for line in Path("out.csv").read_text().splitlines()[1:]:
        assert line.startswith(tuple(raw[1:]))
    shown = said.out.splitlines()
    assert shown[0] == "     row  copies  surprise  text, and in [] what surprises most"
    assert all(f"  -> {text}  (" in said.out for text in meant.values() if text)
    assert shown[-1] == (
        f"5 of 5 rows; all 5 are in out.csv. Looked at: {len(set(every))} different texts."
    )


@pytest.mark.usefixtures("_able")
def test_a_model_that_learns_from_everything_knows_the_mistake(learnt: Crossed) -> None:
    # What the folds are for: the same model that saw the four copies finds them usual.
    texts, crossed = lines(), learnt
    u = [*crossed.texts_U].index("green laamp 7")
    trainer = prepared.in_memory(Texts.of(texts), seconds=1.0).trainer
    for _ in trainer:
        pass
    pricer = Pricer(trainer.predictor, trainer.task.tokenizer, trainer.task.model.block_size)
    every = pricer.unexpected([*crossed.texts_U]).surprises(crossed.usual)
    found = crossed.surprising(3)
    place = found.texts_D.tolist().index(u)
    assert every[u] < 0.5 * found.surprises_D[place]


@pytest.mark.usefixtures("_quiet")
def test_json_has_what_the_file_has(table: Path, capsys: Capture) -> None:
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:80]))
    words = ["suspicious", str(table), "--column", "name", "--top", "3", "--seconds", "1"]
    assert cli([*words, "--json", "-o", "out.jsonl"]) == 0
    printed = capsys.readouterr().out
    assert printed == Path("out.jsonl").read_text("utf-8")
    assert [json.loads(line)["name"] for line in printed.splitlines()] != []


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
def test_a_training_is_as_long_as_pays(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    costs = iter([3.0, 2.5, 2.4, 2.36])
    asked: list[object] = []
    inner = prepared.in_memory

    class Sum:
        def __init__(self) -> None:
            self.mean = next(costs, 1.0)

    class Measured:
        def __init__(self) -> None:
            self.sum = Sum()

    def in_memory(data: Texts, **told: object) -> Prepared:
        asked.append(told["seconds"])
        return inner(data, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared, "in_memory", in_memory)
    real = Trainer.__iter__

    def run(self: Trainer):  # type: ignore[no-untyped-def]
        yield from real(self)
        self.last_heldout = Measured()  # type: ignore[assignment]

    monkeypatch.setattr(Trainer, "__iter__", run)
    Path("in.txt").write_text("\n".join(lines()[:60]))
    assert cli(["suspicious", "in.txt", "--folds", "3", "--top", "2"]) == 0
    assert asked == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert capsys.readouterr().err == (
        "3 models, each trained for 4 s on the rows of all folds but its own: from 2 s to 4 s the "
        "held-out loss went from 2.400 to 2.360 nats a character. --seconds chooses otherwise.\n"
    )
    asked.clear()
    assert cli(["suspicious", "in.txt", "--folds", "3", "--top", "2", "--seconds", "6"]) == 0
    assert asked == [2.0, 2.0, 2.0]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("a\nb\na\n", "", "there must be at least 20 different texts to tell which are unusual; "
                          "got 2 texts."),
        ("\n \n", "", "in.txt: no documents. Expected text, one document a line."),
        ("a\n", "--top 0", "top must be a whole number from 1; got 0."),
        ("a\n", "--folds 1", "folds must be a whole number from 2; got 1."),
        ("a\n", "--seconds 0", "seconds must be a number above 0; got 0.0."),
        ("a\n", "--bom", "bom must go with --out FILE.csv."),
        ("a\n", "-o in.txt", "out must end in .csv, .jsonl, .parquet or .xlsx; got in.txt."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(
    capsys: Capture, text: str, words: str, expected: str
) -> None:
    Path("in.txt").write_text(text)
    assert cli(["suspicious", "in.txt", *words.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"microgpt: {expected}"
    assert [path.name for path in Path().iterdir()] == ["in.txt"]


def test_an_interruption_leaves_nothing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:80]))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Crossed, "surprising", stop)
    words = ["suspicious", str(table), "--column", "name", "--seconds", "1", "-o", "out.csv"]
    with pytest.raises(SystemExit, match="130"):
        cli(words)
    assert [path.name for path in Path().iterdir()] == ["in.csv"]


@pytest.mark.usefixtures("_quiet")
def test_rows_are_those_of_the_file_in_their_order() -> None:
    texts = lines()[:120]
    assert len(set(texts)) < len(texts)  # some repeat
    crossed = trained(texts)
    block = Block(texts, [None] * len(texts), numbers=range(1, len(texts) + 1))
    found = ranked(crossed, block, 10_000)
    assert sorted(found.block.texts) == sorted(set(texts))
    assert sum(found.copies_D) == len(texts)
    assert np.diff(found.surprises_D).max() <= 0
    for text, number in zip(found.block.texts, found.block.numbers):
        assert texts.index(text) + 1 == number
