"""Build the site.

In: a folder. Out: HTML in it, which any server can serve from any place, and any browser can open
from the disk.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from website import figures, pages

_HERE = Path(__file__).parent


def build(out: Path, root: Path = pages.ROOT) -> int:
    """Build the site of a repository.

    Args:
        out: the folder to write it into; a site that is there already is replaced.
        root: of the repository.

    Returns:
        0; another number if something is wrong, such as a link that leads nowhere. Each fault is
        then on standard error, with its page and line.

    Raises:
        ValueError: a page has a figure that there is not, or something else is in the folder.
        MicroGPTError: the native engine is not there.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / "objects.inv").exists():
            raise ValueError(f"{out} must be empty, or a site that was built before.")
        shutil.rmtree(out)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "pages")
        source.mkdir()
        pages.write(source, root)
        words = ["--fail-on-warning", "--quiet", "--conf-dir", str(_HERE)]
        failed = build_main([*words, "--doctree-dir", f"{scratch}/read", str(source), str(out)])
    if not failed:
        figures.write(out / "_static" / "figures")
    return failed
