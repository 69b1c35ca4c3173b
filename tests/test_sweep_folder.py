"""A sweep's folder and the address of its database, whatever characters they are written in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from microgpt.cli.app import run
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.errors import InUseError, SweepError
from microgpt.runs.folder import claimed
from microgpt.sweep import folder
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import hidden, is_hidden
from microgpt.sweep.trainer import Report

from .conftest import TINY

Capture = pytest.CaptureFixture[str]
posix = pytest.mark.skipif(os.name != "posix", reason="names that only POSIX has")


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY) + "\n")


def settings() -> SweepSettings:
    return SweepSettings(
        preset="microgpt", tokenizer="characters", source=Source(files=("t.txt",)),
        fingerprint=corpus.read(Source(files=("t.txt",))).fingerprint, engine="scalar",
        seconds=None, steps=10, holdout=0.2, seed=3, knobs=("lr=0.001..0.1",),
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["a b", "a%20b", "é",
     *(pytest.param(name, marks=pytest.mark.slow)
       for name in ("a#b", "{", "a+b&c=d", "100%", "a%3Fb", "a{b}", "x@y")),
     *(pytest.param(name, marks=posix) for name in ("a?b", ":memory:")),
     *(pytest.param(name, marks=(posix, pytest.mark.slow))
       for name in ("a\nb", "-d", "a?", "?mode=memory", 'a"b', "a'b", "a\\b"))],
)  # fmt: skip
def test_a_study_lies_in_the_folder_it_belongs_to_whatever_that_is_called(name: str) -> None:
    data = corpus.read(Source(files=("t.txt",)))
    with folder.new(settings(), data, out=Path(name)) as sweep:
        asked = sweep.study.ask()
        assert asked
        sweep.study.tell(asked[0], "done", Report(100, 2.5, 10, 0.1))
    assert {path.name for path in Path().iterdir()} == {"t.txt", name}
    assert {path.name for path in Path(name).iterdir()} >= {"study.db", "sweep.json"}
    with folder.resume(Path(name)) as sweep:
        assert [trial.loss for trial in sweep.trials] == [2.5]


@posix
def test_a_folder_whose_name_is_no_unicode_is_refused_in_a_sentence(capsys: Capture) -> None:
    try:
        name = os.fsdecode(b"a\xffb")
        Path(name).mkdir()
        Path(name).rmdir()
    except OSError:
        pytest.skip("this file system has Unicode names alone")
    assert run(["sweep", "t.txt", "--holdout", "0.2", "--out", name]) == 2
    err = capsys.readouterr().err
    assert err.startswith("microgpt: a")
    assert err.endswith(
        "b: a sweep's folder must have a name in Unicode, for its database's address. "
        "Try another --out.\n"
    )
    assert [path.name for path in Path().iterdir()] == ["t.txt"]


def test_a_folder_in_use_is_said_to_be_a_sweep_s() -> None:
    data = corpus.read(Source(files=("t.txt",)))
    with folder.new(settings(), data, out=Path("s")):
        with pytest.raises(InUseError, match=r"^s: another training is"), claimed(Path("s")):
            pass
        with pytest.raises(SweepError, match=r"^s: another sweep is writing to it\. Wait for it, "):
            folder.resume(Path("s")).__enter__()


def test_a_sweep_in_a_folder_called_dot_has_that_folder_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = corpus.read(Source(files=("t.txt",)))
    made = settings()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with folder.new(made, data, out=Path()):
        assert json.loads(Path("sweep.json").read_text())["study"] == "here"


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/tmp/a", "", "a\nb", "\udcff"])
def test_a_name_that_no_folder_can_have_is_refused(name: str, capsys: Capture) -> None:
    assert run(["sweep", "t.txt", "--holdout", "0.2", f"--name={name}"]) == 2
    assert re.fullmatch(
        r'microgpt: name must be one that a folder can have; got ".*"\.\n', capsys.readouterr().err
    )
    assert [path.name for path in Path().iterdir()] == ["t.txt"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg://me:secret@h/db", "postgresql+psycopg://me:***@h/db"),
        ("postgresql+psycopg://me:se/cret@h/db", "postgresql+psycopg://me:***@h/db"),
        (
            "postgresql+psycopg://me@h/db?password=secret&x=1",
            "postgresql+psycopg://me@h/db?password=***&x=1",
        ),
    ],
)
def test_no_password_is_written_down_wherever_it_stands(address: str, shown: str) -> None:
    assert hidden(address) == shown
    assert is_hidden(shown)
    assert not is_hidden(address)
    assert not is_hidden("postgresql+psycopg://me@h/db")


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ("postgresql+psycopg://me:secret@h:port/db", "postgresql+psycopg://me:***@h:port/db"),
        ("nosuch://me:se@c/ret@h/db", "nosuch://me:***@h/db"),
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(
    storage: str, shown: str, capsys: Capture
) -> None:
    assert run(["sweep", "t.txt", "--holdout", "0.2", "--name", "a", "--storage", storage]) == 2
    err = capsys.readouterr().err
    assert f'; got "{shown}" (' in err
    assert "ret" not in err
    assert err.count("\n") == 1


def test_a_sweep_is_resumed_from_another_folder_and_where_it_moved_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, moved = tmp_path / "home", tmp_path / "moved"
    home.mkdir()
    (tmp_path / "t.txt").rename(home / "t.txt")
    monkeypatch.chdir(home)
    with folder.new(settings(), corpus.read(Source(files=("t.txt",))), out=Path("s")):
        pass
    monkeypatch.chdir(tmp_path)
    home.rename(moved)
    with folder.resume(moved / "s") as sweep:
        assert sweep.trials == []
    (moved / "t.txt").unlink()
    with pytest.raises(SweepError) as caught:
        folder.resume(moved / "s").__enter__()
    assert str(caught.value) == (
        f"{moved / 's'}: what the sweep was begun on must be there; there is no t.txt. "
        "Bring it back, or begin another sweep."
    )
