"""A folder for Hugging Face: its tokenizer beside ours, its card, and the command."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgpt
from microgpt import Run, UsageError
from microgpt.cli.app import run as cli
from microgpt.data.tokenizer import BPE, Bytes, Characters, Masked, Tokenizer
from microgpt.data.tokenizer.masks import parse
from microgpt.export.alone import notes, own_loss

from .conftest import TINY, required
from .kinds import KINDS, trained

try:
    from microgpt.export.huggingface import FILES, export
    from microgpt.export.huggingface.tokenizer import fast, settings
except ImportError as error:
    required("transformers", f"tokenizers is not installed ({error})")

# Small models are mixed with counts that know more than they do.
pytestmark = pytest.mark.filterwarnings("ignore::microgpt.errors.TrainingWarning")

# Half a pair is no text to that library.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


# The tokenizer


def same(tokenizer: Tokenizer, text: str) -> None:
    made = fast(tokenizer)
    ids = [tokenizer.bos, *tokenizer.encode(text)[0].tolist(), tokenizer.bos]
    made.encode_special_tokens = True  # as tokenizer_config.json asks for
    assert made.encode(text).ids == ids
    assert made.decode(ids, skip_special_tokens=True) == text
    assert made.get_vocab_size() == tokenizer.vocab_size


@pytest.mark.parametrize("bos", ["first", "last"])
@given(text=TEXTS)
def test_bytes_are_read_as_here(bos: Any, text: str) -> None:
    same(Bytes(bos), text)


@pytest.mark.parametrize("bos", ["first", "last"])
@given(text=TEXTS.filter(bool))
def test_characters_are_read_as_here(bos: Any, text: str) -> None:
    same(Characters.of([text, "z"], bos), text)


@pytest.mark.parametrize("text", ["<bos>", "a<bos>b\r\n\u2028", "  e\u0301 é ﬁ", "\x00👩‍👩‍👧"])
def test_no_text_is_taken_for_an_end_or_changed(text: str) -> None:
    same(Characters.of([text]), text)
    same(Bytes(), text)


WORDS = ["low lower lowest", "new newer newest", "naïve 😀 1,024!"] * 9


@pytest.mark.parametrize("bos", ["first", "last"])
@given(text=TEXTS | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_a_bpe_that_was_learned_reads_as_here(bos: Any, text: str) -> None:
    same(learned(bos), text)


@cache
def learned(bos: Any) -> BPE:
    return BPE.of(WORDS, 290, bos)


@pytest.mark.parametrize("bos", ["first", "last"])
def test_a_bpe_of_a_file_keeps_its_own_tokens(bos: Any, tmp_path: Path) -> None:
    data = learned("last").to_json()["huggingface"]
    ids = len(data["model"]["vocab"])
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    data["added_tokens"] = [
        {"id": ids, "content": "<bos>", "special": True, **plain},
        {"id": ids + 1, "content": "\t\t", "special": False, **plain},
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    tokenizer = BPE.of_file(str(tmp_path / "tokenizer.json"), bos)
    for text in ("low\t\tnewest", "<bos> lowest<<bos>>"):
        same(tokenizer, text)
    assert settings(tokenizer, 8)["bos_token"] == "<<bos>>"


def test_a_character_that_is_not_known_is_an_error() -> None:
    with pytest.raises(Exception, match=r"Missing \[UNK\] token"):
        fast(Characters.of(["emma"])).encode("emmo")


def test_tokenizers_without_a_counterpart_are_refused() -> None:
    masked = Masked.of(["a 1"], parse("digits"), Characters.counted)
    with pytest.raises(UsageError, match=r"must read a text as it is; this run's reads .* as one"):
        fast(masked)
    with pytest.raises(UsageError, match=r"this run's has \\ud800, half of one"):
        fast(Characters.of(["a\ud800"]))


# The card and the folder


def folder(run: Run, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert cli(["export", str(run.folder), "--to", "huggingface", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_command_writes_a_folder_and_says_how_to_read_it(
    model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    said = folder(model, capsys)
    loss, documents = model.evaluate().loss, len(model.held_out)
    assert said[0] == f"{loss:.4f} nats a character on {documents} held-out documents."
    assert said[1].startswith("Saved in run-huggingface, 8 files, ")
    assert 'from_pretrained("run-huggingface", trust_remote_code=True)' in said[3]
    assert {path.name for path in Path("run-huggingface").iterdir()} == set(FILES)
    before = Path("run-huggingface/README.md").stat().st_ino
    again = folder(model, capsys)  # it replaces what it wrote
    assert again == said
    assert Path("run-huggingface/README.md").stat().st_ino != before


def test_the_card_says_how_good_it_is_and_has_no_text_or_path_of_the_data(
    model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(model, capsys, "-o", "it")
    card = Path("it/README.md").read_text("utf-8")
    ladder = model.ladder()
    for name, total in ladder.baselines.items():
        if name != "xz":
            assert re.search(rf"^\| .* \| {total.mean:.4f} \| {total.bits:.3f} \| ", card, re.M)
    result = model.evaluate()
    assert (
        f"| **this model** | {result.loss:.4f} | {result.bits:.3f} | {result.perplexity:.1f} | "
        f"{result.bits_per_byte:.3f} |"
    ) in card
    assert "trained by microgpt" in card
    assert f"140 texts of {model.settings.source.name}.txt, 30 % of them held out" in card
    assert "The tokenizer knows: `a, b, d, e, l, n, o`." in card
    assert "It reads 6 ids at once" in card
    assert "microgpt train names.txt --preset microgpt --block-size 6" in card
    everything = "".join(
        path.read_text("utf-8") for path in Path("it").iterdir() if path.suffix != ".safetensors"
    )
    assert str(model.folder.parent) not in everything
    texts = {*model.held_out, *model.documents[0]}
    assert not [text for text in texts if len(text) > 6 and text in everything]


def test_the_path_of_a_tokenizer_is_not_given_away(tmp_path: Path) -> None:
    (tmp_path / "its.json").write_text(json.dumps(learned("last").to_json()["huggingface"]))
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    its = str(tmp_path / "its.json")
    run = microgpt.train(
        tmp_path / "words.txt", preset="microgpt", steps=3, tokenizer=its, out=tmp_path / "run"
    )
    files = export(run, "it").files
    assert "--tokenizer its.json" in files["README.md"].decode()
    written = json.dumps(notes(run, own_loss(run)))
    assert "its.json" in written
    texts = [data.decode() for name, data in files.items() if name != "model.safetensors"]
    assert str(tmp_path) not in "".join([written, *texts])


def test_the_front_of_the_card_is_yaml(model: Run) -> None:
    yaml = pytest.importorskip("yaml")
    card = export(model, 'a "name"').files["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["tags"] == ["microgpt", "character-level"]
    assert "license" not in front
    (found,) = front["model-index"]
    assert found["name"] == 'a "name"'
    assert found["results"][0]["metrics"][0]["value"] == pytest.approx(
        model.evaluate().loss, abs=1e-5
    )


@pytest.mark.slow
def test_counts_that_are_left_out_are_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS["counts"])
    said = folder(run, capsys, "-o", "it")
    alone = run.alone(run.held_out)
    assert alone is not None
    assert said[0].startswith(f"GPT alone: {alone.mean:.4f} nats a character on ")
    card = Path("it/README.md").read_text("utf-8")
    assert "In microgpt it is mixed with counts of 4 characters (" in card
    assert f"| **this model** | {alone.mean:.4f} |" in card
    mixed = f"{run.evaluate().loss:.4f}"
    assert mixed not in card.replace(f"{alone.mean:.4f}", "")  # counts may be worth nothing here


def test_a_card_without_documents_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY))
    run = microgpt.train(tmp_path / "t.txt", preset="microgpt", steps=5, out=tmp_path / "run")
    (tmp_path / "t.txt").unlink()
    folder(run, capsys, "-o", "it")
    card = Path("it/README.md").read_text("utf-8")
    assert "## Loss\n\nIt is not known: " in card
    assert "model-index" not in card


def test_a_name_of_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    texts = tmp_path / "<b>_x_`.txt"
    texts.write_text("\n".join(TINY))
    run = microgpt.train(texts, preset="microgpt", steps=5, out=tmp_path / "run")
    card = export(run, "*it*").files["README.md"].decode()
    assert "\n# \\*it\\*\n" in card
    assert r"on \<b\>\_x\_\`.txt, one character" in card


def test_settings_are_those_of_the_run(model: Run) -> None:
    files = export(model, "it").files
    config = json.loads(files["config.json"])
    assert config["bos_token_id"] == config["eos_token_id"] == model.tokenizer.bos
    assert (config["block_size"], config["n_embd"], config["n_head"]) == (6, 4, 1)
    assert json.loads(files["generation_config.json"])["max_length"] == 7
    assert export(model, "it").files == files


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"notes.txt": "mine"}, "it: must be empty or new; it holds notes.txt."),
        ({"README.md": "mine"}, "it: must be empty or new; it holds README.md."),
        (
            {"config.json": '{"model_type": "gpt2"}', "model.safetensors": ""},
            "it: must be empty or new; it holds config.json.",
        ),
        ({"config.json": "[]"}, "it: must be empty or new; it holds config.json."),
    ],
)
def test_a_folder_with_other_files_is_left_as_it_is(
    made: dict[str, str], said: str, model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("it").mkdir()
    for name, text in made.items():
        (Path("it") / name).write_text(text)
    words = ["export", str(model.folder), "--to", "huggingface", "-o", "it"]
    assert cli(words) == 2
    assert capsys.readouterr().err == f"microgpt: {said} Try another --out.\n"
    assert {path.name: path.read_text() for path in Path("it").iterdir()} == made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "RUN"], "must be empty or new; it holds checkpoint.safetensors"),
        (["-o", "RUN/config.json"], "a file. Expected a folder, or a name for a new one"),
        (["--bits", "32"], "--bits must be given with --to html alone; got --to huggingface"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], said: str, model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    its = str(model.folder)
    words = [word.replace("RUN", its) for word in words]
    assert cli(["export", its, "--to", "huggingface", *words]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_a_run_with_masks_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "lines.txt", preset="microgpt", mask="digits")
    assert cli(["export", str(run.folder), "--to", "huggingface", "-o", "it"]) == 2
    assert "must read a text as it is" in capsys.readouterr().err
    assert not Path("it").exists()


def test_without_tokenizers_it_is_said_what_to_install(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("microgpt.export.huggingface")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert cli(["export", str(model.folder), "--to", "huggingface"]) == 2
    assert "Try: pip install 'microgpt-lm[huggingface]'" in capsys.readouterr().err
