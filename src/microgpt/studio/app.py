"""The studio's routes: the page's files, and what each view asks for.

In: a library of runs, the uploaded files. Out: an ASGI application, which `guard` stands before.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import PurePath

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from microgpt import page
from microgpt.studio import (
    about,
    download,
    drafts,
    follow,
    graphs,
    guess,
    inside,
    keep,
    look,
    parts,
    prices,
    rows,
    samples,
    step,
    sweeps,
)
from microgpt.studio.answers import FAULT, mistake
from microgpt.studio.datasets import Datasets
from microgpt.studio.guard import Refused
from microgpt.studio.library import Library
from microgpt.studio.measured import Measurements
from microgpt.studio.uploads import Uploads


def application(
    library: Library, uploads: Uploads, ends: Callable[[], bool] = lambda: False
) -> Starlette:
    """Return the application.

    Args:
        library: the runs.
        uploads: the files that were sent.
        ends: whether the server is about to end: streams of events then end by themselves.
    """
    measurements = Measurements(library, uploads)
    routes = [
        Route("/", _index),
        Route("/page/{name:path}", _file),
        *about.routes(library),
        *prices.routes(library),
        *samples.routes(library),
        *step.routes(library),
        *sweeps.routes(library),
        *follow.routes(library, measurements),
        *look.routes(uploads),
        *parts.routes(measurements),
        *rows.routes(measurements),
        *download.routes(measurements),
        *drafts.routes(Datasets(uploads)),
        *keep.routes(library, uploads),
        *inside.routes(library),
        *graphs.routes(library),
        *guess.routes(library),
    ]
    made = Starlette(
        routes=routes, exception_handlers={Exception: _fault, 404: _missing, Refused: _refused}
    )
    made.state.ends = ends
    return made


async def _index(_: Request) -> Response:
    return Response(page.index(), media_type="text/html")


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in page.names():
        return await _missing(request)
    return Response(page.text(name), media_type=page.TYPES[PurePath(name).suffix])


async def _missing(_: Request, __: Exception | None = None) -> Response:
    return mistake("There is no such page.", 404)


async def _refused(_: Request, refused: Exception) -> Response:
    """Answer a request whose body turned out too large while it was read."""
    return mistake(str(refused), refused.status if isinstance(refused, Refused) else 400)


async def _fault(_: Request, error: Exception) -> Response:
    traceback.print_exception(error)
    return mistake(FAULT, 500)
