"""Training on the page: drafts with the losses of a run, one at a time, stopped with the page."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.data.corpus import Source
from microgpt.errors import DataError, MicroGPTError, UsageError
from microgpt.runs import prepared
from microgpt.runs.texts import keep_text
from microgpt.studio import drafts
from microgpt.studio.datasets import Datasets, ReadyText, TextAsked
from microgpt.studio.draft import DraftAsked
from microgpt.studio.drafts import Drafts, levels, presets
from microgpt.studio.keep import keep
from microgpt.studio.library import Library
from microgpt.studio.processes import start
from microgpt.studio.thinned import BINS, SPANS
from microgpt.studio.uploads import ReadAs, Uploads
from microgpt.training.loop import Steps

from .conftest import TINY, some
from .studios import ask, request, serving, until

TEXT = "\n".join([*TINY, *(a + b for a in TINY for b in TINY[:8])])


@pytest.fixture
def uploads() -> Iterator[Uploads]:
    made = Uploads()
    yield made
    made.close()


@pytest.fixture
def datasets(uploads: Uploads) -> Datasets:
    return Datasets(uploads)


def sent(uploads: Uploads, text: str, name: str = "pasted.txt") -> str:
    """Send a text as the page does; return its id."""

    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    return asyncio.run(uploads.receive(chunks(), name)).id


def merged(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return what a page has got at the end: all points, and the last of everything else."""
    found: dict[str, Any] = {"points": [], "held_out": []}
    for event in events:
        [(kind, its)] = event.items()
        if kind == "curve":
            found["points"] += its["points"]
            found["held_out"] += its["held_out"]
            found["at"] = its["at"]
        else:
            found[kind] = its
    return found


@pytest.mark.parametrize(
    ("asked", "stream"),
    [
        ({"lr": 0.02, "steps": SPANS}, False),
        ({"preset": "micro", "n_embd": 16, "batch_size": 4, "lr": 0.02, "steps": 40}, False),
        ({"loss": "quadratic", "seed": 7, "n_layer": 2, "steps": 30}, True),
    ],
)
def test_a_draft_has_the_losses_and_samples_of_a_run(
    asked: dict[str, Any], stream: bool, uploads: Uploads, datasets: Datasets, tmp_path: Path
) -> None:
    text = TEXT.replace("\n", " ") if stream else TEXT
    question = DraftAsked(tab="a", text=sent(uploads, text), read_as=ReadAs(stream=stream), **asked)
    found = merged(Drafts(datasets).train(question))
    (tmp_path / "a.txt").write_text(text)
    others = {name: its for name, its in question.settings.items() if name not in asked}
    kept: dict[str, Any] = {"preset": "microgpt", **asked, **others}
    run = microgpt.train(tmp_path / "a.txt", out=tmp_path / "run", stream=stream, **kept)
    assert found["points"] == [(line["step"], line["loss"]) for line in run.log.lines]
    assert found["held_out"] == [(x["step"], x["heldout"]["loss"]) for x in run.log.heldout]
    assert found["ended"]["loss"] == run.log.heldout[-1]["heldout"]["loss"]
    assert found["at"]["lr"] == run.log.lines[-1]["lr"]
    assert [text for text, _ in found["look"]["samples"]] == run.sample(
        8, seed=run.settings.training.seed
    )


def test_muons_rate_moves_with_the_other(datasets: Datasets) -> None:
    _, training = DraftAsked(tab="", preset="micro", lr=0.02).configs(27)
    assert (training.lr, training.muon_lr) == (0.02, 0.04)
    assert "muon_lr" not in DraftAsked(tab="", preset="microgpt", lr=0.02).settings


def test_a_long_curve_has_few_points_that_are_means_of_sums(datasets: Datasets) -> None:
    steps = 10 * SPANS
    found = merged(Drafts(datasets).train(DraftAsked(tab="a", steps=steps)))
    assert [step for step, _ in found["points"]] == list(range(10, steps + 1, 10))
    made = prepared.in_memory(Source(), preset_name="microgpt", holdout=0.1, steps=steps)
    sums = [step.sum for event in made.trainer if isinstance(event, Steps) for step in event]
    for i, (_, loss) in enumerate(found["points"]):
        span = sums[10 * i : 10 * i + 10]
        mean = math.fsum(s.nats for s in span) / sum(s.positions for s in span)
        assert loss == pytest.approx(mean, abs=1e-12)


def test_levels_are_the_ladder_of_a_training(datasets: Datasets) -> None:
    made = prepared.in_memory(Source(), preset_name="microgpt", holdout=0.1, steps=3)
    assert len(list(made.trainer)) > 3
    ladder = made.trainer.ladder()
    found = levels(datasets, TextAsked())
    assert [level.loss for level in found["levels"]] == [s.mean for s in ladder.baselines.values()]
    assert found["levels"][-1].name == f"{ladder.n}-grams"
    assert found["what"] == ladder.what


