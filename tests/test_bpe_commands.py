"""Every command on a run that reads the tokens of a BPE, and engines on the same tokens."""

from __future__ import annotations

import json
import math
import re
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.config import GPTConfig
from microgpt.counting.ladder import ladder, ngram
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import BPE, encode_all
from microgpt.data.tokenizer.sizes import ByteCounter
from microgpt.errors import UsageError
from microgpt.evaluation import evaluate
from microgpt.loss import cross_entropy
from microgpt.runs.run import Run
from microgpt.sampling import Choice
from microgpt.studio.game import Game
from microgpt.studio.inside import inside
from microgpt.studio.prices import price
from microgpt.training.heldout import HeldOutDocuments
from tests.conftest import opened, required

if not find_spec("tokenizers"):
    required("tokenizers", "Hugging Face's tokenizers is not installed")

Capture = pytest.CaptureFixture[str]
WORDS = ["the thesis", "other themes", "né bathes there", "then the other", "bother them 😀"]
LINES = [f"{a} {b}" for a in WORDS for b in WORDS] * 2
SMALL = ["--n-embd", "8", "--n-head", "2", "--block-size", "8", "--steps", "20", "--holdout", "0.3"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a run of a BPE and one of characters, trained on it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.txt").write_text("\n".join(LINES), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, more in (
            ("p", ["--tokenizer", "bpe", "--vocab-size", "280"]), ("c", []),
            ("f", ["--tokenizer", "p/tokenizer.json", "--preset", "micro", "--ngram", "2"]),
        ):  # fmt: skip
            words = ["train", "t.txt", *SMALL, "--out", name, *more]
            assert cli(words) == 0
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    for name in ("p", "c", "f", "t.txt"):
        Path(name).symlink_to(home / name)


