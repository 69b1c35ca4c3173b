"""Texts that came from no file of the user's: written beside the runs that are trained on them.

In: a file that will not stay, a name. Out: a file that stays; equal content is written once.
"""

from __future__ import annotations

import filecmp
import re
import shutil
from pathlib import Path, PurePath

from microgpt.runs.files import replacing

TEXTS = "texts"
"""The folder beside `runs/`."""

_LONGEST = 40


def keep_text(file: Path, parent: Path, name: str) -> Path:
    """Copy a file to texts/NAME-1, -2, ..., unless one of these is equal; return where it is.

    Args:
        file: to copy.
        parent: of the folder `texts`.
        name: as people know it; only its plain characters are used.
    """
    folder = parent / TEXTS
    folder.mkdir(parents=True, exist_ok=True)
    ending = "".join(PurePath(file.name).suffixes[-2:])
    number = 1
    while (path := folder / f"{plain(name)}-{number}{ending}").exists():
        if filecmp.cmp(file, path, shallow=False):
            return path
        number += 1
    with file.open("rb") as source, replacing(path) as target:
        shutil.copyfileobj(source, target)
    return path


def plain(name: str) -> str:
    """Return a name without its ending, made of letters, digits, "-" and "_" alone.

    >>> plain("My names (2).csv.gz"), plain("../../etc/passwd"), plain("名前.txt")
    ('My-names-2', 'passwd', 'text')
    """
    stem = PurePath(name.replace("\\", "/")).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")[:_LONGEST] or "text"