def test_the_levels_of_a_text_too_short_to_hold_out_have_no_ngram(
    uploads: Uploads, datasets: Datasets
) -> None:
    text = sent(uploads, "emma\nolivia\n")
    found = levels(datasets, TextAsked(text=text))
    assert [level.name for level in found["levels"]] == ["blind", "letters", "pairs"]
    assert "none is held out" in found["what"]
    shown = merged(Drafts(datasets).train(DraftAsked(tab="a", steps=20, text=text)))
    assert shown["begun"]["cut"] == 0
    ended = shown["ended"]
    assert ended["held_out"] is False
    assert 0 < ended["loss"] < 3


def test_what_a_preset_cuts_is_counted(uploads: Uploads, datasets: Datasets) -> None:
    text = sent(uploads, "\n".join([*TINY, "a" * 20]))
    for preset, cut in (("microgpt", 20 - 16), ("micro", 0)):
        asked = DraftAsked(tab="a", preset=preset, steps=2, text=text)
        assert next(Drafts(datasets).train(asked))["begun"]["cut"] == cut


def test_a_text_is_read_once(datasets: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ReadyText] = []
    first = datasets.ready(TextAsked())
    monkeypatch.setattr(datasets, "_read", made.append)
    assert datasets.ready(TextAsked()) is datasets.ready(DraftAsked(tab="a", lr=3.0)) is first
    assert made == []
    assert first.levels(16, "cut") is first.levels(16, "cut")


def test_of_one_tab_the_newest_draft_trains_alone(datasets: Datasets) -> None:
    all_drafts = Drafts(datasets)
    older = all_drafts.train(DraftAsked(tab="a", steps=10**9))
    other = all_drafts.train(DraftAsked(tab="b", steps=10**9))
    assert [*next(older)] == [*next(other)] == ["begun"]
    assert [*next(older)] == ["curve"]
    newer = all_drafts.train(DraftAsked(tab="a", steps=50))
    assert [*next(newer)] == ["begun"]
    assert list(older) == []
    assert merged(newer)["ended"]["held_out"]
    assert [*next(other)] == ["curve"]
    other.close()


def test_a_stopped_draft_goes_on_as_if_it_had_never_stopped(datasets: Datasets) -> None:
    all_drafts, asked = Drafts(datasets), DraftAsked(tab="a", steps=30_000)
    first = all_drafts.train(asked)
    some = merged(itertools.islice(first, 3))
    first.close()
    assert 0 < some["at"]["step"] < 30_000
    rest = merged(all_drafts.train(replace(asked, goes_on=True)))
    assert rest["begun"]["from"] >= some["at"]["step"]
    whole = merged(Drafts(datasets).train(asked))
    assert some["points"] + rest["points"] == whole["points"]
    # With other settings there is nothing to go on with.
    other = all_drafts.train(DraftAsked(tab="a", steps=20, goes_on=True))
    assert next(other)["begun"]["from"] == 0


def test_a_draft_that_diverges_ends_with_a_sentence(datasets: Datasets) -> None:
    for lr, sentence in ((1e30, "the loss became"), (10.0, "the loss ended at")):
        found = merged(Drafts(datasets).train(DraftAsked(tab="a", lr=lr, steps=200)))
        assert found["ended"]["warning"].startswith(sentence)
        assert "Try a smaller learning rate" in found["ended"]["warning"]
        assert found["points"]


def test_histograms_count_every_weight_and_gradient(datasets: Datasets) -> None:
    all_drafts = Drafts(datasets)
    found = merged(all_drafts.train(DraftAsked(tab="a", steps=30)))["look"]["matrices"]
    draft = all_drafts.seat("a").draft
    assert draft
    trainer = draft.trainer
    following = trainer.task.plan.batches(30, 1)
    gradients = trainer.engine.gradients(following)
    assert [one["name"] for one in found] == [*gradients]
    for one in found:
        size = math.prod(one["shape"])
        for what in ("weights", "gradients"):
            assert len(one[what].counts) == BINS
            assert sum(one[what].counts) == size
        expected = np.sqrt(np.mean(gradients[one["name"]] ** 2)) / following.positions
        assert one["gradients"].rms == pytest.approx(expected)


def test_presets_are_as_the_command_line_has_them() -> None:
    found = {one["name"]: one for one in presets()}
    assert [*found] == [*microgpt.PRESETS]
    assert (found["micro"]["steps"], found["micro"]["n_embd"], found["micro"]["lr"]) == (
        2500,
        32,
        0.01,
    )


@pytest.mark.parametrize(
    ("asked", "kind", "sentence"),
    [
        ({"n_embd": 18}, UsageError, "n_embd must be a multiple of n_head"),
        ({"lr": -1.0}, UsageError, "lr must be a number above 0; got -1."),
        ({"batch_size": 0}, UsageError, "batch_size must be a whole number from 1"),
        ({"loss": "mse"}, UsageError, "loss must be one of cross-entropy"),
        ({"preset": "huge"}, UsageError, "preset must be one of"),
        ({"steps": 0}, UsageError, "steps must be"),
        ({"seconds": 0.0}, UsageError, "seconds must be"),
        ({"n_embd": 2048, "n_layer": 8}, UsageError, "at most 5,000,000 parameters"),
        ({"text": "/etc/passwd"}, DataError, "This file is not here any more"),
    ],
)
def test_mistakes_are_sentences(
    asked: dict[str, Any], kind: type[Exception], sentence: str, datasets: Datasets
) -> None:
    with pytest.raises(kind, match=sentence):
        next(Drafts(datasets).train(DraftAsked(tab="a", **asked)))


