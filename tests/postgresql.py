"""Where PostgreSQL is, for the tests that start one of their own."""

from __future__ import annotations

import shutil
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs: on the path, or where Debian installs them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
