"""Pictures as files: where one may be written, and how it gets there.

In: a path, and later a figure of matplotlib. Out: a .png or .svg, whole or not at all.
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
    """Raise unless a picture can be written there: it is told before anything is computed.

    Raises:
        UsageError: its name or its folder.
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
    """Write a figure; nothing is left half-written, and equal figures make equal .svg files."""
    kind = path.suffix.lower().removeprefix(".")
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # A name in letters that the font lacks, say: it can be seen in the picture.
        warnings.simplefilter("ignore")
        about = {"Date": None} if kind == "svg" else None
        figure.savefig(drawn, format=kind, dpi=150, metadata=about)
    write_atomically(path, drawn.getvalue())
