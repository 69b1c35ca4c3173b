"""`microgpt compress` and `decompress` from the command line."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.compress.lanes import Lanes
from microgpt.errors import DataError, UsageError

from .conftest import some

Capture = pytest.CaptureFixture[str]
SMALL = ["--n-embd", "4", "--n-head", "1", "--block-size", "6", "--engine", "scalar"]
TEXT = b"ada\nalan\r\nbea\nbob dean\neba"
LF = b"ada\nalan\nbea\nbob\ndean\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of characters, one of bytes and one of a stream."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "names.txt").write_bytes(LF)
    for name, more in (("c", []), ("b", ["--tokenizer", "bytes", "--ngram", "3"]),
                       ("s", ["--stream"])):  # fmt: skip
        words = ["train", str(folder / "names.txt"), "--steps", "2", "--out", str(folder / name)]
        assert run([*words, *SMALL, *more]) == 0
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    for name in ("c", "b", "s"):
        Path(name).symlink_to(home / name)
    Path("names.txt").write_bytes(LF)
    Path("any.bin").write_bytes(TEXT + bytes(range(256)))


def mistake(capsys: Capture, *words: str) -> str:
    """Return the one line of an error; no file is left behind."""
    before = sorted(Path().iterdir())
    assert run([*words, "--engine", "scalar"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    line = re.fullmatch(r"microgpt: ([^\n\x1b]+)\n", printed.err)
    assert line is not None
    assert sorted(Path().iterdir()) == before
    return line[1]


def go(*words: str) -> None:
    assert run([*words, "--engine", "scalar"]) == 0


@pytest.mark.parametrize(
    ("model", "file"), some([("c", "names.txt"), ("b", "any.bin"), ("s", "names.txt")], 0, 2)
)
def test_a_file_comes_back_and_nothing_is_lost(model: str, file: str) -> None:
    data = Path(file).read_bytes()
    go("compress", model, file, "--check")
    Path(file).unlink()
    go("decompress", model, f"{file}.mgpt")
    assert Path(file).read_bytes() == data


def test_the_report_has_the_loss_and_the_size_and_what_others_make_of_it(capsys: Capture) -> None:
    go("compress", "c", "names.txt", "-o", "out")
    lines = capsys.readouterr().out.splitlines()
    packed = len(Path("out").read_bytes())
    assert lines[0] == f"names.txt: 22 bytes -> out: {packed}, {packed / 22:.1%}"
    evaluated = microgpt.load("c").evaluate(LF.decode().split())
    assert lines[1].startswith(f"{evaluated.loss:.4f} nats a character = {evaluated.bits:.2f} bits")
    told = re.fullmatch(
        r"The losses of 22 characters come to ([\d.]+) bytes; in the file (\d+), and (\d+) of .*",
        lines[2],
    )
    assert told is not None
    assert float(told[1]) == pytest.approx(22 * evaluated.bits / 8, abs=0.05)
    assert int(told[2]) + int(told[3]) == packed
    rows = {line[:10].strip(): line.split()[-3:-1] for line in lines[5:9]}
    assert rows["as it is"] == ["22", "8.000"]
    assert rows["this model"][0] == str(packed)
    # What gzip makes of it, on any machine.
    assert rows["gzip -9"][0] == str(len(gzip.compress(LF, 9)))
    assert lines[-1].startswith("Not counted: the model, ")


def test_the_record_has_the_same(capsys: Capture) -> None:
    go("compress", "c", "names.txt", "--json")
    record = json.loads(capsys.readouterr().out)
    assert list(record) == [
        "file", "out", "bytes", "compressed", "header", "losses", "loss", "nats", "positions",
        "gzip", "xz",
    ]  # fmt: skip
    assert record["compressed"] == Path("names.txt.mgpt").stat().st_size
    assert 0 < record["compressed"] - record["header"] <= record["losses"] + 8
    go("decompress", "c", "names.txt.mgpt", "-o", "again", "--json")
    assert json.loads(capsys.readouterr().out) == {
        "file": "names.txt.mgpt", "out": "again", "bytes": 22,
    }  # fmt: skip


def test_an_empty_file_comes_back(capsys: Capture) -> None:
    Path("empty").touch()
    go("compress", "c", "empty")
    assert "The losses of 0 characters come to 0.0 bytes; in the file 0, and" in (
        capsys.readouterr().out
    )
    go("compress", "c", "empty", "--json", "--force")
    assert json.loads(capsys.readouterr().out)["loss"] is None
    go("decompress", "c", "empty.mgpt", "--force")
    assert Path("empty").read_bytes() == b""


def test_through_pipes_only_the_bytes_go(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def piped(data: bytes, *words: str) -> bytes:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        go(*words)
        printed = capsysbinary.readouterr()
        assert printed.err == b""
        return printed.out

    packed = piped(TEXT, "compress", "b", "-")
    assert piped(packed, "decompress", "b", "-") == TEXT
    go("compress", "b", "any.bin", "-o", "-")
    packed = capsysbinary.readouterr().out
    assert piped(packed, "decompress", "b", "-", "-o", "-") == Path("any.bin").read_bytes()


def test_mistakes_are_one_line_each(capsys: Capture) -> None:
    go("compress", "c", "names.txt", "-o", "good")
    capsys.readouterr()
    data = Path("good").read_bytes()
    Path("bad").write_bytes(data[:-1])
    Path("folder").mkdir()
    for words, sentence in (
        (["compress", "c", "nams.txt"], "nams.txt: no such file. Did you mean names.txt?"),
        (["compress", "c", "folder"], "folder: a folder. Expected a file."),
        (["compress", "c", ""], "a file must have a name; got an empty one."),
        (
            ["compress", "c", "names.txt", "-o", "good"],
            "out must be new; good is there. Try --force, or another --out.",
        ),
        (
            ["compress", "c", "names.txt", "-o", "no/x"],
            "out must be in a folder that exists; got no/x.",
        ),
        (
            ["compress", "c", "names.txt", "-o", "folder"],
            "out must be a file; got the folder folder.",
        ),
        (
            ["compress", "c", "names.txt", "-o", "-", "--json"],
            "json must stand without --out -: both are for standard output.",
        ),
        (
            ["compress", "c", "any.bin"],
            "any.bin: line 6: not UTF-8 (0x80), which this model's characters are. "
            "Try a run of --tokenizer bytes.",
        ),
        (
            ["decompress", "c", "good"],
            "out must be given, for good does not end in .mgpt. Try -o FILE.",
        ),
        (
            ["decompress", "c", "bad", "-o", "x"],
            "bad: damaged: its checksum is not that of its bytes. Try another copy.",
        ),
        (
            ["decompress", "c", "names.txt", "-o", "x"],
            "names.txt: not compressed by microgpt. Expected what microgpt compress has written.",
        ),
    ):
        assert mistake(capsys, *words) == sentence
    assert mistake(capsys, "decompress", "b", "good", "-o", "x").startswith(
        "good: the run must be the one it was compressed with, "
    )
    Path("new.txt").write_text("ada\nzoe\n")
    assert mistake(capsys, "compress", "c", "new.txt") == (
        'the text in line 2 has "z", which this model has never seen. It knows: a, b, d, e, l, n, '
        "o. Train on text with it, or use --tokenizer bytes."
    )
    assert Path("good").read_bytes() == data


def test_an_interruption_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lanes, "walk", interrupted)
    before = sorted(Path().iterdir())
    with pytest.raises(SystemExit, match="130"):
        go("compress", "c", "names.txt")
    assert sorted(Path().iterdir()) == before


@pytest.mark.skipif(os.name != "posix", reason="named pipes are of POSIX")
def test_a_device_is_written_to_and_not_replaced() -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    go("compress", "c", "names.txt", "-o", "pipe")
    assert os.read(reader, 4) == b"mgpt"
    os.close(reader)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_a_link_is_followed() -> None:
    Path("far").touch()
    Path("link").symlink_to("far")
    go("compress", "c", "names.txt", "-o", "link", "--force")
    assert Path("link").is_symlink()
    assert Path("far").read_bytes().startswith(b"mgpt")


def test_in_python_a_run_compresses_bytes() -> None:
    model = microgpt.Run("b", engine="scalar")
    packed = model.compress(TEXT)
    assert model.decompress(packed) == TEXT
    assert len(packed) < model.codec.compress(TEXT).ideal + 8 + 140
    with pytest.raises(DataError, match=r"^data: damaged"):
        model.decompress(packed[:-1])
    with pytest.raises(UsageError, match=r'^the text in line 1 has "x", which'):
        microgpt.Run("c", engine="scalar").compress(b"x")
