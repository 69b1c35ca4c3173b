"""The studio's documents: the numbers of evaluate and report, and the rows of score."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import microgpt
from microgpt import Run
from microgpt.cli.app import run as cli
from microgpt.evaluation.record import record
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.studio.prices import LONGEST
from microgpt.studio.server import Server

from .conftest import TINY
from .studios import ask, request, serving, until


@pytest.fixture(scope="module")
def opened(model: Run) -> Run:
    """The run, on the engine that the studio chooses."""
    return Run(model.folder)


@pytest.fixture(scope="module")
def server(model: Run) -> Iterator[Server]:
    with serving(model.folder.parent) as served:
        yield served


def events(server: Server, path: str, **question: Any) -> list[Any]:
    """Return all events of an answer."""
    answer = request(server, path, json.dumps(question).encode())
    assert answer.status == 200, answer.body
    body = answer.body.decode()
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]


def dropped(server: Server, data: bytes, name: str = "new.txt") -> str:
    return str(request(server, f"/api/upload?name={name}", data).json()["id"])


@pytest.fixture(scope="module")
def measured(server: Server) -> Any:
    *progress, last = events(server, "/api/measure", run="run")
    assert all(event.keys() == {"documents"} for event in progress)
    return last["measured"]


def test_the_numbers_are_those_of_evaluate(opened: Run, measured: Any) -> None:
    found = Measurement(opened, evaluation_set(opened, None, None)).measured()
    expected = record(found.result)
    for name in (
        "documents", "positions", "loss", "bits", "bits_per_byte", "perplexity", "accuracy",
        "document_loss", "unknown",
    ):  # fmt: skip
        assert measured[name] == expected[name], name
    assert measured["what"] == found.on.words
    keys = {"by_position": "position", "by_length": "length", "by_character": "char"}
    for by, key in keys.items():
        assert [one["name"] for one in measured[by]] == [one[key] for one in expected[by]]
        for one, its in zip(measured[by], expected[by]):
            assert (one["loss"], one["nats"], one["hits"]) == (
                its["loss"],
                its["nats"],
                its["hits"],
            )
        assert sum(one["share"] for one in measured[by]) == pytest.approx(1.0)
    assert [one["observed"] for one in measured["bins"]] == [
        one["observed"] for one in expected["calibration"]["bins"]
    ]
    assert measured["calibration"]["error"] == expected["calibration"]["error"]
    assert measured["temperature"]["value"] == expected["temperature"]["value"]
    assert [one["value"] for one in measured["rules"]] == [*expected["scores"].values()]
    assert [one["positions"] for one in measured["confusions"]] == [
        one["positions"] for one in expected["confusions"]
    ]
    ladder = [(rung.name, rung.sum.mean, rung.is_this) for rung in found.ladder.rungs]
    assert [(one["name"], one["loss"], one["is_this"]) for one in measured["rungs"]] == ladder
    assert len(ladder) > 4


def test_the_numbers_on_a_dropped_file_are_those_of_evaluate_on_it(
    opened: Run, server: Server, tmp_path: Path
) -> None:
    data = "name,n\nanna,1\nzoë,2\nbob,3\n"
    (tmp_path / "new.csv").write_text(data)
    key = dropped(server, data.encode(), "new.csv")
    found = events(server, "/api/measure", run="run", file=key, read_as={"column": "name"})
    expected = opened.evaluate(["anna", "zoë", "bob"])
    assert found[-1]["measured"]["loss"] == expected.loss
    assert found[-1]["measured"]["what"] == "3 documents"
    assert found[-1]["measured"]["unknown"] == expected.unknown > 0


def test_the_worst_documents_are_those_of_the_report(model: Run, server: Server) -> None:
    best, worst, _ = model.evaluate().parts.documents(10)
    found = ask(server, "/api/rows", run="run", count=10)
    assert [one["loss"] for one in found["rows"]] == pytest.approx([d.sum.mean for d in worst])
    assert {one["text"] for one in found["rows"]} == {d.text for d in worst}
    assert found["total"] == found["documents"] == len(model.held_out)
    found = ask(server, "/api/rows", run="run", count=10, descending=False)
    assert [one["loss"] for one in found["rows"]] == pytest.approx([d.sum.mean for d in best])


def test_a_row_says_what_score_says(model: Run, server: Server) -> None:
    key = dropped(server, "anna\n\nzoë\nannalena\n".encode())
    assert events(server, "/api/score", run="run", file=key)[-1] == {"documents": 3, "done": True}
    found = ask(server, "/api/rows", run="run", file=key, sort="row", descending=False, rate=0.2)
    assert [one["row"] for one in found["rows"]] == [1, 3, 4]
    assert [one["unknown"] for one in found["rows"]] == [0, 2, 0]  # z is unknown, too
    for one in found["rows"]:
        assert one["loss"] == pytest.approx(model.score(one["text"]).loss)
    frame = model.table(["anna", "zoë", "annalena"], flag_rate=0.2, suggest=False)
    assert [one["percentile"] for one in found["rows"]] == pytest.approx([*frame["percentile"]])
    assert [one["flagged"] for one in found["rows"]] == [*frame["flagged"]]
    assert found["flagged"] == sum(frame["flagged"])
    assert found["promise"].startswith("Of good lines ")
    plain = ask(server, "/api/rows", run="run", file=key)
    assert (plain["flagged"], plain["promise"], plain["rows"][0]["flagged"]) == (None, "", None)


@pytest.mark.parametrize("by", ["by_position", "by_character", "by_length"])
def test_the_documents_of_a_slice_are_shown_with_their_loss_there(
    server: Server, measured: Any, by: str
) -> None:
    kind = by.removeprefix("by_")
    for part in measured[by][:6]:
        its = {"by": kind, "name": part["name"]}
        found = ask(server, "/api/rows", run="run", slice=its, sort="slice", count=200)
        losses = [one["slice"] for one in found["rows"]]
        assert losses == sorted(losses, reverse=True)
        if kind == "position":  # one position a document
            assert found["total"] == part["positions"]
            assert sum(losses) == pytest.approx(part["nats"], rel=1e-6)
        elif kind == "length":
            assert found["total"] == part["documents"]
            assert losses == pytest.approx([one["loss"] for one in found["rows"]])
        elif part["name"]:
            assert all(part["name"] in one["text"] for one in found["rows"])
        by_loss = ask(server, "/api/rows", run="run", slice=its, sort="loss", count=200)
        assert {one["document"] for one in by_loss["rows"]} == {
            one["document"] for one in found["rows"]
        }
        one = found["rows"][0]
        assert next(r["slice"] for r in by_loss["rows"] if r["document"] == one["document"]) == (
            pytest.approx(one["slice"])
        )


def test_a_bin_of_the_diagram_has_documents_too(server: Server, measured: Any) -> None:
    one = max(measured["bins"], key=lambda b: b["hits"])
    its = {"by": "probability", "least": one["least"], "most": one["most"]}
    found = ask(server, "/api/rows", run="run", slice=its, sort="slice", count=200)
    assert 0 < found["total"] <= one["hits"]
    last = events(server, "/api/slice", run="run", slice=its)[-1]
    assert last == {"documents": found["total"], "done": True}


def test_pages_follow_each_other_and_filters_narrow_them(model: Run, server: Server) -> None:
    whole = ask(server, "/api/rows", run="run", count=200)["rows"]
    pages = [
        ask(server, "/api/rows", run="run", first=first, count=7)["rows"]
        for first in range(0, len(whole) + 7, 7)
    ]
    assert [one for page in pages for one in page] == whole
    filters: list[dict[str, Any]] = [{"text": "NA"}, {"least": 2.0}, {"flagged": True, "rate": 0.2}]
    for narrowed in filters:
        found = ask(server, "/api/rows", run="run", count=200, **narrowed)
        assert 0 < found["total"] == len(found["rows"]) < len(whole)
        for one in found["rows"]:
            assert narrowed.get("text", "").lower() in one["text"].lower()
            assert one["loss"] >= narrowed.get("least", 0.0)
            assert one["flagged"] or not narrowed.get("flagged")
    assert len(model.held_out) == len(whole)


def csv(server: Server, **asked: Any) -> Any:
    return request(server, f"/api/rows.csv?{urlencode(asked)}")


FILES: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "new.txt": ("anna\r\n\r\nzoë\r\na,b\r\n", {}, []),
    "new.csv": ('id,name\n1,"an, na"\n2,\n3,zoë\n', {"column": "name"}, ["--column", "name"]),
    "semi.csv": ("id;name;loss\r\n1;anna;x\r\n", {"column": "name"}, ["--column", "name"]),
    "new.jsonl": ('{"t": "anna", "n": 1}\n{"t": "bob"}\n', {"field": "t"}, ["--field", "t"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rate", ["", "0.2"])
def test_the_downloaded_file_is_the_one_that_score_writes(
    model: Run, server: Server, tmp_path: Path, name: str, rate: str
) -> None:
    data, read_as, flags = FILES[name]
    (tmp_path / name).write_bytes(data.encode())
    words = ["score", str(model.folder), name, *flags, *(["--flag-rate", rate] if rate else [])]
    assert cli([*words, "-o", "out.csv"]) == 0
    key = dropped(server, data.encode(), name)
    answer = csv(server, run="run", file=key, rate=rate, **read_as)
    assert answer.status == 200
    assert unchunked(answer) == (tmp_path / "out.csv").read_bytes()
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="rows.csv"'


def unchunked(answer: Any) -> bytes:
    """Return a body that was sent in chunks."""
    rest, body = answer.body, b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def test_the_runs_own_documents_can_be_downloaded(model: Run, server: Server) -> None:
    lines = unchunked(csv(server, run="run")).decode().splitlines()
    assert lines[0] == "text,row,loss,bits,percentile,span,unknown"
    assert [line.split(",")[0] for line in lines[1:]] == list(model.held_out)


def test_a_document_is_opened_with_its_text(model: Run, server: Server) -> None:
    key = dropped(server, b"anna\n" + b"x" * (LONGEST + 5) + b"\n")
    assert ask(server, "/api/document", run="run", file=key, document=0) == {
        "row": 1, "text": "anna", "characters": 4,
    }  # fmt: skip
    found = ask(server, "/api/document", run="run", file=key, document=1)
    assert (found["characters"], found["text"]) == (LONGEST + 5, "x" * LONGEST)
    assert ask(server, "/api/document", run="run", document=2)["text"] == model.held_out[2]


def test_mistakes_are_sentences(server: Server) -> None:
    for path, question, sentence in (
        ("/api/rows", {"count": 10_000}, "count must be at most 200"),
        ("/api/rows", {"sort": "nonsense"}, 'must be one of its choices; got "nonsense"'),
        ("/api/rows", {"flagged": True}, "flagged must go with a flag rate."),
        ("/api/rows", {"rate": 2.0}, "flag-rate must be above 0 and below 1"),
        ("/api/rows", {"rate": 1e-9}, "Try a higher rate"),
        ("/api/rows", {"slice": {"by": "position", "name": "x"}}, "must be as 3 or 17-32"),
        ("/api/rows", {"file": "0" * 32}, "Drop it on the page again"),
        ("/api/rows", {"run": "nams"}, "nams: no such run."),
        ("/api/document", {"document": 10**9}, "document must be from 0 to"),
        ("/api/document", {"document": -1}, "document must be from 0 to"),
        ("/api/score", {"run": "nams"}, "no such run"),
    ):
        answer = request(server, path, json.dumps({"run": "run", **question}).encode())
        if path == "/api/score":
            assert sentence in answer.body.decode()
            continue
        assert answer.status == 400, question
        assert sentence in answer.json()["error"]
    for asked in ({"run": "nams"}, {"run": "run", "file": "x"}, {"run": "run", "rate": "x"}):
        assert csv(server, **asked).status == 400


@pytest.mark.parametrize("path", ["/api/score", "/api/measure"])
def test_work_stops_when_the_page_goes_away(
    server: Server, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ended: list[str] = []

    def endless(*_: Any) -> Iterator[int]:
        try:
            while True:
                time.sleep(0.01)
                yield 1
        finally:
            ended.append(path)

    monkeypatch.setattr("microgpt.studio.measured.kept", endless)
    monkeypatch.setattr("microgpt.studio.measured.Measurement", endless)
    body = json.dumps({"run": "run", "file": dropped(server, b"anna\n")}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as made:
        made.sendall(
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n"
            f"origin: http://127.0.0.1:{server.port}\r\ncontent-length: {len(body)}\r\n"
            f"cookie: {server.keys.name}={server.keys.cookie}\r\n\r\n".encode()
            + body
        )
        said = b""
        while b'data: {"documents":1}' not in said:
            said += made.recv(4096)
        assert ended == []
    until(lambda: ended == [path])


def test_documents_that_are_gone_are_said_to_be_gone_and_a_file_does_instead(
    tmp_path: Path,
) -> None:
    (tmp_path / "names.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]))
    microgpt.train("names.txt", engine="scalar", preset="microgpt", steps=2, out="runs/moved")
    shutil.move(tmp_path / "names.txt", tmp_path / "elsewhere.txt")
    with serving(tmp_path / "runs") as server:
        for path in ("/api/measure", "/api/score"):
            (found,) = events(server, path, run="moved")
            assert "must be there to be read again; there is no" in found["missing"]
        # The baselines have nothing to count, but the model can be measured on a file.
        key = dropped(server, b"anna\nbob\n")
        measured = events(server, "/api/measure", run="moved", file=key)[-1]["measured"]
        assert measured["documents"] == 2
        assert [rung["is_this"] for rung in measured["rungs"]] == [True]
        assert "must be there to be read again" in measured["why"]
        assert ask(server, "/api/rows", run="moved", file=key)["total"] == 2
