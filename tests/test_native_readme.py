"""native/README.md agrees with the code: its files, its buffers, and the layout that it draws."""

from __future__ import annotations

import re
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "native"
README = (NATIVE / "README.md").read_text("utf-8")
WORDS = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", README))))


def test_every_file_is_in_the_table() -> None:
    table = README[README.index("| file |") : README.index("## How a matrix")]
    named = [name.replace("*", "") for name in re.findall(r"`([\w.*]+)`", table)]
    files = [path.name for path in NATIVE.iterdir() if path.suffix in (".hpp", ".cpp")]
    for file in files:
        assert any(file.startswith(name.removesuffix(".hpp")) for name in named), file
    for name in named:
        stem = name.removesuffix(".hpp").removesuffix(".cpp")
        assert any(file.startswith(stem) for file in files), name


def test_every_buffer_is_in_a_table() -> None:
    workspace = (NATIVE / "workspace.hpp").read_text("utf-8")
    members = workspace[workspace.index("struct LayerRows {") : workspace.index("LayerRows layer(")]
    rows = re.findall(r"\*(\w+)", members)
    shared = re.findall(r"(?:float|double)\* (\w+)\(", workspace)
    gradients = (NATIVE / "gradients.hpp").read_text("utf-8")
    whole = re.findall(
        r"\*?(\w+)[,;]", re.findall(r"struct Buffers \{\n(.*?)\n\}", gradients, re.S)[0]
    )
    assert (len(rows), len(shared), len(whole)) == (10, 13, 4)
    assert {*rows, *shared, *whole} <= WORDS


def test_what_is_said_to_be_there_is_in_the_code() -> None:
    code = "\n".join(p.read_text("utf-8") for p in NATIVE.iterdir() if p.suffix != ".md")
    files = {"src", "microgpt", "model", "py", "bindings", "border", "hpp", "cpp", "shared"}
    assert {word for word in WORDS - files if word not in code and len(word) > 1} == set()


def test_the_layout_drawn_is_panel_after_panel() -> None:
    lines = re.findall(r"row \d +(.*)", README[README.index("a matrix of 3 rows") :])
    drawn = [[int(n) for n in line.split()] for line in lines[:3]]
    offset, expected = 0, [[0] * 12 for _ in range(3)]
    for columns in (range(8), range(8, 12)):
        for row in range(3):
            for column in columns:
                expected[row][column] = offset
                offset += 1
    assert drawn == expected
