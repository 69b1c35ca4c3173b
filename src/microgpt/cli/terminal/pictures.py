"""Pictures as files: checking the path, and writing.

In: a path, and later a figure of matplotlib. Out: a .png or .svg file, written atomically.
"""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from microgpt.errors import MissingExtra, UsageError
from microgpt.runs.files import check_target, write_atomically

# Okabe and Ito's colours, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def check_picture(path: Path) -> None:
    """Raise an error unless a picture can be written at a path; called before any work is done.

    Raises:
        UsageError: the name has another suffix, or its folder is missing.
        MissingExtra: matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"save must end in .png or .svg; got {path}.")
    check_target("save", path)
    if not find_spec("matplotlib"):
        raise MissingExtra(
            "--save needs matplotlib, which is not installed. Try: pip install 'microgpt-lm[plot]'"
        )


def write_picture(path: Path, figure: Any) -> None:
    """Write a figure atomically; equal figures make equal .svg files."""
    kind = path.suffix.lower().removeprefix(".")
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # For example, letters missing in the font: the picture shows it.
        warnings.simplefilter("ignore")
        about = {"Date": None} if kind == "svg" else None
        figure.savefig(drawn, format=kind, dpi=150, metadata=about)
    write_atomically(path, drawn.getvalue())
