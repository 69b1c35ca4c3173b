"""What a notebook shows: objects, the example notebook, and an interrupted training."""

from __future__ import annotations

import math
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt import Run
from microgpt.engines import why_not_native

from .conftest import REQUIRED, required
from .test_report import HOSTILE, Page

try:
    import nbformat
    from nbclient import NotebookClient
except ImportError as error:
    required("ipykernel", str(error))

ROOT = Path(__file__).resolve().parents[1]


def shown(thing: Any) -> Page:
    """Return an object's HTML: well nested, with nothing loaded from elsewhere."""
    text = thing._repr_html_()
    page = Page(text)
    assert not re.search(r"https?://|url\(|@import|<script", text)
    ids = {attributes.get("id") for _, attributes in page.elements}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for target in (attributes.get("aria-labelledby") or "").split():
            assert target in ids
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("role") == "img"
    # Nothing of it may change how the rest of the notebook looks.
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    rules = re.sub(r"@media[^{]*\{", "", style[1])
    for selectors in re.findall(r"([^{}]+)\{", rules):
        assert all(one.strip().startswith(".microgpt") for one in selectors.split(",")), selectors
    return page


def test_a_score_shows_what_each_character_cost(model: Run) -> None:
    score = model.score("lena")
    page = shown(score)
    assert [row[0] for row in page.table("character")] == ["l", "e", "n", "a", "⏎"]
    for row, character in zip(page.table("character"), score.characters):
        assert float(row[1]) == pytest.approx(character.nats, abs=5.1e-3)
    classes = [attributes.get("class") or "" for tag, attributes in page.elements if tag == "li"]
    assert [name.split()[0] for name in classes] == [
        f"s{min(int(c.nats / 1.2), 5)}" for c in score.characters
    ]
    assert any("span" in name for name in classes)
    assert f"{score.loss:.2f} nats a position" in page.words


def test_an_evaluation_shows_where_its_loss_comes_from(model: Run) -> None:
    result = model.evaluate()
    page = shown(result)
    assert f"{result.loss:.4f}" in page.words
    for head, parts in (
        ("position", result.parts.by_position()),
        ("character", result.parts.by_character()),
    ):
        rows = page.table(head)
        assert sum(int(row[2]) for row in rows) == result.sum.positions
        assert [float(row[1]) for row in rows] == pytest.approx(
            [part.sum.mean for part in parts], abs=5.1e-4
        )


def test_a_ladder_shows_the_model_in_its_place(model: Run) -> None:
    held_out = model.documents[1]
    ladder = model.ladder()
    assert ladder.baselines == model.baselines(held_out)
    assert ladder.model.mean == pytest.approx(model.evaluate().loss, rel=1e-5)
    rows = shown(ladder).table("model")
    assert [row[0].replace(" ●", "") for row in rows] == [name for name, _, _ in ladder.rungs]
    means = [float(row[1]) for row in rows]
    assert means == sorted(means, reverse=True)
    (own,) = [row for row in rows if "●" in row[0]]
    assert float(own[1]) == pytest.approx(ladder.model.mean, abs=5.1e-5)
    assert f"{len(held_out)} held-out documents" in shown(ladder).words
    assert "3 documents" in shown(model.ladder(["ada", "lea", "xyz"])).words
    with pytest.raises(microgpt.UsageError, match="texts must not be empty"):
        model.ladder([])


def test_a_run_shows_its_learning_curve(model: Run, tiny: list[str]) -> None:
    page = shown(model)
    log = model.log
    rows = [row for rows in page.tables for row in rows if row[0] == f"{log.steps}"]
    last = log.lines[-1]["loss"], log.heldout[-1]["heldout"]["loss"]
    assert [row[1] for row in rows] == [f"{loss:.4f}" for loss in last]
    assert sum(tag == "polyline" for tag, _ in page.elements) == 3
    assert f"blind {math.log(model.settings.model.vocab_size):.2f}" in page.words
    assert "40 updates" in page.words
    mixed = microgpt.train(
        tiny * 9, preset="microgpt", engine="scalar", n_embd=4, n_head=1, steps=4, ngram=2,
        holdout=0.3, out="mixed",
    )  # fmt: skip
    assert "GPT + counts of 2 characters" in shown(mixed).words
    assert sum(tag == "polyline" for tag, _ in shown(mixed).elements) == 4
    Path("mixed", "log.jsonl").unlink()
    assert "This run's log has no step." in shown(microgpt.load("mixed")).words


