"""`microgpt data prepare`: the same bytes however it is done; one sentence where it cannot be."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from microgpt.cli.app import run as cli
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.data.split import split
from microgpt.data.store import Store
from microgpt.runs.folder import claimed
from microgpt.runs.tokens import portions
from microgpt.runs.tokens.preparation import Portioned, Preparation
from microgpt.runs.tokens.prepare import prepare
from microgpt.runs.tokens.repeats import repeats

SMALL = 20_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let portions be small, so that a small file has several shards."""
    monkeypatch.setattr(portions, "SIZE", SMALL)
    monkeypatch.setattr("microgpt.runs.tokens.preparation.SIZE", SMALL)


def text(lines: int = 6000, seed: int = 1) -> str:
    rng = random.Random(seed)
    some = ["".join(rng.choices("abcdefgé日 ", k=rng.randint(1, 30))) for _ in range(lines)]
    return "\n".join([*some, " ", some[0]]) + "\n"


def written(path: str = "lines.txt", content: str | None = None) -> str:
    Path(path).write_text(text() if content is None else content, "utf-8")
    return path


def made(out: str = "tokens", **settings: object) -> list[Portioned]:
    settings = {"source": Source(files=("lines.txt",)), **settings}
    return list(prepare(Preparation(**settings), Path(out)))  # type: ignore[arg-type]


