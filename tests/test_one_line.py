"""The files that process a line of standard input are those that docs/architecture.md names."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.engines import why_not_native
from microgpt.runs.run import Run

SOURCE = Path(microgpt.__file__).parent
DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"
TREE = Path(__file__).parents[1] / "src" / "microgpt"


class Tracer:
    """Collects which file of the package calls which; a property of an object is no call."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.calls: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        owner, name = type(frame.f_locals.get("self")), frame.f_code.co_name
        here = self._file(frame)
        if event == "call" and here and not isinstance(getattr(owner, name, None), property):
            self.files.add(here)
            caller = frame.f_back
            while caller and not self._file(caller):
                caller = caller.f_back
            if caller and self._file(caller) != here:
                self.calls.add((self._file(caller), here))

    def _file(self, frame: FrameType) -> str:
        file = Path(frame.f_code.co_filename)
        # Doctests are collected from the tree: a module may have been loaded from there.
        within = [place for place in (SOURCE, TREE) if file.is_relative_to(place)]
        return file.relative_to(within[0]).as_posix() if within else ""


class TwoBlocks(io.RawIOBase):
    """Standard input with two blocks of lines; all that is done with the second one is traced."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer, self._left = tracer, [b"bob\nlea\n", b"anna\nlena\n"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._left.pop() if self._left else b""
        # From when the second block is read until a third one is asked for.
        sys.setprofile(None if not data else None if self._left else self._tracer)
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.skipif(why_not_native() is not None, reason=str(why_not_native()))
def test_a_line_passes_the_files_that_are_named(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    tracer, before = Tracer(), sys.getprofile()
    stdin = SimpleNamespace(buffer=io.BufferedReader(TwoBlocks(tracer)), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    try:
        words = ["score", str(model.folder), "-", "--engine", "native", "--threads", "1"]
        assert cli(words) == 0
    finally:
        sys.setprofile(before)
    assert len(capsysbinary.readouterr().out.splitlines()) == 5
    text = DOCUMENT.read_text("utf-8")
    section = text.split("## One line, from standard input to its row\n")[1].split("\n## ")[0]
    steps = re.findall(r"^\d+\. `([\w/]+)`", section, re.MULTILINE)
    path = [f"{step}.py" if (SOURCE / f"{step}.py").exists() else f"{step}/__init__.py"
            for step in steps]  # fmt: skip
    asked = {f"{name}.py" for name in re.findall(r"`([\w/]+)`", section) if name not in steps}
    # A file that calls no other is asked, and answers; the engine is where the line turns back.
    assert {*path} == {caller for caller, _ in tracer.calls} | {"engines/native.py"}
    assert asked == tracer.files - {*path}
    for at, file in enumerate(path[1:], 1):
        assert any((earlier, file) in tracer.calls for earlier in path[:at]), file