def test_a_draft_ends_when_the_page_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Drafts] = []

    class Recorded(Drafts):
        def __init__(self, datasets: Datasets) -> None:
            super().__init__(datasets)
            made.append(self)

    monkeypatch.setattr(drafts, "Drafts", Recorded)
    with serving(tmp_path) as server:
        body = json.dumps({"tab": "a", "steps": 10**9}).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as page:
            page.sendall(
                b"POST /api/draft HTTP/1.1\r\nhost: 127.0.0.1:%d\r\norigin: http://127.0.0.1:%d\r\n"
                b"cookie: %s=%s\r\ncontent-length: %d\r\n\r\n%s"
                % (server.port, server.port, server.keys.name.encode(), server.keys.cookie.encode(),
                   len(body), body)
            )  # fmt: skip
            while b'"curve"' not in page.recv(1 << 16):
                pass
        draft = made[0].seat("a").draft
        assert draft
        updates = -1

        def is_still() -> bool:
            nonlocal updates
            before, updates = updates, draft.trainer.updates
            return before == updates

        until(is_still)
        assert updates > 0
        assert ask(server, "/api/presets")["presets"]
        assert request(server, "/api/draft", b'{"tab": "a", "lr": 0}').status == 400
        assert ask(server, "/api/levels")["levels"][0]["name"] == "blind"


def has_ended(folder: Path) -> bool:
    """Return whether a run's training is complete: its reference is written last."""
    return (folder / "reference.safetensors").exists() and (folder / "samples.txt").exists()


@pytest.mark.parametrize("own", some([False, True], 1))
def test_a_kept_run_is_an_ordinary_one_with_the_losses_of_the_draft(
    own: bool, uploads: Uploads, datasets: Datasets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    csv = "id,name\n" + "".join(f"{i},{line}\n" for i, line in enumerate(TEXT.split("\n")))
    text = sent(uploads, csv, "my names.csv") if own else "names"
    asked = DraftAsked(
        tab="a",
        text=text,
        read_as=ReadAs(column="name" if own else None),
        seed=3,
        lr=0.02,
        steps=60,
    )
    points = merged(Drafts(datasets).train(asked))["points"]
    begun = keep(asked, Library(), uploads)
    assert begun.run == ("my-names-1" if own else "names-1")
    assert begun.file == (str(Path("texts", "my-names-1.csv")) if own else None)
    folder = tmp_path / "runs" / begun.run
    until(lambda: has_ended(folder), 30)
    run = Run(folder)
    assert [(line["step"], line["loss"]) for line in run.log.lines] == points
    if own:
        assert (tmp_path / "texts" / "my-names-1.csv").read_text() == csv
        uploads.close()
        assert run.settings.source.column == "name"
    assert len(run.held_out) == len(datasets.ready(asked).dataset.heldout_documents)


def test_a_text_is_written_once(uploads: Uploads, tmp_path: Path) -> None:
    some = [uploads.path(sent(uploads, text, "a.txt")) for text in ("x\n", "x\n", "y\n")]
    names = [keep_text(path, tmp_path, "../../x/a b.txt").name for path in some]
    assert names == ["a-b-1.txt", "a-b-1.txt", "a-b-2.txt"]
    assert sorted(path.name for path in (tmp_path / "texts").iterdir()) == [
        "a-b-1.txt",
        "a-b-2.txt",
    ]


def test_a_training_that_does_not_begin_says_why(tmp_path: Path) -> None:
    with pytest.raises(MicroGPTError, match=r"did not begin: no-such\.txt: no such file"):
        start(["train", "no-such.txt"], "x", tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_run_goes_on_when_the_studio_is_killed(tmp_path: Path) -> None:
    studio = subprocess.Popen(
        [sys.executable, "-m", "microgpt", "studio", "--no-browser", "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert studio.stdout
    address = next(line for line in studio.stdout if "http" in line).split()[-1]
    port, token = int(address.split(":")[2].split("/")[0]), address.split("token=")[1]
    server = SimpleNamespace(port=port, keys=SimpleNamespace(name="", cookie=""))
    welcome = request(server, f"/?token={token}", cookie=None)  # type: ignore[arg-type]
    name, _, cookie = welcome.headers["set-cookie"].split(";")[0].partition("=")
    server.keys = SimpleNamespace(name=name, cookie=cookie)
    answer = ask(server, "/api/keep", tab="a", steps=100_000)  # type: ignore[arg-type]
    folder = tmp_path / "runs" / answer["run"]
    assert not has_ended(folder)
    os.killpg(studio.pid, signal.SIGKILL)
    studio.wait()
    studio.stdout.close()
    until(lambda: has_ended(folder), 60)
    assert Run(folder).engine.updates == 100_000
