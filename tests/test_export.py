"""What a page is made of: linked modules, expressions, counts, thresholds; and the command."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run, UsageError
from microgpt.cli.app import run as cli
from microgpt.counting.ngram import NGram
from microgpt.counting.order import Order
from microgpt.data.batch import lay_out
from microgpt.errors import RunError
from microgpt.export.counts import counts
from microgpt.export.data import thresholds
from microgpt.export.html import export
from microgpt.export.linked import linked
from microgpt.export.patterns import javascript
from microgpt.export.weights import weights
from microgpt.scoring.reference import Reference

from .conftest import TINY


def data_in(page: bytes) -> Any:
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


# Modules


def test_modules_are_linked_in_the_order_of_their_imports() -> None:
    script = linked(
        "views/main.js",
        {
            "views/main.js": 'import {\n  one,\n  two as other,\n} from "../model/a.js";\n'
            'import * as all from "./b.js";\nimport "./c.js";\none + other + all.x;',
            "model/a.js": "export const one = 1;\nexport function two() {}\nexport class Three {}",
            "views/b.js": 'import { one } from "../model/a.js";\nexport async function x() {}',
            "views/c.js": "/** no import from './x.js' here */",
            "unused.js": "export const never = 1;",
        },
    )
    names = re.findall(r'^modules\["(.*?)"\] = ', script, re.M)
    assert names == ["model/a.js", "views/b.js", "views/c.js", "views/main.js"]
    assert "return { one, two, Three };" in script
    assert 'const {\n  one,\n  two: other,\n} = modules["model/a.js"];' in script
    assert 'const all = modules["views/b.js"];' in script
    assert not re.search(r"^(import|export)\b", script, re.M)


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"a.js": 'import { x } from "./b.js";'}, "a.js imports b.js: it is missing"),
        (
            {"a.js": 'import "./b.js";', "b.js": 'import "./a.js";'},
            "must not import each other; a.js imports b.js does",
        ),
        ({"a.js": "export default 1;"}, "a.js must import and export as others do"),
        ({"a.js": "export let x = 1;"}, "a.js must import and export as others do"),
        ({"a.js": 'import x from "./a.js";'}, "a.js must import and export as others do"),
        ({"a.js": 'const x = "</SCRIPT >";'}, "modules must not have <script, </script or <!--"),
        ({"a.js": 'const x = "<!--";'}, "modules must not have <script, </script or <!--"),
    ],
)
def test_modules_that_cannot_be_linked_are_refused(sources: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        linked("a.js", sources)


# Expressions


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<x>a)",
        r"(a)\1",
        r"(?i)a",
        r"(?i:a)",
        r"a++",
        r"a{2}+",
        r"a*+",
        r"(?>a)",
        r"a{,}",
        r"\B",
    ],
)
def test_an_expression_that_a_browser_reads_otherwise_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="mask order must be an expression that a browser reads"):
        javascript(pattern, "order")


# Counts


def read(text: str) -> list[int]:
    """Decode whole numbers, by another way than the page."""
    import base64

    found, value, shift = list[int](), 0, 0
    for byte in base64.b64decode(text):
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


@pytest.mark.parametrize("n", [1, 2, 4])
def test_counts_name_each_n_gram_by_the_shorter_one_that_it_ends_in(n: int) -> None:
    rng = np.random.default_rng(n)
    documents = [rng.integers(0, 5, size=7).tolist() for _ in range(40)]
    ngram = NGram.of(lay_out(documents, bos=5, block_size=9).batch, vocab_size=6, bos=5, n=n)
    shorter: list[tuple[int, ...]] = [()]
    for order, its in zip(ngram.orders, counts(ngram), strict=True):
        firsts, times = read(its["firsts"]), read(its["counts"])
        ends = [s for s, many in zip(shorter, read(its["children"])) for _ in range(many)]
        shorter = [(first, *end) for first, end in zip(firsts, ends, strict=True)]
        numbers = [int("".join(map(str, gram)), 6) for gram in shorter]
        assert sorted(zip(numbers, times)) == [*zip(order.pairs.tolist(), order.counts.tolist())]


def test_counts_that_no_training_made_are_refused() -> None:
    one, two = Order.of(np.array([1]), np.array([1]), 3), Order.of(np.array([2]), np.array([1]), 3)
    with pytest.raises(RunError, match="the counts have 2 tokens of which they lack the last 1"):
        counts(NGram([one, two], 3, 2))


# Percentiles


def test_thresholds_give_the_reference_s_percentiles_rounded_down() -> None:
    rng = np.random.default_rng(0)
    lengths, means = rng.integers(1, 12, 900), rng.gamma(4.0, 0.5, 900)
    reference = Reference(lengths, means, enough=200)
    its = thresholds(reference)
    assert len(its["thresholds"]) == len(its["tops"]) + 1 > 2
    others, losses = rng.integers(0, 20, 500), np.append(rng.gamma(4.0, 0.5, 495), [0, 1, 9, 99, 2])
    for length, loss, wanted in zip(others, losses, reference.percentiles(others, losses)):
        place = sum(top < length for top in its["tops"])
        found = sum(one < loss - its["alike"] for one in its["thresholds"][place])
        assert found == np.floor(wanted + 1e-9)


# Weights


def test_sixteen_bits_are_taken_if_they_cost_next_to_nothing(model: Run) -> None:
    texts = [*model.held_out]
    its = weights(model, texts)
    assert its.bits == 16
    assert its.cost is not None
    assert abs(its.cost) < 0.001
    exact = model.engine.state().parameters
    assert np.frombuffer(its.data, "<f2").tolist() == exact.astype(np.float16).tolist()
    assert weights(model, texts, 32).data == exact.astype("<f4").tobytes()
    assert weights(model, []).bits == 32  # it is not known what 16 would cost


def test_thirty_two_bits_are_taken_if_sixteen_cost_more(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.export.weights._cost", lambda *_: 0.001)
    assert weights(model, ["ada"]).bits == 32


# The page


def test_the_page_says_what_it_was_trained_on_and_how_good_it_is(model: Run) -> None:
    found = export(model, documents=6)
    page = (
        found.page.decode("ascii", "xmlcharrefreplace")
        if found.page.isascii()
        else (found.page.decode("utf-8"))
    )
    assert found.ladder is not None
    for rung in found.ladder.rungs:
        assert f"{rung.sum.mean:.4f}" in page
    measured = data_in(found.page)["measured"]
    assert measured["what"] == found.ladder.what
    assert measured["rungs"] == [
        {"name": rung.name, "loss": rung.sum.mean, "is_this": rung.is_this}
        for rung in found.ladder.rungs
    ]
    assert "trained on names: 140 documents, of which 30 % were held out" in page
    documents = data_in(found.page)["documents"]
    assert len(documents) == found.documents == 6
    for one in documents:
        assert one["text"] in [*model.held_out]
        assert one["loss"] == pytest.approx(model.score(one["text"]).loss, abs=1e-9)


def test_without_documents_no_text_of_the_data_is_in_the_file(model: Run) -> None:
    found = export(model, documents=0)
    assert data_in(found.page)["documents"] == []
    page = found.page.decode()
    texts = {*model.held_out, *model.documents[0]}
    assert not [text for text in texts if len(text) > 6 and text in page]
    assert 'id="documents"' not in page


def test_the_policy_names_the_only_script_and_the_only_style(model: Run) -> None:
    import base64
    import hashlib

    page = export(model).page.decode()
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; connect-src 'none'; ")
    for kind, tag in (("script", '<script type="module">'), ("style", "<style>")):
        (body,) = re.findall(f"{tag}(.*?)</{kind}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]


# The command


def test_the_command_writes_a_file_and_says_what_is_in_it(
    model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["export", str(model.folder), "--to", "html", "-o", "names.html"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"Parameters in 16 bits, which changes the GPT's loss by -?\de-\d\d nats a character; "
        r"\d+ documents of the data\.",
        said[0],
    )
    size = Path("names.html").stat().st_size
    assert said[1] == f"Saved in names.html, {size / 1000:.3g}k bytes. Open it in any browser."
    assert cli(["export", str(model.folder), "--documents", "3", "--bits", "32"]) == 0
    assert len(data_in(Path("run.html").read_bytes())["documents"]) == 3
    assert "Parameters in 32 bits; 3 documents" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere"),
        (["RUN", "--documents", "-1"], "documents must be a whole number from 0 to 800; got -1."),
        (["RUN", "--documents", "1e3"], "whole number"),
        (["RUN", "--bits", "8"], "16"),
        (["RUN", "--to", "gguf"], "html"),
        (["RUN", "-o", "RUN/config.json"], "out must be none of the run's own files"),
        (["RUN", "-o", "RUN"], "out must be a file; got the folder"),
        (["RUN", "-o", "no/such.html"], "out must be in a folder that exists"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], said: str, model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in model.folder.iterdir()}
    assert cli(["export", *(word.replace("RUN", str(model.folder)) for word in words)]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    assert {path.name: path.read_bytes() for path in model.folder.iterdir()} == before


def test_a_full_disk_leaves_the_old_file_as_it_was(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("old.html").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    assert cli(["export", str(model.folder), "-o", "old.html"]) == 2
    assert capsys.readouterr().err.endswith("old.html: no space left on the disk.\n")
    assert [path.name for path in Path().iterdir()] == ["old.html"]
    assert Path("old.html").read_text() == "old"


def test_a_run_whose_documents_are_gone_is_exported_without_losses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY))
    run = microgpt.train(tmp_path / "t.txt", preset="microgpt", steps=5, out=tmp_path / "run")
    (tmp_path / "t.txt").unlink()
    assert cli(["export", str(run.folder), "-o", "page.html"]) == 0
    printed = capsys.readouterr()
    assert "no losses of documents: " in printed.err
    assert printed.out.startswith("Parameters in 32 bits; 0 documents of the data.")
    assert "It is not known: " in Path("page.html").read_text("utf-8")


def test_a_mask_that_a_browser_reads_otherwise_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(f"{name}-{n}" for n, name in enumerate(TINY)))
    run = microgpt.train(
        tmp_path / "t.txt", preset="microgpt", steps=5, mask="tail=(?i:-[0-9]+)", out=tmp_path / "r"
    )
    assert cli(["export", str(run.folder), "-o", "page.html"]) == 2
    assert "mask tail must be an expression that a browser reads" in capsys.readouterr().err
    assert not Path("page.html").exists()
