"""What the page says of runs: their names, what each was trained on, and how good it is.

In: a run's name. Out: an `AboutRun`; the list of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from microgpt.runs.about import about
from microgpt.studio.answers import answering
from microgpt.studio.library import Library


@dataclass(frozen=True)
class Nothing:
    """A question without parameters."""


@dataclass(frozen=True)
class Named:
    """A question about one run."""

    run: str


def routes(library: Library) -> list[Route]:
    """Return the routes."""

    def listed(_: Nothing) -> dict[str, Any]:
        return {"runs": list(library.folders())}

    return [
        answering("/api/runs", Nothing, listed),
        answering("/api/about", Named, lambda asked: about(asked.run, library.run(asked.run))),
    ]
