"""The command on a run's page trains it again: the same bytes, unless the clock decides."""

from __future__ import annotations

import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.runs import prepare
from microgpt.runs.command import command
from microgpt.runs.run import Run
from tests.conftest import TINY, some

pytest.importorskip("jinja2")

Capture = pytest.CaptureFixture[str]


def page(capsys: Capture, *words: object) -> str:
    assert cli(["report", *map(str, words), "-o", "out.html"]) == 0
    capsys.readouterr()
    return Path("out.html").read_text("utf-8")


def again(capsys: Capture, *words: object) -> Run:
    """Train with the command on the page of a run."""
    found = re.search("<pre><code>(.*?)</code></pre>", page(capsys, *words), re.DOTALL)
    assert found is not None
    command = shlex.split(html.unescape(found[1].split("\n")[0]))
    assert command[0] == "microgpt"
    assert command[-2:] == ["--out", Path(str(words[0])).name]
    assert cli([*command[1:-1], "again"]) == 0
    return Run("again")


TRAININGS = [
    "t.txt --preset microgpt --steps 20",
    "t.txt --preset microgpt --tokenizer bytes --steps 7",
    "t.txt --preset microgpt-v1 --n-layer 2 --activation relu --init-std 0.1 --steps 9",
    "t.txt --preset micro --no-qk-norm --final-norm --steps 3 --batch-size 9 --dropout 0.5 "
    "--ngram 2",
    "t.txt --preset small --steps 2 --batch-size 5 --optimizer adam --holdout 0.3 --seed 3",
    "t.txt --preset microgpt --steps 30 --loss quadratic",
    "t.txt --steps 4",
    "'a b.csv' --column 2 --preset microgpt --log-every 3 --lr 1e-3 --steps 8",
    "book.txt --stream --encoding latin-1 --preset microgpt --steps 9",
]


@pytest.mark.parametrize("words", some(TRAININGS, 0, 8))
def test_the_command_on_the_page_makes_the_same_checkpoint(capsys: Capture, words: str) -> None:
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:4])]
    Path("t.txt").write_text("\n".join(texts))
    Path("a b.csv").write_text("id,name\n" + "".join(f"{i},{t}\n" for i, t in enumerate(texts)))
    Path("book.txt").write_bytes(" é ".join(texts).encode("latin-1"))
    small = "--n-embd 4 --n-head 1 --block-size 6 --engine scalar --out run"
    assert cli(["train", *shlex.split(words), *small.split()]) == 0
    capsys.readouterr()
    made = again(capsys, "run")
    for name in ("checkpoint.safetensors", "tokenizer.json", "samples.txt"):
        assert Path("again", name).read_bytes() == Path("run", name).read_bytes(), name
    kept = [{**line, "seconds": 0} for line in Run("run").log.lines]
    assert [{**line, "seconds": 0} for line in made.log.lines] == kept
    assert made.settings.model == Run("run").settings.model
    assert made.settings.training == Run("run").settings.training


def test_of_a_chosen_recipe_the_command_spells_out_what_was_chosen_and_what_was_asked(
    capsys: Capture,
) -> None:
    pytest.importorskip("microgpt.engines._native")  # a step takes the other one a second
    Path("t.txt").write_text("\n".join(TINY))
    words = "t.txt --seconds 0.05 --dropout 0.25 --n-layer 2 --tokenizer bytes --ngram 2 --lr 0.02"
    words += " --block-size 4"
    assert cli(["train", *words.split(), "--engine", "native", "--out", "run"]) == 0
    capsys.readouterr()
    made, run = again(capsys, "run"), Run("run")
    assert (made.settings.model, made.settings.training) == (
        run.settings.model, run.settings.training,
    )  # fmt: skip
    assert run.settings.training.dropout == 0.25
    assert made.tokenizer.to_json() == run.tokenizer.to_json()
    asked = {
        "tokenizer": "bytes", "engine": "native", "n_layer": 2, "seconds": 0.05, "lr": 0.02,
        "dropout": 0.25, "ngram": 2, "block_size": 4,
    }  # fmt: skip
    assert run.settings.asked == asked
    # What was chosen by the machine was not asked for.
    assert {"n_embd", "batch_size"} <= set(made.settings.asked)


@pytest.mark.slow
def test_a_run_that_does_not_say_what_was_asked_for_is_read_all_the_same(capsys: Capture) -> None:
    Path("t.txt").write_text("\n".join(TINY))
    words = "train t.txt --preset microgpt --engine scalar --steps 2 --n-layer 2 --out run"
    assert cli(words.split()) == 0
    config = json.loads(Path("run/config.json").read_text())
    assert config.pop("asked") == {
        "preset": "microgpt", "engine": "scalar", "n_layer": 2, "steps": 2
    }  # fmt: skip
    del config["checksum"]  # nor was that always there
    Path("run/config.json").write_text(json.dumps(config))
    capsys.readouterr()
    assert Run("run").settings.asked == {}
    assert again(capsys, "run").settings.model.n_layer == 2


def test_documents_of_a_program_are_called_a_file_to_be_made(capsys: Capture) -> None:
    shape = {"preset": "microgpt", "engine": "scalar", "n_embd": 4, "n_head": 1, "steps": 3}
    run = microgpt.train(TINY, out="my run", **shape)
    Path("DOCUMENTS.txt").write_text("\n".join(TINY))
    made = again(capsys, "my run", "DOCUMENTS.txt")
    assert made.settings.fingerprint == run.settings.fingerprint
    said = page(capsys, "my run", "DOCUMENTS.txt")
    assert "which came from a Python program, in DOCUMENTS.txt" in said


def test_a_budget_in_steps_and_seconds_keeps_both_in_the_command() -> None:
    Path("t.txt").write_text("\n".join(TINY))
    # The preset has as many steps; where seconds are told they would be forgotten.
    for steps in (1000, 7):
        told = {"steps": steps, "seconds": 60.0, "engine": "scalar", "preset_name": "microgpt"}
        out = Path(f"r{steps}")
        with prepare.new(Source(files=("t.txt",)), out=out, **told) as session:
            words = command(session.settings, session.tokenizer)
        assert words == (
            f"microgpt train t.txt --preset microgpt --steps {steps} --seconds 60.0 --engine scalar"
        )
    with prepare.new(Source(), seconds=60.0, preset_name="micro", out=Path("s")) as session:
        words = command(session.settings, session.tokenizer)
    assert words.startswith("microgpt train --preset micro --seconds 60.0")


def test_a_preset_that_is_no_more_is_told_by_what_it_set() -> None:
    told = {"steps": 3, "n_layer": 2, "engine": "scalar", "preset_name": "microgpt"}
    with prepare.new(TINY, out=Path("r"), **told) as session:
        settings = replace(session.settings, preset="gone", source=Source(files=("b c",)))
        words = command(settings, session.tokenizer)
    assert words == ("microgpt train 'b c' --preset microgpt --n-layer 2 --steps 3 --engine scalar")
