"""The runs that the page may look at, by name, and the models that were opened.

In: names. Out: `Run`s. A name is looked up in a list, never joined to a path.
"""

from __future__ import annotations

from pathlib import Path

from microgpt.errors import RunError
from microgpt.runs.checkpoint import CHECKPOINT
from microgpt.runs.folder import RUNS, all_runs
from microgpt.runs.run import Run
from microgpt.studio.recent import Recent

_OPEN = 8
"""The most models kept open."""


class Library:
    """Runs in a folder, and others that were named.

    Args:
        folder: the folder that holds runs.
        named: the run to list first, in that folder or elsewhere.

    Attributes:
        home: that folder.
    """

    def __init__(self, folder: Path = RUNS, named: Path | None = None) -> None:
        self.home, self._named = folder, named
        self._open = Recent[tuple[Path, int], Run](_OPEN)

    def folders(self) -> dict[str, Path]:
        """Return all runs by name, the one that was named first, then the newest."""
        found = {path.name: path for path in reversed(all_runs(self.home))}
        if not self._named:
            return found
        own = self._named.resolve()
        first = next((n for n, path in found.items() if path.resolve() == own), str(self._named))
        return {first: self._named, **found}

    def folder(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            RunError: there is none of this name.
        """
        folders = self.folders()
        if name not in folders:
            raise RunError(f"{name}: no such run. Choose another, or train one.")
        return folders[name]

    def run(self, name: str) -> Run:
        """Open a run; one whose checkpoint has changed since is opened anew.

        Raises:
            RunError: there is none of this name, or it is damaged.
        """
        folder = self.folder(name)
        try:
            changed = (folder / CHECKPOINT).stat().st_mtime_ns
        except OSError:
            changed = 0
        key = (folder, changed)
        # Another thread may open it meanwhile: all use one, whose results are kept.
        return self._open.get(key) or self._open.share(key, Run(folder))
