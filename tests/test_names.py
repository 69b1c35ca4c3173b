"""Files and folders of any name: every command takes them, and prints them quoted for a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from microgpt.cli.app import run
from microgpt.wording import as_flag, path_word

from .conftest import TINY, some

Capture = pytest.CaptureFixture[str]
NAMES = ["a b", "a?b", "100%", "a%20b", "a#b", "a{b}", "a'b", 'a"b', "a\nb", "-d", "é", "[x]",
         "~x", "$x^", "a$b$c", "a\\b", os.fsdecode(b"a\xffb")]  # fmt: skip
posix = pytest.mark.skipif(os.name != "posix", reason="names that only POSIX has")
TRAIN = ["train", "t.txt", "--preset", "microgpt", "--steps", "3", "--engine", "scalar",
         "--n-embd", "4", "--n-head", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("names") / "run"
    text = at.with_name("t.txt")
    text.write_text("\n".join(TINY) + "\n")
    assert run(["train", str(text), *TRAIN[2:], "--out", str(at)]) == 0
    return at


@posix
@pytest.mark.parametrize("name", some(NAMES, 0, 1, 3, 9, 16))
def test_every_command_takes_paths_of_any_name(name: str, trained: Path) -> None:
    pytest.importorskip("matplotlib")
    Path("t.txt").write_text("\n".join(TINY) + "\n")
    try:
        shutil.copytree(trained, name)
    except OSError:
        pytest.skip("this file system has Unicode names alone")
    at = f"./{name}"
    for words in (
        ["sample", at, "-n", "1"],
        ["score", at, "t.txt"],
        ["plot", at, f"--save={name}.svg"],
        ["report", at, f"-o={name}.html"],
        ["compress", at, "t.txt", f"-o={name}.z"],
        ["decompress", at, f"./{name}.z", f"-o={name}.txt"],
        ["score", at, f"./{name}.txt"],
    ):
        assert run(words) == 0, words
    assert Path(f"{name}.txt").read_bytes() == Path("t.txt").read_bytes()
    made = {path.name for path in Path().iterdir()}
    assert made == {"t.txt", name, *(f"{name}.{end}" for end in ("svg", "html", "z", "txt"))}


@posix
@pytest.mark.parametrize("name", ["-d", "a\nb", os.fsdecode(b"a\xffb"), "a'b", "$(touch x)", "a b"])
def test_a_folder_printed_as_a_word_of_a_command_is_that_folder(name: str, capsys: Capture) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    Path("t.txt").write_text("\n".join(TINY) + "\n")
    assert run([*TRAIN, f"--out={name}"]) == 0
    found = re.search(r"^Saved in (.*)\.   Next", capsys.readouterr().out, re.M)
    assert found is not None
    # The words as a shell reads them, with a zero byte after each.
    read = subprocess.run(
        [bash, "-c", f"printf '%s\\0' {found[1]}"], capture_output=True, check=True
    )
    assert os.fsdecode(read.stdout).split("\0")[:-1] == [f"./{name}" if name == "-d" else name]


def test_a_value_that_begins_with_a_dash_is_written_so_that_it_is_no_flag() -> None:
    assert as_flag("out", Path("-d")) == "--out=-d"
    assert path_word("-d/best") == "./-d/best"