def said(capsys: Capture, words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert cli(words.split()) == code
    return capsys.readouterr().out if code == 0 else capsys.readouterr().err


def mistake(capsys: Capture, words: str) -> str:
    capsys.readouterr()
    assert cli(words.split()) == 2
    printed = capsys.readouterr()
    line = re.fullmatch(r"microgpt: ([^\n\x1b]+)\n", printed.err)
    assert line is not None, printed.err
    return line[1]


def test_a_run_says_how_it_was_made_and_that_makes_it_again(capsys: Capture) -> None:
    words = said(capsys, "runs p --command").split()
    assert {"--tokenizer", "bpe", "--vocab-size", "280"} <= {*words}
    assert cli([*words[1:], "--out", "again"]) == 0
    for name in ("tokenizer.json", "checkpoint.safetensors"):
        assert Path("again", name).read_bytes() == Path("p", name).read_bytes()
    run, other = microgpt.load("p"), microgpt.load("f")
    assert run.settings.model.vocab_size == run.tokenizer.vocab_size == 280
    assert isinstance(other.tokenizer, BPE)
    assert "--tokenizer p/tokenizer.json" in said(capsys, "runs f --command")
    text = LINES[0]
    assert other.tokenizer.encode(text)[0].tolist() == run.tokenizer.encode(text)[0].tolist()


def test_a_text_is_coloured_by_its_tokens(capsys: Capture) -> None:
    run = microgpt.load("p")
    found = run.score("the other né\ud800")
    chars = [c.char for c in found.characters]
    assert "".join(c for c in chars if c is not None) == "the other né\ud800"
    assert len(chars) < len("the other né\ud800")
    assert chars[-1] is None
    # A space is seen where it belongs to a token.
    assert any(c and c.startswith(" ") and len(c) > 1 for c in chars)
    assert cli(["score", "p", "the other né"]) == 0
    title, _, tokens, *_ = capsys.readouterr().out.splitlines()
    assert "nats a token" in title
    assert "".join(tokens.split()) == "the␣other␣né⏎"
    told = json.loads(said(capsys, "score p other --json"))
    assert told["text"] == "other"
    assert "".join(c["char"] or "" for c in told["characters"]) == "other"
    assert told["nats"] == pytest.approx(math.fsum(c["nats"] for c in told["characters"]))


def test_losses_are_those_of_the_definition_and_the_likeliest_come_in_order() -> None:
    run = microgpt.load("p")
    text = "the other né"
    batch = lay_out(encode_all(run.tokenizer, [text]), run.tokenizer.bos, 8).batch
    logits_NV = run.predictor.logits(batch)
    losses = [cross_entropy(row, t)[0] for row, t in zip(logits_NV.tolist(), batch.targets_N)]
    found = run.score(text)
    assert found.losses == pytest.approx(losses, abs=1e-12)
    order = np.argsort(-logits_NV, axis=1, kind="stable")[:, :3].tolist()
    likely = [tuple(run.tokenizer.decode([i]) for i in its) for its in order]
    assert [c.likely for c in found.characters if len(c.losses) == 1] == [
        its for its, c in zip(_of_positions(likely, found), found.characters) if len(c.losses) == 1
    ]


def _of_positions(likely: list[Any], found: Any) -> list[Any]:
    """Return what is likeliest at the first position of each character."""
    firsts = np.cumsum([0, *(len(c.losses) for c in found.characters)])[:-1]
    return [likely[i] for i in firsts]


def test_samples_are_text_and_go_on_from_a_prompt() -> None:
    run = microgpt.load("p")
    assert all(isinstance(text, str) for text in run.sample(5))
    drawn = list(islice(run.samples(Choice(prompt="the né😀 ", seed=1)), 5))
    assert all(one.text.startswith("the né😀 ") for one in drawn)


def test_bits_a_byte_compare_and_come_first(capsys: Capture) -> None:
    run = microgpt.load("p")
    held = run.documents[1]
    n_bytes = sum(len(text.encode()) + 1 for text in held)
    result = run.evaluate(held)
    assert result.n_bytes == n_bytes
    logged = run.log.heldout[-1]["heldout"]
    batch = HeldOutDocuments(held, run.tokenizer, 8).head(logged["positions"])
    targets_N = batch.counted(batch.targets_N)
    assert logged["bytes"] == ByteCounter(run.tokenizer).count(targets_N)
    # The scalar engine measures a part.
    assert (logged["bytes"] == n_bytes) == (logged["positions"] == result.sum.positions)
    bits = logged["loss"] * logged["positions"] / math.log(2) / logged["bytes"]
    lines = said(capsys, "evaluate p").splitlines()
    assert lines[1].startswith(f"{result.bits_per_byte:.3f} bits a byte of UTF-8")
    assert "nats a token" in lines[2]
    assert re.match(r" +bits a byte +nats", lines[4])
    other = said(capsys, "evaluate c").splitlines()
    assert "nats a character" in other[1]
    characters = microgpt.load("c").log.heldout[-1]["heldout"]
    assert characters["bytes"] > characters["positions"]
    differ = json.loads(said(capsys, "runs p c --json"))["differs"]
    assert next(iter(differ)) == "bits_per_byte"
    assert differ["bits_per_byte"] == pytest.approx(
        [bits, characters["loss"] * characters["positions"] / math.log(2) / characters["bytes"]]
    )
    assert cli(["plot", "p", "c"]) == 0
    assert "Held out, bits a byte: p " in capsys.readouterr().err


def test_runs_of_one_tokenizer_are_listed_as_ever_and_others_by_bytes(
    capsys: Capture, home: Path
) -> None:
    Path("runs").mkdir()
    Path("runs/c").symlink_to(home / "c")
    assert "bits a byte" not in said(capsys, "runs")
    Path("runs/p").symlink_to(home / "p")
    lines = said(capsys, "runs").splitlines()
    assert re.match(r"run +data +preset +bits a byte +parameters", lines[0])
    assert any("nats a token cannot be compared between these runs" in line for line in lines)


def test_the_closing_lines_have_bits_a_byte(capsys: Capture) -> None:
    out = said(capsys, "train t.txt --tokenizer bpe --vocab-size 270 --out r " + " ".join(SMALL))
    assert re.search(r"Held out: \d\.\d{3} bits a byte · \d\.\d{4} nats a token = ", out)
    assert " tokens (any text, BOS)" in out
    words = " ".join(["train t.txt --tokenizer bpe --vocab-size 270 --json --out s", *SMALL])
    last = json.loads(said(capsys, words).splitlines()[-1])
    assert last["bits_per_byte"] > 0


@pytest.mark.parametrize("data", [b"", b"the other\r\nn\xc3\xa9\r\n", bytes(range(256)) * 2,
                                  b"the \xed\xa0\x80 \xff\xfe\nthe", b"\n\n\n"])  # fmt: skip
def test_any_bytes_are_compressed_and_come_back(data: bytes) -> None:
    run = microgpt.load("p")
    assert run.decompress(run.compress(data)) == data


def test_a_report_and_a_plot_are_drawn(capsys: Capture) -> None:
    assert "nats a token" in said(capsys, "report p --text the -o page.html")
    page = Path("page.html").read_text("utf-8")
    assert "--tokenizer bpe --vocab-size 280" in page
    assert "bits a byte" in page
    assert "nats a token" in said(capsys, "plot p")
    assert re.search(r"^the +0\.", said(capsys, "why p the"), re.MULTILINE)
    assert said(capsys, "score p t.txt --top 3 --suggest")


def test_data_reports_tokens_a_document_and_characters_a_token(capsys: Capture) -> None:
    told = json.loads(said(capsys, "data t.txt --holdout 0.3 --tokenizer bpe --vocab-size 280 "
                           "--json"))  # fmt: skip
    run = microgpt.load("p")
    positions = encode_all(run.tokenizer, LINES).offsets
    tokens = int(positions[-1]) - len(LINES)
    assert told["tokens"]["vocab_size"] == 280
    assert told["tokens"]["tokens"] == tokens
    assert told["tokens"]["a_document"] == pytest.approx(tokens / len(LINES))
    assert told["tokens"]["characters_a_token"] == pytest.approx(sum(map(len, LINES)) / tokens)
    batch = lay_out(encode_all(run.tokenizer, LINES), run.tokenizer.bos, 64).batch
    rungs = ladder(batch, batch, run.tokenizer)
    assert told["losses"] == pytest.approx(
        {name: rungs[name].mean for name in ("uniform", "unigram")}
    )
    assert told["blocks"][0]["windows"] == sum(-(-int(n) // 8) for n in np.diff(positions))
    printed = said(capsys, "data t.txt --holdout 0.3 --tokenizer bpe --vocab-size 280")
    assert f"{tokens:,} tokens of 280 kinds: {tokens / len(LINES):.1f} a document, " in printed
    assert "nats a token, the ends included" in printed
    assert "tokens" not in json.loads(said(capsys, "data t.txt --json"))


@pytest.mark.parametrize(("words", "says"), [
    ("export p -o e.html", "a page that computes must be of a run that reads characters or bytes"),
    ("train t.txt --tokenizer bpe --mask digits",
     "mask must stand with tokenizer characters or bytes; got another."),
    ("train t.txt --tokenizer bpe --vocab-size 256",
     "vocab_size must be a whole number from 257; got 256."),
    ("train t.txt --vocab-size 300", "vocab_size must stand with tokenizer bpe; got characters."),
    ("train t.txt --tokenizer words", "tokenizer must be one of characters, bytes, bpe, or the "),
    ("train t.txt --tokenizer no.json", "no.json: cannot be read: No such file or directory."),
    ("train --resume p --vocab-size 300", "--resume must stand without vocab-size: "),
    ("data t.txt --vocab-size 300", "vocab_size must stand with tokenizer bpe; got characters."),
    ("train t.txt --tokenizer bpe --vocab-size 1.5", "expected a whole number"),
])  # fmt: skip
def test_what_does_not_go_is_one_sentence(capsys: Capture, words: str, says: str) -> None:
    assert says in mistake(capsys, words)


@pytest.mark.slow
def test_a_sweep_and_a_study_read_its_tokens(capsys: Capture) -> None:
    pytest.importorskip("optuna")
    frame = microgpt.study(
        "t.txt", {"n_embd": [2, 4], "n_head": 1, "block_size": 8}, seeds=1, preset="microgpt",
        steps=4, holdout=0.3, tokenizer="bpe", vocab_size=280, jobs=1, out="s",
    )  # fmt: skip
    assert len(frame) == 2
    again = Path("s").rglob("*.sh")
    assert any("--tokenizer bpe --vocab-size 280" in path.read_text() for path in again)


def test_an_estimator_reads_its_tokens() -> None:
    pytest.importorskip("sklearn")
    from microgpt.sklearn import TextDensity

    model = TextDensity(preset="microgpt", steps=5, n_embd=4, n_head=1, block_size=8,
                        tokenizer="bpe", vocab_size=280, random_state=0)  # fmt: skip
    model.fit(LINES)
    assert isinstance(model.run_.tokenizer, BPE)
    assert np.isfinite(model.score_samples(["the other", "\xff"])).all()


def test_the_engines_agree_on_its_tokens(engine_name: str) -> None:
    tokenizer = BPE.of(LINES, 300)
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=8, n_head=2, n_embd=8)
    texts = [*LINES[:6], "", "né😀"]
    one, other = (opened(name, config, std=0.3) for name in ("scalar", engine_name))
    ours, theirs = (evaluate(engine, tokenizer, 8, texts) for engine in (one, other))
    assert theirs.loss == pytest.approx(ours.loss, rel=1e-5)
    assert theirs.bits_per_byte == pytest.approx(ours.bits_per_byte, rel=1e-5)


def test_bytes_are_counted_as_the_text_has_them() -> None:
    for tokenizer in (BPE.of(LINES, 300), BPE.of(LINES, 300, "first")):
        encoded = encode_all(tokenizer, LINES)
        counter = ByteCounter(tokenizer)
        assert counter.count(encoded.stream[1:]) == sum(len(t.encode()) + 1 for t in LINES)
        assert not counter.is_one_each


def test_the_baselines_of_a_large_vocabulary_take_no_table_of_all_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With 60,000 ids a table of pairs would have 3.6 billion numbers."""
    rng = np.random.default_rng(1)
    ids = [rng.integers(0, 59_999, 40).tolist() for _ in range(50)]
    largest = 0
    zeros = np.zeros

    def counted(shape: Any, *rest: Any, **more: Any) -> Any:
        nonlocal largest
        largest = max(largest, int(np.prod(shape)))
        return zeros(shape, *rest, **more)

    class Large:
        vocab_size, bos, unknown_nats, stand_in = 60_000, 59_999, 0.0, 0

    monkeypatch.setattr(np, "zeros", counted)
    batch = lay_out(ids, bos=59_999, block_size=16).batch
    counts = ngram(batch, Large())  # type: ignore[arg-type]
    rungs = ladder(batch, batch, Large(), counts)  # type: ignore[arg-type]
    assert largest < 1e6
    assert counts.n <= 3
    assert rungs["uniform"].mean == pytest.approx(math.log(60_000))
    assert rungs["bigram"].mean < rungs["uniform"].mean


def test_the_studio_shows_tokens_or_says_why_not() -> None:
    run: Run = microgpt.load("p")
    priced = price(run, "the other né")
    assert "".join(p.symbol for p in priced.positions[:-1]).replace("␣", " ").startswith("the")
    assert inside(run, "the other")["read"][0] == "BOS"
    with pytest.raises(UsageError, match="one character or byte at a time"):
        Game.of(run, 1)
