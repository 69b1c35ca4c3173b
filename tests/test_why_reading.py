"""`microgpt why` on what is read: text, counting, parameters, embeddings, linear."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli

from .conftest import shown
from .kinds import KINDS, LINES

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *words: str) -> str:
    """Return what a command prints."""
    assert cli(["why", *words]) == 0
    return capsys.readouterr().out


def told(capsys: Capture, *words: str) -> dict[str, Any]:
    """Return the numbers of an idea."""
    return json.loads(said(capsys, *words, "--json"))


@pytest.fixture(scope="module", params=["micro", "bpe", "masks", "bytes", "counts, first BOS"])
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of each kind that reads, places or mixes in another way."""
    path = tmp_path_factory.mktemp("kind") / "lines.txt"
    path.write_text("\n".join(LINES), "utf-8")
    settings: dict[str, Any] = {**KINDS[request.param], "steps": 5, "holdout": 0.2}
    return microgpt.train(path, **settings, out=path.with_suffix(""))


# --- text ----------------------------------------------------------------------------------------


def test_what_is_read_is_the_text_between_two_bos(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "text", str(model.folder), "lena")
    alphabet = sorted({letter for text in model.documents[0] for letter in text})
    assert numbers["alphabet"] == ", ".join(alphabet)
    ids = [alphabet.index(letter) for letter in "lena"]
    assert [at["token"] for at in numbers["positions"]] == [len(alphabet), *ids]
    assert [at["target"] for at in numbers["positions"]] == [*ids, len(alphabet)]
    assert "".join(at["read"] for at in numbers["positions"]) == "BOSlena"
    assert "".join(at["coming"] for at in numbers["positions"]) == "lena⏎"
    printed = said(capsys, "text", str(model.folder), "lena")
    for t, at in enumerate(numbers["positions"]):
        row = f"{t} {at['read']} {at['token']} {at['coming']} {at['target']}"
        assert row in [" ".join(line.split()) for line in printed.split("\n")]


def test_an_unknown_character_has_no_id_and_a_fixed_loss(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "text", str(model.folder), "né")
    assert [at["target"] for at in numbers["positions"]][1] == -1
    nats = model.score("né").losses[1]
    assert numbers["stand_in"]["nats"] == pytest.approx(nats)
    assert f"the loss there is {nats:.1f} nats" in said(capsys, "text", str(model.folder), "né")


def test_a_long_text_is_shown_up_to_its_first_window(model: Run, capsys: Capture) -> None:
    numbers = told(capsys, "text", str(model.folder), "lenalena")
    assert (numbers["n"], len(numbers["positions"])) == (9, 6)
    printed = said(capsys, "text", str(model.folder), "lenalena")
    assert "first window, of block_size = 6 positions. The other 3 positions" in printed


def test_the_empty_text_is_one_position(model: Run, capsys: Capture) -> None:
    (at,) = told(capsys, "text", str(model.folder), "")["positions"]
    assert (at["read"], at["coming"], at["token"]) == ("BOS", "⏎", at["target"])


def test_every_tokenizer_gives_its_text_back(kind: Run, capsys: Capture) -> None:
    """But one with masks, which shows what it matched as a symbol."""
    text = "ada took 7ms"
    numbers = told(capsys, "text", str(kind.folder), text)
    targets = [at["target"] for at in numbers["positions"]]
    if "mask" in kind.tokenizer.asked:
        assert any(i in kind.tokenizer.symbols for i in targets)
    else:
        whole = kind.tokenizer.decode(i for i in targets if i != numbers["bos"])
        assert text.startswith(whole)
    assert numbers["positions"][0]["token"] == numbers["bos"]
    assert [at["token"] for at in numbers["positions"][1:]] == targets[:-1]


@pytest.mark.parametrize("idea", ["text"])
def test_an_idea_fits_a_narrow_terminal(
    idea: str, model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (f"why {idea}", f"why {idea} {model.folder} lena"):
        lines = re.sub(r"\x1b\[[\d;]*m", "", shown(words, 50, monkeypatch)).split("\n")
        assert max(map(cell_len, lines)) <= 50
        assert len(lines) > 5