@pytest.mark.parametrize("text", [*HOSTILE, "", "z" * 500])
def test_hostile_text_stays_text(model: Run, text: str) -> None:
    page = shown(model.score(text))
    assert not {"script", "i", "u"} & {tag for tag, _ in page.elements}
    assert "\x1b" not in page.words
    assert "\u202e" not in page.words
    assert len(page.words) < 20_000


def numbers(text: str) -> list[float]:
    return [float(word.replace(",", "")) for word in re.findall(r"[\d,]*\d\.?\d*", text)]


def plain(output: Any) -> str:
    """Return an output's words, without the style."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return re.sub(r"\s+", " ", Page(data["text/html"]).words)
    return data["text/plain"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["analyst", "notebook", "researcher"])
def test_a_notebook_that_ships_runs_and_shows_what_it_showed(name: str, tmp_path: Path) -> None:
    why = why_not_native()
    if why and "native" not in REQUIRED:
        pytest.skip(f"takes minutes without the native engine: {why}")
    import notebook

    (path,) = [path for path in notebook.NOTEBOOKS if path.stem == name]
    kept = nbformat.read(path, as_version=4)
    now = notebook.executed(path, tmp_path)
    assert [cell.source for cell in now.cells] == [cell.source for cell in kept.cells]
    compared = 0
    for cell, was in zip(now.cells, kept.cells):
        outputs, before = cell.get("outputs", []), was.get("outputs", [])
        assert [one.output_type for one in outputs] == [one.output_type for one in before]
        for one, other in zip(map(plain, outputs), map(plain, before)):
            compared += 1
            if "run.sample" in cell.source:
                assert len(one.split()) == len(other.split()) == 12
                continue
            # Another processor rounds otherwise, and a training takes another way: a little.
            found, expected = numbers(one), numbers(other)
            assert len(found) == pytest.approx(len(expected), rel=0.1)
            assert found[:5] == pytest.approx(expected[:5], rel=0.1, abs=0.3)
    assert compared >= 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_stop_button_saves_and_the_next_cell_goes_on(tmp_path: Path) -> None:
    setting = (
        "import microgpt\n"
        "small = dict(preset='microgpt', engine='scalar', n_embd=4, n_head=1, out='r')\n"
    )
    cells = [
        f"{setting}microgpt.train(steps=30_000, progress=True, **small)",
        "run = microgpt.load('r')\nprint(run.log.steps)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    client = NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    seen: list[str] = []

    original = client.process_message

    def process(message: Any, cell: Any, cell_index: int) -> Any:
        """Press stop as soon as the bar moves."""
        if message["msg_type"] == "update_display_data" and not seen:
            seen.append(message["content"]["data"]["text/html"])
            client.km.provisioner.process.send_signal(signal.SIGINT)
        return original(message, cell, cell_index)

    client.process_message = process  # type: ignore[method-assign]
    client.execute()
    assert seen
    assert "<progress " in seen[0]
    (error,) = [one for one in notebook.cells[0].outputs if one.output_type == "error"]
    assert error.ename == "KeyboardInterrupt"
    said = re.fullmatch(
        r"stopped after ([\d,]+) steps? and saved\. Go on with: microgpt\.load\('r'\)\.resume\(\)",
        error.evalue,
    )
    assert said is not None
    (printed,) = notebook.cells[1].outputs
    assert printed.text.strip() == said[1].replace(",", "")
