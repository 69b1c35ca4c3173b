"""What the studio answers: the numbers of the package, and one sentence for each mistake."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.errors import MicroGPTError, UsageError
from microgpt.studio.library import Library
from microgpt.studio.prices import LONGEST, LogitsAsked, logits, price
from microgpt.studio.server import Server

from .studios import ask, request, serving


@pytest.mark.parametrize("text", ["anna", "", "annazzzzzzanna", "Anna é\n", "a" * 40])
def test_a_text_costs_on_the_page_what_it_costs_elsewhere(model: Run, text: str) -> None:
    found, expected = price(model, text), model.score(text)
    assert [p.nats for p in found.positions] == pytest.approx(expected.losses, abs=1e-9)
    assert (found.loss, found.bits) == pytest.approx((expected.loss, expected.bits))
    for position, character in zip(found.positions, expected.characters):
        assert position.unknown == character.unknown
        assert position.p == pytest.approx(character.p)
        likely = [symbol.replace("⏎", "") for symbol, _ in position.likely]
        assert likely[:3] == [token.replace(" ", "␣") for token in character.likely]
        assert len(likely) == min(10, model.tokenizer.vocab_size)


def test_the_logits_of_a_position_give_its_loss(model: Run) -> None:
    for at, position in enumerate(price(model, "annalena").positions):
        found = logits(model, LogitsAsked("", "annalena", at))
        assert found["symbols"][found["target"]] == position.symbol
        assert found["rest"] is None
        nats, _ = microgpt.cross_entropy(found["logits"], found["target"])
        assert nats == pytest.approx(position.nats)


def test_of_a_large_vocabulary_the_smallest_logits_come_as_one_sum(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = logits(model, LogitsAsked("", "anna", 1))
    monkeypatch.setattr("microgpt.studio.prices.MOST", 3)
    few = logits(model, LogitsAsked("", "anna", 1))
    assert len(few["logits"]) == 3
    left = np.array([z for z in whole["logits"] if z not in few["logits"]])
    assert few["rest"] == pytest.approx(math.log(np.exp(left).sum()))
    nats, _ = microgpt.cross_entropy([*few["logits"], few["rest"]], few["target"])
    assert nats == pytest.approx(price(model, "anna").positions[1].nats)


def test_mistakes_are_sentences(model: Run) -> None:
    with serving(model.folder.parent) as server:
        name = model.folder.name
        for path, question, sentence in (
            ("/api/about", {"run": "nams"}, "nams: no such run."),
            ("/api/about", {"run": "../run"}, "../run: no such run."),
            ("/api/about", {"run": str(model.folder)}, "no such run."),
            ("/api/about", {}, "it lacks run"),
            ("/api/about", {"run": 3}, "run must be text; got a whole number"),
            ("/api/price", {"run": name, "text": "a" * (LONGEST + 1)}, "at most 2000 characters"),
            ("/api/logits", {"run": name, "text": "ann", "position": 4}, "from 0 to 3; got 4"),
            ("/api/logits", {"run": name, "text": "é", "position": 0}, "no logit"),
        ):
            answer = request(server, path, json.dumps(question).encode())
            assert answer.status == 400
            assert sentence in answer.json()["error"]
        for body in (b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b"null"):
            assert request(server, "/api/price", body).status == 400


def test_a_fault_of_ours_is_no_mistake_of_the_reader(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("microgpt.studio.prices.price", broken)
    with serving(model.folder.parent) as server:
        question = json.dumps({"run": model.folder.name, "text": "a"}).encode()
        answer = request(server, "/api/price", question)
    assert answer.status == 500
    assert "planted" not in answer.json()["error"]
    assert "ZeroDivisionError: planted" in capsys.readouterr().err


def test_a_run_trained_while_the_page_is_open_is_listed(model: Run, tmp_path: Path) -> None:
    with serving(tmp_path, named=model.folder) as server:
        assert ask(server, "/api/runs") == {"runs": [str(model.folder)]}
        made = microgpt.train(["anna", "otto"] * 20, engine="scalar", steps=2, out=tmp_path / "new")
        assert ask(server, "/api/runs")["runs"] == [str(model.folder), "new"]
        before = ask(server, "/api/price", run="new", text="anna")["loss"]
        assert before == pytest.approx(made.score("anna").loss)
        about = ask(server, "/api/about", run="new")
        assert (about["documents"], about["steps"], about["unit"]) == (40, 2, "character")


def test_the_run_that_was_named_comes_first(model: Run, tmp_path: Path) -> None:
    for name in ("old", "new"):
        microgpt.train(["anna", "otto"] * 20, engine="scalar", steps=1, out=tmp_path / name)
    assert [*Library(tmp_path).folders()] == ["new", "old"]
    assert [*Library(tmp_path, tmp_path / "old").folders()] == ["old", "new"]
    assert [*Library(tmp_path, model.folder).folders()] == [str(model.folder), "new", "old"]


def test_a_run_that_has_changed_is_opened_anew(model: Run, tmp_path: Path) -> None:
    library = Library(model.folder.parent)
    first = library.run(model.folder.name)
    assert library.run(model.folder.name) is first
    (model.folder / "checkpoint.safetensors").touch()
    assert library.run(model.folder.name) is not first


def test_ports() -> None:
    with pytest.raises(UsageError, match=r"port must be a whole number from 0 to 65535; got 70000"):
        Server(Library(), 70000)
    first, second = Server(Library(), None), Server(Library(), None)
    assert first.port != second.port
    with pytest.raises(MicroGPTError, match=rf"port {second.port} is in use\. Try another --port"):
        Server(Library(), second.port)
    for one in (first, second):
        one.close()


def test_the_command_prints_the_address(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Server, "run", Server.close)
    assert cli(["studio", str(model.folder), "--port", "0"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("The studio is at http://127.0.0.1:")
    assert opened == [printed.split()[4]]
    assert cli(["studio", str(model.folder), "--port", "0", "--no-browser"]) == 0
    assert len(opened) == 1
    capsys.readouterr()
    assert cli(["studio", "nams"]) == 2
    assert "nams: no such run." in capsys.readouterr().err
