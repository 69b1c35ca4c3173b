"""A training on a prepared folder is the one on the text, to the last bit."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.cli.app import run as cli
from microgpt.data import alike, corpus, decoded
from microgpt.data.corpus import Source
from microgpt.data.split import split
from microgpt.data.stored import TokenCorpus
from microgpt.data.texts import Texts
from microgpt.runs import checkpoint
from microgpt.runs.run import Run

WORDS = ["ada", "lea", "noël", "zoë", "日本", "emma", "a b", "olivia\tx", "ß", "𝒳y"]


def lines(count: int = 400) -> list[str]:
    rng = random.Random(5)
    some = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(count)]
    return [*some, *some[:40], "x" * 300]


def written(path: str = "lines.txt", texts: list[str] | None = None) -> str:
    Path(path).write_text("\n".join(lines() if texts is None else texts) + "\n \n", "utf-8")
    return path


def prepared(*words: str, out: str = "tokens") -> str:
    assert cli(["data", "prepare", *words, "--out", out, "--processes", "1"]) == 0
    return out


def log(run: str) -> list[dict[str, Any]]:
    """The lines of a log, without what depends on the clock."""
    return [
        {name: value for name, value in line.items() if name != "seconds"}
        for line in Run(run).log.lines
    ]


CASES = [
    ("micro", ["--tokenizer", "characters"], []),
    ("micro", ["--tokenizer", "bytes"], ["--block-size", "9"]),
    ("micro", ["--tokenizer", "bpe", "--vocab-size", "290"], []),
    ("micro", ["--tokenizer", "characters"], ["--long", "cut", "--block-size", "16"]),
    ("micro", ["--tokenizer", "characters"], ["--ngram", "3"]),
    ("microgpt-v1", ["--tokenizer", "characters"], []),
    ("microgpt-v1", ["--tokenizer", "bpe", "--vocab-size", "260"], ["--long", "window"]),
    ("microgpt", ["--tokenizer", "bytes", "--holdout", "0.2"], []),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "tokenizer", "others"), CASES)
def test_the_run_is_the_same_as_on_the_text(
    preset: str, tokenizer: list[str], others: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = written()
    folder = prepared(file, "--preset", preset, *tokenizer)
    budget = ["--preset", preset, "--steps", "30", *others]
    capsys.readouterr()
    assert cli(["train", file, *budget, *tokenizer, "--out", "text"]) == 0
    one = capsys.readouterr().out.splitlines()
    assert cli(["train", folder, *budget, "--out", "ids"]) == 0
    other = capsys.readouterr().out.splitlines()
    assert log("text") == log("ids")
    text, ids = Run("text"), Run("ids")
    assert np.array_equal(text.engine.state().parameters, ids.engine.state().parameters)
    assert text.settings.fingerprint == ids.settings.fingerprint
    assert text.settings.documents == ids.settings.documents
    assert text.tokenizer == ids.tokenizer
    for name in ("reference.safetensors", "samples.txt"):
        assert Path("text", name).exists() == Path("ids", name).exists()
        if Path("text", name).exists():
            assert Path("text", name).read_bytes() == Path("ids", name).read_bytes()
    # The closing table, and which samples stand in the training data.
    assert [line for line in one if "┃" in line or "Samples:" in line] == [
        line for line in other if "┃" in line or "Samples:" in line
    ]
    assert list(text.documents[0]) == list(ids.documents[0])
    assert list(text.documents[1]) == list(ids.documents[1])


@pytest.mark.slow
def test_what_a_run_does_later_it_does_on_prepared_data_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = written()
    folder = prepared(file)
    for data, out in ((file, "text"), (folder, "ids")):
        assert cli(["train", data, "--steps", "40", "--out", out]) == 0
    said = list[str]()
    for run in ("text", "ids"):
        capsys.readouterr()
        assert cli(["evaluate", run, "--json"]) == 0
        assert cli(["sample", run, "--number", "5", "--json"]) == 0
        Path(run, "reference.safetensors").unlink()
        assert cli(["score", run, "emma", "--json"]) == 0
        # A model's cost is of this time and machine.
        said.append(re.sub(r'"seconds": [^}]+', "", capsys.readouterr().out))
        assert cli(["report", run, "--out", f"{run}.html"]) == 0
    assert said[0] == said[1]


def test_an_interrupted_run_goes_on_to_the_same_end() -> None:
    folder = prepared(written())
    assert cli(["train", folder, "--steps", "60", "--out", "whole"]) == 0
    session = _session(folder)
    with session:
        for _ in session:
            session.stop()
    assert cli(["train", "--resume", "part"]) == 0
    names = (checkpoint.CHECKPOINT, checkpoint.REFERENCE)
    for name in names:
        assert Path("whole", name).read_bytes() == Path("part", name).read_bytes()
    assert log("whole") == log("part")


def _session(folder: str) -> Any:
    from microgpt.runs import prepare

    return prepare.new(Source(files=(folder,)), out=Path("part"), steps=60, preset_name="micro")


def test_a_corpus_of_ids_is_the_corpus_of_the_text() -> None:
    file = written()
    for kind in ("characters", "bytes", "bpe"):
        folder = prepared(file, "--tokenizer", kind, out=kind)
        text, ids = (corpus.read(Source(files=(path,))) for path in (file, folder))
        assert isinstance(ids, TokenCorpus)
        assert ids.fingerprint == text.fingerprint
        assert ids.characters == text.characters
        assert (len(ids.documents), ids.blank) == (len(text.documents), text.blank)
        for one, other in zip(split(text, 0.1), split(ids, 0.1)):
            assert one == other
            assert other[3] == one[3]
            assert other[-1] == one[-1]
            assert other[2:7:2] == one[2:7:2]
            assert other[5:5] == one[5:5] == Texts.of([])
            assert other[3:9].sizes.tolist() == one[3:9].sizes.tolist()
            assert other.lengths.tolist() == one.lengths.tolist()
            at = np.array([4, 0, 4, 2])
            assert other.take(at) == one.take(at)
        asked = [*text.documents[:3], "not there", "x" * 300]
        for documents in (split(text, 0.1)[0], split(ids, 0.1)[0]):
            expected = [one in list(documents) for one in asked]
            assert alike.among(asked, documents) == expected
            known = alike.Known(documents)
            assert [one in known for one in asked] == expected


def test_any_file_that_is_read_can_be_prepared() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    pq: Any = pytest.importorskip("pyarrow.parquet")
    texts = lines(50)
    written("a.txt", texts)
    Path("a.txt.gz").write_bytes(gzip.compress(Path("a.txt").read_bytes()))
    pq.write_table(pa.table({"name": texts}), "a.parquet")
    found = [
        corpus.read(Source(files=(prepared(file, out=f"t{i}"),))).fingerprint
        for i, file in enumerate(("a.txt", "a.txt.gz", "a.parquet"))
    ]
    assert len(set(found)) == 1
    assert found[0] == corpus.read(Source(files=("a.txt",))).fingerprint


def test_of_many_stored_documents_some_are_judged_all_equal_ones_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = prepared(written(texts=[*lines(3000), *lines(3000)[:500]]))
    both = split(corpus.read(Source(files=(folder,))), 0.1)
    assert decoded.sampled(both) is both
    monkeypatch.setattr(decoded, "_DOCUMENTS", 1000)
    some = decoded.sampled(both)
    assert 800 < sum(map(len, some)) < 1200
    for few, texts in zip(some, both):
        chosen = set(few)
        assert list(few) == [text for text in texts if text in chosen]
    assert cli(["train", folder, "--steps", "5", "--out", "r"]) == 0
    assert Run("r").usual is not None