def content(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert cli(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("microgpt: ")
    assert err.count("\n") == 1
    return err.removeprefix("microgpt: ").rstrip("\n")


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["characters", "bytes", "bpe"])
def test_the_bytes_do_not_depend_on_the_number_of_processes(tokenizer: str) -> None:
    written()
    made("one", tokenizer=tokenizer)
    made("three", tokenizer=tokenizer, processes=3)
    assert content("one") == content("three")
    assert len(Store("one").index.shards) > 4


# Where the process is killed: after so many events, of which the counting of characters has seven.
PROGRAM = """
import os, sys
from pathlib import Path
from microgpt.data.corpus import Source
from microgpt.runs.tokens import portions, preparation
portions.SIZE = preparation.SIZE = int(sys.argv[1])
from microgpt.runs.tokens.prepare import prepare
if __name__ == "__main__":
    asked = preparation.Preparation(source=Source(files=("lines.txt",)), processes=int(sys.argv[3]))
    for number, event in enumerate(prepare(asked, Path("tokens"))):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("after", "processes"),
    [
        (0, 1),
        (8, 1),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in ((3, 1), (10, 2), (12, 1))),
    ],
)
def test_a_killed_preparation_goes_on_to_the_same_bytes(after: int, processes: int) -> None:
    written()
    events = made("whole")
    counting = sum(event.stage == "counting characters" for event in events)
    Path("program.py").write_text(PROGRAM)
    killed = subprocess.run(
        [sys.executable, "program.py", str(SMALL), str(after), str(processes)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    rest = made("tokens")
    assert content("tokens") == content("whole")
    kept = max((event.kept for event in rest), default=0)
    assert kept == max(0, after - counting + 1)


def interrupted(shards: int) -> None:
    """Prepare until so many shards are written, and stop."""
    events = prepare(Preparation(source=Source(files=("lines.txt",))), Path("tokens"))
    for event in events:
        shards -= event.stage == "encoding"
        if not shards:
            break
    events.close()


@pytest.mark.parametrize("name", ["train.tokens", "heldout.documents", "train.hashes"])
@pytest.mark.parametrize("harm", ["torn", "behind", "before", "gone"])
def test_shards_that_are_not_whole_are_made_again(name: str, harm: str) -> None:
    written()
    made("whole")
    interrupted(4)
    path = Path("tokens", name)
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        changed = {"torn": data[:-5], "behind": data + b"x" * 9, "before": b"y" * 50 + data[50:]}
        path.write_bytes(changed[harm])
    rest = made("tokens")
    assert content("tokens") == content("whole")
    assert (
        max(event.kept for event in rest) == {"torn": 3, "behind": 4, "before": 0, "gone": 0}[harm]
    )


def test_a_torn_line_of_the_journal_is_a_shard_to_make_again() -> None:
    written()
    made("whole")
    interrupted(4)
    journal = Path("tokens", "preparing.jsonl")
    journal.write_bytes(journal.read_bytes()[:-30])
    made("tokens")
    assert content("tokens") == content("whole")


def test_another_preparation_is_not_mixed_with_the_one_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    written()
    interrupted(2)
    words = ["data", "prepare", "lines.txt", "--processes", "1", "--out", "tokens"]
    begun = "tokens: its preparation was begun with other"
    remedy = "Give the same, remove the folder, or choose another --out."
    assert said([*words, "--holdout", "0"], capsys) == f"{begun} settings. {remedy}"
    assert said(["train", "tokens"], capsys) == (
        "tokens: its preparation has not come to its end. Go on with the same command: "
        "microgpt data prepare ... --out tokens"
    )
    stat = Path("lines.txt").stat()
    os.utime("lines.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns + 9))
    assert said(words, capsys) == f"{begun} files: they were changed since. {remedy}"
    data = Path("lines.txt").read_bytes()
    Path("lines.txt").write_bytes(b"a" + data[1:] if data[:1] != b"a" else b"b" + data[1:])
    os.utime("lines.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert said(words, capsys) == (
        "tokens: the files must be those that it was begun with; their text has changed. Remove "
        "the folder, or choose another --out."
    )


def test_two_preparations_do_not_write_into_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    written()
    Path("tokens").mkdir()
    with claimed(Path("tokens")):
        sentence = said(["data", "prepare", "lines.txt", "--out", "tokens"], capsys)
    assert sentence == (
        "tokens: another preparation is writing to it. Wait for it, or choose another --out."
    )


def test_a_folder_that_is_ready_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    written()
    words = ["data", "prepare", "lines.txt", "--processes", "1", "--out", "tokens"]
    assert cli(words) == 0
    before = content("tokens")
    assert cli(words) == 0
    assert said([*words, "--tokenizer", "bytes"], capsys) == (
        "tokens: is prepared already, of other files or with other settings. Try another --out."
    )
    assert content("tokens") == before
    Path("full").mkdir()
    Path("full/notes.txt").touch()
    assert said([*words[:-1], "full"], capsys) == (
        "full: must be empty or new; it holds notes.txt. Try another --out."
    )
    Path("empty").touch()
    assert said([*words[:-1], "empty"], capsys).startswith("empty: a file. Expected a folder")


def damaged(name: str, change: Callable[[bytes], bytes]) -> None:
    path = Path("tokens", name)
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("train.tokens", lambda b: b[:-1],
         "tokens/train.tokens: damaged: must have "),
        ("train.tokens", lambda b: b[:70_000] + bytes([b[70_000] ^ 1]) + b[70_001:],
         "tokens: damaged: shard 5 of 7 has not the checksum that it was written with, in train. "
         "Prepare it again, into another --out."),
        ("heldout.hashes", lambda b: b"x" + b[1:],
         "tokens: damaged: shard 1 of 7 has not the checksum that it was written with, in heldout."
         " Prepare it again, into another --out."),
        ("index.json", lambda b: b.replace(b'"format": 1', b'"format": 2'),
         "tokens/index.json: format must be 1; got 2."),
        ("index.json", lambda b: b.replace(b'"blank": 1', b'"blank": 2'),
         "tokens/index.json: damaged or foreign (its checksum is not that of what it says)."),
        ("index.json", lambda b: b[:50], "tokens/index.json: damaged or foreign (not JSON"),
        ("index.json", lambda b: b"[]", "tokens/index.json: damaged or foreign (it must be an"),
        ("tokenizer.json", lambda b: b.replace(b"a", b"b"),
         "tokens/tokenizer.json: damaged or foreign (it is not the one that the shards were made "
         "with)."),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_one_sentence(
    name: str,
    change: Callable[[bytes], bytes],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written()
    made()
    damaged(name, change)
    for words in (["train", "tokens"], ["data", "tokens"]):
        assert said(words, capsys).startswith(sentence)


def test_a_missing_file_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    written()
    made()
    Path("tokens/heldout.tokens").unlink()
    assert said(["train", "tokens"], capsys) == (
        "tokens/heldout.tokens: cannot be read (No such file or directory)."
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--holdout", "0.2"], "holdout must be 0.1, with which tokens was prepared; got 0.2."),
        (["--tokenizer", "bytes"],
         "tokenizer must be characters, with which tokens was prepared; got bytes."),
        (["--mask", "digits"], "mask must go without tokens, which is prepared."),
        (["--column", "1"], "column must go without tokens, which is prepared already."),
        (["--stream"], "stream must go without tokens, which is prepared already."),
        (["--preset", "microgpt-v1"],
         "the preset must have BOS as the last id, as tokens has it. Try another --preset, or "
         "prepare again with the same one."),
    ],
)  # fmt: skip
def test_what_was_chosen_for_good_is_not_chosen_again(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written()
    made()
    assert said(["train", "tokens", *words], capsys).startswith(sentence)
    assert said(["train", "tokens", "lines.txt"], capsys) == (
        "tokens: must be the only file; got 2."
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-"], "the files must have names, to be read again; got standard input."),
        (["missing.txt"], "missing.txt: no such file."),
        (["lines.txt", "--holdout", "1"], "holdout must be in [0, 1); got 1.0."),
        (["lines.txt", "--processes", "-1"], "processes must be a whole number from 1; got -1."),
        (["lines.txt", "--tokenizer", "no.json"], "no.json: cannot be read"),
        (["empty.txt"], "empty.txt: no documents. Expected text, one document a line."),
        (["blank.txt"], "blank.txt: no documents. Expected text, one document a line."),
        (["one.txt", "--holdout", "0.999999"],
         "holdout=0.999999 leaves none of 1 documents to train on. Try --holdout 0."),
    ],
)  # fmt: skip
def test_what_cannot_be_prepared_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written()
    written("empty.txt", "")
    written("blank.txt", "\n \n")
    written("one.txt", "emma\n")
    assert said(["data", "prepare", *words, "--out", "tokens"], capsys).startswith(sentence)
    assert not Path("tokens/index.json").exists()


def test_one_document_none_held_out_and_a_line_larger_than_many_portions() -> None:
    for content in ("emma\n", "x" * 300_000 + "\nemma", "日\u2028\n\x0b日\x0b\n"):
        written(content=content)
        for kind in ("characters", "bytes"):
            made(out := f"{kind}{len(content)}", holdout=0.0, tokenizer=kind)
            ids, lines = (corpus.read(Source(files=(path,))) for path in (out, "lines.txt"))
            assert split(ids, 0.0) == (lines.documents, [])
            assert ids.fingerprint == lines.fingerprint


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    written()
    events = prepare(Preparation(source=Source(files=("lines.txt",))), Path("tokens"))
    next(events)
    with Path("lines.txt").open("a") as file:
        file.write("more\n")
    with pytest.raises(Exception, match="must stay as they are while they are read"):
        list(events)


def test_repeats_are_counted_by_parts_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.RandomState(3)
    hashes = rng.randint(0, 2**64, 3000, dtype=np.uint64)[rng.randint(0, 3000, 9000)]
    whole = repeats(hashes)
    assert whole.documents == 9000 - len(np.unique(hashes))
    monkeypatch.setattr("microgpt.runs.tokens.repeats._SORTED", 100)
    monkeypatch.setattr("microgpt.runs.tokens.repeats._READ", 77)
    assert repeats(hashes) == whole


def test_repeated_documents_are_described(capsys: pytest.CaptureFixture[str]) -> None:
    written(content="ava\nemma\nlea\nemma\n \nemma\nava\n")
    assert cli(["data", "prepare", "lines.txt", "--out", "tokens", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["documents"], record["duplicates"], record["blank"]) == (6, 3, 1)
    assert record["most_common"] == {"text": "emma", "times": 3}
    assert cli(["data", "lines.txt", "--json"]) == 0
    text = json.loads(capsys.readouterr().out)
    for name in ("documents", "duplicates", "most_common", "blank", "characters", "bytes",
                 "blank_characters", "broken", "fingerprint"):  # fmt: skip
        assert record[name] == text[name]
    assert (record["train"]["documents"], record["heldout"]["documents"]) == (
        text["train"], text["held_out"],
    )  # fmt: skip
    assert cli(["data", "tokens", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        name: its for name, its in record.items() if name != "seconds"
    }


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = list[int]()
    monkeypatch.setattr("microgpt.runs.tokens.repeats._SORTED", 10_000)
    for lines in (60_000, 240_000):
        written(content=text(lines))
        tracemalloc.start()
        made(f"tokens{lines}", tokenizer="bytes")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert Path("lines.txt").stat().st_size > 4_000_000
    assert peaks[1] < 1.5 * peaks[0] + 1e6


LIMITED = """
import resource, sys
from microgpt.cli.app import run
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system limits no data")
def test_a_text_larger_than_the_memory_is_prepared_and_trained_on() -> None:
    some = "".join(f"{random.Random(7).random()}\n" for _ in range(1000))
    rng = random.Random(8)
    with Path("lines.txt").open("w") as file:
        while file.tell() < 400_000_000:
            file.write(f"{rng.random()}" + some[:2000].replace("\n", " ") + "\n")
    own = [sys.executable, "-c", LIMITED]
    words = ["data", "prepare", "lines.txt", "--out", "tokens", "--processes", "1"]
    assert subprocess.run([*own, "300000000", *words], check=False).returncode == 0
    # Most of it is for the counts of the closing table, on 16.8 million positions.
    words = ["train", "tokens", "--steps", "5", "--out", "r"]
    assert subprocess.run([*own, "700000000", *words], check=False).returncode == 0
    words = ["train", "lines.txt", "--steps", "5"]
    whole = subprocess.run([*own, "700000000", *words], check=False, capture_output=True)
    assert whole.returncode != 0  # the text itself does not fit
