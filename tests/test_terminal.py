"""Output on a terminal: readable colours, tables that fit, labelled curves."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.style import Style

import microgpt
from microgpt.cli.plot.picture import curves_picture
from microgpt.cli.terminal.colours import LINES, STYLES, surprise_style
from microgpt.cli.terminal.tables import FittedTable
from microgpt.data import corpus
from microgpt.data.split import split
from microgpt.runs.curves import Curves
from microgpt.runs.run import Run
from microgpt.wording import STEP, STRONGEST
from tests.conftest import out, shown

Capture = pytest.CaptureFixture[str]
NUMBER = re.compile(r"\d[\d.,]*\d|\d")
TIME = re.compile(r"\S+\s+microseconds")  # another one each time
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def contrast(style: str, ground: float) -> float:
    """WCAG 2's contrast of a style's colour with black (0) or white (1)."""
    colour = Style.parse(style).color
    assert colour is not None
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (channel / 255 for channel in colour.get_truecolor())
    ]
    luminance = sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear))
    light, dark = max(luminance, ground), min(luminance, ground)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_has_it() -> None:
    # https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio: 21 at most; #777777 on white has 4.48.
    assert contrast("#ffffff", 0.0) == pytest.approx(21.0)
    assert contrast("#777777", 1.0) == pytest.approx(4.48, abs=0.005)


def test_every_colour_can_be_read_on_white_and_on_black() -> None:
    coloured = [s for s in STYLES.values() if Style.parse(s).color and "default" not in s]
    assert len(coloured) > 8
    for style in {*coloured, *(f"color({n})" for n in LINES)}:
        assert contrast(style, 0.0) >= 4.5, style
        assert contrast(style, 1.0) >= 4.5, style


def test_the_commands_use_no_other_colours() -> None:
    folder = Path(microgpt.__file__).parent / "cli"
    words = re.compile(r"\b(dim|red|green|blue|yellow|cyan|magenta|color\(\d+\)|bright_\w+)\b")
    for path in folder.glob("*.py"):
        if path.name == "colours.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert len(node.value) > 40 or not words.search(node.value), (path, node.value)


def test_what_surprises_most_is_strongest_with_colour_or_without() -> None:
    def weight(nats: float) -> tuple[bool, bool, bool]:
        style = Style.parse(STYLES[surprise_style(nats)])
        return bool(style.reverse), bool(style.underline), bool(style.bold)

    levels = [STEP * (k + 0.5) for k in range(STRONGEST + 1)]
    weights = [weight(nats) for nats in levels]
    assert weights == sorted(weights)
    assert weights[-1] > weights[-2]
    assert not any(Style.parse(STYLES[surprise_style(nats)]).dim for nats in levels)


COMMANDS = (
    "evaluate {r}", "why", "why {r} annabel", "data {t}", "plot {r}", "plot {r} {r}",
    "runs {r} {r}", "score {r} annabel", "sample {r} -n 5", "train --help",
    "compress {r} {t} --force -o c",
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
def test_at_50_columns_no_line_is_longer_and_no_number_is_split(
    model: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    given = words.format(r=model.folder, t=model.folder.parent / "names.txt")
    if words.startswith("plot"):
        given = given.replace(str(model.folder.parent), "..")
        monkeypatch.chdir(model.folder)
    wide = set(NUMBER.findall(TIME.sub("", out(capsys, given))))
    for width in (50, 80, 120):
        lines = ESCAPE.sub("", shown(given, width, monkeypatch)).split("\n")
        paths = (str(model.folder), str(model.folder.parent))
        assert all(
            len(line.rstrip()) <= width for line in lines if not any(p in line for p in paths)
        )
        if not words.startswith("plot"):
            # Its axis has other numbers.
            assert set(NUMBER.findall(TIME.sub("", "\n".join(lines)))) <= wide


@pytest.mark.parametrize("words", COMMANDS)
def test_no_line_on_a_pipe_ends_in_spaces(model: Run, capsys: Capture, words: str) -> None:
    given = words.format(r=model.folder, t=model.folder.parent / "names.txt")
    assert not [line for line in out(capsys, given).split("\n") if line != line.rstrip()]


def test_a_table_without_room_loses_columns_and_keeps_whole_numbers() -> None:
    rows = FittedTable("what", "loss", "steps", "", least=("steps",))
    rows.columns[-1].justify = "left"
    rows.add_row("a name of words", "2.0183", "1,000", "█" * 30)
    rows.add_row("b", "12.5", "7", "█" * 3)

    def at(width: int) -> list[str]:
        console = Console(file=io.StringIO(), width=width)
        console.print(rows)
        return console.file.getvalue().split("\n")[:-1]  # type: ignore[attr-defined]

    assert at(200) == at(70)
    assert at(70)[1] == "a name of words  2.0183  1,000  " + "█" * 30
    assert at(42)[1] == "a name of words  2.0183  1,000  " + "█" * 10
    # The steps go first, then the bar; the words are wrapped last.
    assert at(35)[1] == "a name of words  2.0183  " + "█" * 10
    assert at(25)[1] == "a name of words  2.0183"
    assert at(70)[2] == "b                  12.5      7  ███"


def test_columns_go_in_the_order_that_was_said() -> None:
    rows = FittedTable("", "a", "b", "c", "", left=1, least=("", "c", "a"))
    rows.add_row("run", "1.0", "2.0", "3.0", "4.0")

    def at(width: int) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(rows)
        return console.file.getvalue().split("\n")[1]  # type: ignore[attr-defined]

    assert [at(width) for width in (30, 20, 15, 10)] == [
        "run  1.0  2.0  3.0  4.0", "run  1.0  2.0  3.0", "run  1.0  2.0", "run  2.0",
    ]  # fmt: skip


def test_a_terminal_without_colours_is_told_by_weight(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"score {model.folder} zzz"
    assert "38;5;" in shown(words, 80, monkeypatch)
    plain = shown(words, 80, monkeypatch, NO_COLOR="1")
    assert "38;5" not in plain
    assert "\x1b[1;7m" in plain


def test_each_line_of_a_chart_has_its_name_where_it_ends(
    model: Run, capsys: Capture, tmp_path: Path
) -> None:
    printed = out(capsys, f"plot {model.folder}")
    chart = printed.split("(step)")[0]
    for name in ("blind", "letters", "pairs", f"{model.ngram.n}-grams", "run", "held out"):
        assert re.search(rf"  {name} \d\.\d\d$", chart, re.MULTILINE), name
    # A label stands in the row of its loss: what is above costs more.
    losses = [float(x) for x in re.findall(r"  [\w -]+ (\d\.\d\d)$", chart, re.MULTILINE)]
    assert len(losses) == 6
    assert losses == sorted(losses, reverse=True)


def test_a_picture_of_eighteen_runs_grows_and_warns_of_nothing() -> None:
    def curve(name: str) -> Curves:
        return Curves(name, [1.0, 9.0], [3.0, 2.0], [(4, 2.5), (8, 2.2)], [])

    long = "x" * 300
    names = [f"/somewhere/else/where/runs/of-this-day/{k}/names-{k}" for k in range(15)]
    for many in ([*names, "_a", "a$b$c", long], ["names-1"], ["日本"]):
        figure = curves_picture([curve(name) for name in many], {"blind": 3.3, "pairs": 2.6})
        figure.canvas.draw() if "日本" not in many else None
        height = figure.axes[0].get_window_extent().height / figure.dpi
        assert height > 3.4
        legends = [*figure.legends, *filter(None, [figure.axes[0].get_legend()])]
        told = [text.get_text() for legend in legends for text in legend.get_texts()]
        assert len(told) == len(many) + 1
        assert told[-1] == "held out"


def test_pictures_of_many_runs_are_written_without_a_word(model: Run, capsys: Capture) -> None:
    runs = " ".join([str(model.folder)] * 18)
    assert out(capsys, f"plot {runs} --save many.png").startswith("Saved in ")
    assert Path("many.png").read_bytes().startswith(b"\x89PNG")


def test_samples_of_a_stream_are_text(capsys: Capture, tmp_path: Path) -> None:
    Path("play.txt").write_text("to be,\nor not\nto be.\n" * 8, "utf-8")
    small = "--n-embd 4 --n-head 1 --block-size 20 --engine scalar --lr 0.05"
    words = f"train play.txt --stream {small} --steps 30 --holdout 0.2 --long window --out r"
    closing = out(capsys, words).split("Samples:")[1]
    assert "\\n" not in closing
    assert len(re.findall(r"^    \S.*$", closing.split("Saved in")[0], re.MULTILINE)) >= 3
    samples = out(capsys, "sample r -n 3")
    assert "\\n" not in samples
    assert len(re.findall(r"^\d\.\d\d$", samples, re.MULTILINE)) == 3
    assert "\\n" in Path("r/samples.txt").read_text("utf-8")
    pytest.importorskip("jinja2")
    out(capsys, "report r -o page.html")
    page = Path("page.html").read_text("utf-8").split('id="samples-h"')[1].split("</section>")[0]
    assert re.search(r"<pre>[^<]*\n[^<]*</pre>", page)
    assert "\\n" not in page


def test_one_thing_is_not_called_several(capsys: Capture) -> None:
    names = [*"abcdefghij", "ab", "ba", "bad"]
    # Just so many that one of them is held out.
    alone = next(n for n in range(2, 14) if len(split(of(names[:n]), 0.1)[1]) == 1)
    Path("one.txt").write_text("\n".join(names[:alone]) + "\n", "utf-8")
    Path("a.txt").write_text("a\n", "utf-8")
    words = "train one.txt --engine scalar --preset microgpt --n-embd 4 --n-head 1 --batch-size 1"
    printed = out(capsys, f"{words} --steps 1 --holdout 0.1 --out r")
    assert "on 1 held-out document;" in printed
    for given in ("evaluate r", "evaluate r a.txt", "data a.txt --holdout 0", "why r a"):
        printed += out(capsys, given)
    # "1 characters", say; not "0.1 nats", nor "1 is".
    assert not re.findall(r"(?<![\d.,%-])\b1 (?:[\w-]+ )?(?:document|character|step|layer|head|"
                          r"token|line|position|byte)s\b", printed)  # fmt: skip


def of(documents: list[str]) -> corpus.Corpus:
    return corpus.from_documents(documents)
