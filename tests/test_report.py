"""The page of an evaluation: its numbers are the evaluation's, and hostile text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.runs.run import Run
from microgpt.scoring.heat import MOST, heat

from .conftest import TINY

Capture = pytest.CaptureFixture[str]
HOSTILE = ["<script>alert(1)</script>", "</style><b>&amp;", "\u202eabc", "\"x\" 'y'", "\x00\x1b[1m"]
VOID = {"meta", "rect", "line", "circle", "polyline", "br"}


class Page(HTMLParser):
    """A page as its elements: well nested, or it fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def table(self, head: str) -> list[list[str]]:
        """Return the rows of the first table whose first cell is this."""
        return next(rows[1:] for rows in self.tables if rows[0][0] == head)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("report")
    (folder / "t.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY[:4])]))
    return microgpt.train(
        folder / "t.txt", engine="scalar", preset="microgpt", n_embd=4, n_head=1, block_size=6,
        steps=30, holdout=0.3, out=folder / "run",
    )  # fmt: skip


def page(capsys: Capture, *words: object) -> str:
    assert cli(["report", *map(str, words), "-o", "out.html"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.endswith("Open it in any browser.\n")
    return Path("out.html").read_text("utf-8")


def number(cell: str) -> float:
    return float(cell.replace(",", "").replace(" %", ""))


def test_the_page_s_tables_have_the_evaluation_s_numbers(model: Run, capsys: Capture) -> None:
    got, result = Page(page(capsys, model.folder)), model.evaluate()
    ladder = {name.rstrip(" ●"): number(nats) for name, nats, *_ in got.table("model")}
    told = model.baselines(model.documents[1])
    assert ladder["this model"] == pytest.approx(result.loss, abs=5.1e-5)
    assert ladder["pairs"] == pytest.approx(told["bigram"].mean, abs=5.1e-5)
    assert list(ladder.values()) == sorted(ladder.values(), reverse=True)
    for head, parts in (
        ("position", result.parts.by_position()),
        ("character", result.parts.by_character()),
        ("length", result.parts.by_length()),
    ):
        rows = got.table(head)
        assert len(rows) == len(parts)
        assert sum(number(row[2]) for row in rows) == result.sum.positions
        nats = sum(number(row[1]) * number(row[2]) for row in rows)
        assert nats == pytest.approx(result.sum.nats, abs=5.1e-4 * result.sum.positions)
    bins = got.table("predictions")
    assert sum(number(row[0]) for row in bins) == sum(
        b.predictions for b in result.calibration.bins
    )
    marks = {row[0]: number(row[1]) for row in got.table("score")}
    assert marks["Brier score"] == pytest.approx(result.brier, abs=5.1e-5)
    heats = {row[0]: row for row in got.table("document") if row[0]}
    worst = max(model.scores(model.documents[1]), key=lambda s: s.loss)
    assert number(heats[worst.text][2]) == pytest.approx(worst.losses[0], abs=5.1e-3)
    trained = set(model.documents[0])
    for text, _, seen in got.table("text"):
        assert seen == ("seen" if text in trained else "new")


def test_every_chart_has_a_table_and_a_name_and_nothing_comes_from_elsewhere(
    model: Run, capsys: Capture
) -> None:
    text = page(capsys, model.folder, "--text", "anna")
    got = Page(text)
    assert len(re.findall(r"<figure>.*?</figure>\s*<details>.*?<table>", text, re.DOTALL)) == 2
    assert text.count("<figure>") == 2
    ids = {attributes.get("id") for _, attributes in got.elements}
    for tag, attributes in got.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        assert not {"src", "style"} & set(attributes)
        for name in ("aria-labelledby", "href"):
            for target in (attributes.get(name) or "").replace("#", "").split():
                assert target in ids
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("role") == "img"
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|https?:", style[1])
    assert not re.search(r"https?://", text)


def test_two_reports_of_one_run_are_the_same_and_replace_each_other(
    model: Run, capsys: Capture
) -> None:
    assert page(capsys, model.folder) == page(capsys, model.folder)
    before = {path.name for path in model.folder.iterdir()}
    assert cli(["report", str(model.folder)]) == 0
    assert {path.name for path in model.folder.iterdir()} == before | {"report.html"}


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_hostile_text_stays_text(tmp_path: Path, capsys: Capture, tokenizer: str) -> None:
    (tmp_path / "t.txt").write_text("\n".join([*HOSTILE, "ada", "lea", "z" * 500]))
    words = f"train t.txt --preset microgpt --engine scalar --steps 2 --tokenizer {tokenizer}"
    assert cli([*words.split(), "--out", "<i>run & co"]) == 0
    capsys.readouterr()
    text = page(capsys, "<i>run & co", "--text", "<u>&lt;", "--number", 4)
    got = Page(text)
    assert "script" not in {tag for tag, _ in got.elements}
    assert not {"b", "i", "u"} & {tag for tag, a in got.elements if not a and tag != "b"}
    assert "<script>alert(1)</script>" in got.words
    assert "<u>&lt;" in got.words
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 200_000


def test_a_run_whose_data_are_gone_says_so_on_the_page(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY))
    words = "train t.txt --preset microgpt --engine scalar --steps 2 --out run --holdout 0.2"
    assert cli(words.split()) == 0
    (tmp_path / "t.txt").rename(tmp_path / "other.txt")
    capsys.readouterr()
    got = Page(page(capsys, "run", "other.txt"))
    assert "No baselines: " in got.words
    assert {row[2] for row in got.table("text")} == {"not known"}
    assert cli(["report", "run"]) == 2
    assert "t.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o {run}", "out must be a file; got the folder"),
        ("-o {run}/config.json", "out must be none of the run's own files; got"),
        ("-o nowhere/x.html", "out must be in a folder that exists; got nowhere"),
        ("--number 101", "number must be a whole number from 0 to 100; got 101."),
        ("--limit 0", "limit must be a whole number from 1; got 0."),
    ],
)
def test_mistakes_are_one_sentence(model: Run, capsys: Capture, words: str, said: str) -> None:
    assert cli(["report", str(model.folder), *words.format(run=model.folder).split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_long_text_shows_the_part_around_what_surprises_most(model: Run) -> None:
    text = "a" * 300 + "bbbb" + "a" * 300
    one = model.score(text)
    shown = heat(one, usual=2.0)
    assert len(shown.cells) == MOST
    assert shown.first + len(shown.cells) + shown.rest == len(text) + 1
    span = [cell for cell in shown.cells if cell.in_span]
    assert span
    for cell, c in zip(shown.cells, one.characters[shown.first :]):
        assert cell.nats == c.nats
        assert cell.p == pytest.approx(c.p)
