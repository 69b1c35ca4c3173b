"""A trained run as a Python program uses it."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt import Run, UsageError
from microgpt.errors import DataError, RunError

SMALL: dict[str, Any] = {"n_embd": 8, "n_head": 2, "block_size": 8, "engine": "scalar"}
CORPUS = [
    "ada", "alan", "anna", "bea", "ben", "bob", "dana", "dean", "eba", "eda", "ella", "ena", "lea",
    "lena", "nan", "neal", "nell", "noa",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, and a run on it with held-out documents."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "corpus.txt").write_text("\n".join(CORPUS) + "\n")
    microgpt.train(folder / "corpus.txt", out=folder / "run", steps=40, holdout=0.25, **SMALL)
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    return microgpt.load(home / "run")


def test_training_prints_nothing_and_returns_the_run_in_its_folder(
    tmp_path: Path, tiny: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    made = microgpt.train(tiny, steps=3, out=tmp_path / "r", **SMALL)
    assert made.folder == tmp_path / "r"
    assert repr(made) == f"Run({str(tmp_path / 'r')!r})"
    assert {path.name for path in made.folder.iterdir()} - {".lock"} == {
        "config.json", "tokenizer.json", "checkpoint.safetensors", "log.jsonl", "samples.txt",
    }  # fmt: skip
    assert len((made.folder / "samples.txt").read_text().splitlines()) == 20
    assert capfd.readouterr() == ("", "")


def test_runs_that_are_not_told_where_are_numbered(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "my.words.txt").write_text("\n".join(tiny))
    for number in (1, 2, 3):
        made = microgpt.train("my.words.txt", steps=1, **SMALL)
        assert made.folder == Path("runs", f"my-{number}")


def test_without_anything_the_preset_is_the_original_on_the_slow_engine(
    tmp_path: Path, tiny: list[str]
) -> None:
    made = microgpt.train(tiny, steps=1, engine="scalar", out=tmp_path / "r")
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    expected = {"n_embd": 16, "n_head": 4, "n_layer": 1, "block_size": 16, "init_std": 0.08}
    assert expected.items() <= config["model"].items()
    recipe = {"lr": 0.01, "beta1": 0.85, "beta2": 0.99, "eps": 1e-8, "holdout": 0.0, "seed": 42}
    assert recipe.items() <= config["training"].items()
    assert made.settings.preset == "microgpt"


def test_the_first_characters_probabilities_sum_to_1(run: Run) -> None:
    total = run.score("").characters[0].p
    total += math.fsum(run.score(c).characters[0].p for c in run.tokenizer.characters)  # type: ignore[attr-defined]
    assert total == pytest.approx(1.0, rel=1e-12)


def test_a_score_prices_every_character_and_the_end(run: Run) -> None:
    score = run.score("lena")
    assert [c.char for c in score.characters] == ["l", "e", "n", "a", None]
    assert score.losses == [c.nats for c in score.characters]
    assert all(c.p == pytest.approx(math.exp(-c.nats)) for c in score.characters)
    assert score.nats == pytest.approx(math.fsum(score.losses))
    assert score.loss == pytest.approx(score.nats / 5)
    assert score.bits == pytest.approx(score.loss / math.log(2))
    assert score.perplexity == pytest.approx(math.exp(score.loss))


def test_a_score_does_not_depend_on_what_is_scored_beside_it(run: Run) -> None:
    texts = [*CORPUS, "", "nananananananana", "xyz"] * 4
    alone = [run.score(text) for text in texts]
    assert list(run.scores(iter(texts))) == alone


def test_an_evaluation_is_the_sum_of_the_scores(run: Run) -> None:
    result, scores = run.evaluate(CORPUS), list(run.scores(CORPUS))
    nats = math.fsum(score.nats for score in scores)
    positions = sum(len(text) + 1 for text in CORPUS)
    assert (result.sum.positions, result.documents) == (positions, len(CORPUS))
    assert result.loss == pytest.approx(nats / positions)
    assert result.bits == pytest.approx(nats / positions / math.log(2))
    # Here a character is a byte, and so is an end.
    assert result.bits_per_byte == pytest.approx(result.bits)
    assert result.document_loss == pytest.approx(sum(s.loss for s in scores) / len(scores))


def test_without_texts_the_held_out_documents_are_evaluated(run: Run) -> None:
    trained, held_out = run.documents
    assert sorted([*trained, *held_out]) == sorted(CORPUS)
    assert held_out
    assert run.evaluate() == run.evaluate(held_out)
    # The training's closing evaluation was on the same documents, computed the other way.
    heldout = run.log.heldout[-1]["heldout"]
    assert heldout["positions"] == sum(len(text) + 1 for text in held_out)
    assert heldout["loss"] == pytest.approx(run.evaluate().loss)


def test_samples_are_the_same_for_the_same_seed_and_end_or_fill_the_block(run: Run) -> None:
    drawn = run.sample(30, seed=3)
    assert drawn == run.sample(30, seed=3) == run.sample(40, seed=3)[:30]
    assert drawn != run.sample(30, seed=4)
    assert all(len(text) <= 8 and set(text) <= set("".join(CORPUS)) for text in drawn)
    assert all(text.startswith("le") for text in run.sample(5, prompt="le"))
    assert len(set(run.sample(5, temperature=0.0))) == 1


def test_the_likeliest_sample_follows_the_likeliest_characters(run: Run) -> None:
    text = run.sample(1, temperature=0.0)[0]
    for c in run.score(text).characters[: len(text)]:
        assert c.likely[0] == c.char
        assert c.hits == 1


def test_a_copied_run_is_the_same_run(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    copy = microgpt.load(str(tmp_path / "copy"))
    assert copy.sample(5) == run.sample(5)
    assert copy.score("noa") == run.score("noa")
    assert copy.evaluate() == run.evaluate()


def test_a_run_whose_file_has_changed_says_so(tmp_path: Path, tiny: list[str]) -> None:
    file = tmp_path / "t.txt"
    file.write_text("\n".join(tiny))
    made = microgpt.train(file, steps=1, out=tmp_path / "r", **SMALL)
    file.write_text("\n".join(tiny[1:]))
    with pytest.raises(RunError) as caught:
        _ = made.documents
    assert str(caught.value) == (
        f"{tmp_path / 'r'}: {file} must be what it was trained on (20 documents); "
        "got other text (19 documents). Bring it back, or train anew."
    )
    assert microgpt.load(tmp_path / "r").score("ada").loss > 0
    file.unlink()
    with pytest.raises(RunError) as caught:
        _ = microgpt.load(tmp_path / "r").documents
    assert str(caught.value) == (
        f"{tmp_path / 'r'}: what it was trained on must be there to be read again; there is no "
        f"{file}. Bring it back, or name another file where one can be given. score, sample and "
        "compress do without."
    )


def test_a_run_on_documents_of_a_program_asks_for_them(tmp_path: Path, tiny: list[str]) -> None:
    made = microgpt.train(tiny, steps=1, out=tmp_path / "r", **SMALL)
    with pytest.raises(RunError) as caught:
        _ = made.documents
    assert str(caught.value) == (
        f"{tmp_path / 'r'}: its documents came from a Python program; give them again."
    )
    assert made.evaluate(tiny).documents == 20


def test_what_a_program_gives_wrong_is_told_in_one_sentence(run: Run, tiny: list[str]) -> None:
    for wrong, sentence in (
        (lambda: run.evaluate("emma"), "texts must be a list of strings; got one string."),
        (lambda: run.evaluate([]), "texts must not be empty; got none."),
        (lambda: microgpt.train([]), None),
        (lambda: run.evaluate(["ada", None]), "text 1 must be a string; got None."),  # type: ignore[list-item]
        (lambda: microgpt.train(tiny, steps=0), "steps must be a whole number from 1; got 0."),
        (lambda: microgpt.train(["a", 5]), "document 1 must be a string; got 5."),  # type: ignore[list-item]
        (lambda: run.sample(1, prompt="é"), None),
        (lambda: run.sample(-1), "number must be a whole number from 0; got -1."),
    ):
        with pytest.raises((UsageError, DataError)) as caught:
            wrong()
        assert str(caught.value) == (sentence or str(caught.value))
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_ebmd'"):
        microgpt.train(tiny, n_ebmd=8)  # type: ignore[call-arg]
    assert not Path("runs").exists()


def test_a_run_without_held_out_documents_says_that_texts_are_needed(
    tmp_path: Path, tiny: list[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny))
    made = microgpt.train("t.txt", steps=1, **SMALL)
    with pytest.raises(UsageError, match="texts must be given: this run held no documents out"):
        made.evaluate()


def test_training_learns(tmp_path: Path) -> None:
    # Two letters that alternate: after the first there is nothing left to guess but the end.
    rng = random.Random(0)
    documents = [("ab" * 4)[rng.randint(0, 1) :][:7] for _ in range(40)]
    made = microgpt.train(documents, steps=120, out=tmp_path / "r", **SMALL)
    assert made.evaluate(documents).loss < 0.2 < math.log(3)


def test_a_run_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        microgpt.load("nowhere")
    assert str(caught.value) == "nowhere: no such run. Try: microgpt train"
