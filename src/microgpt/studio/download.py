"""All documents with their scores as a file: the bytes that `score RUN FILE -o rows.csv` writes.

In: a run, documents, perhaps a share to flag. Out: CSV, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from microgpt.errors import MicroGPTError
from microgpt.runs.judging import Judging
from microgpt.scoring.rows.forms import RowWriter
from microgpt.studio.answers import mistake
from microgpt.studio.measured import Measurements, On
from microgpt.studio.uploads import ReadAs


def routes(measurements: Measurements) -> list[Route]:
    """Return the route. It is asked by a link, so that the browser writes the file as it comes."""

    async def csv(request: Request) -> Response:
        asked = request.query_params

        def begun() -> Iterator[bytes]:
            rate = float(asked["rate"]) if asked.get("rate") else None
            read_as = ReadAs(asked.get("column"), asked.get("field"))
            on = On(asked.get("run", ""), asked.get("file", ""), read_as)
            rows = written(measurements, on, measurements.judging(on, rate))
            return chain([next(rows, b"")], rows)  # a file that is gone is a mistake, not a fault

        try:
            rows = await run_in_threadpool(begun)
        except (ValueError, MicroGPTError) as error:
            return mistake(str(error))
        named = {"Content-Disposition": 'attachment; filename="rows.csv"'}
        return StreamingResponse(rows, media_type="text/csv", headers=named)

    return [Route("/api/rows.csv", csv, methods=["GET"])]


def written(measurements: Measurements, on: On, found: Judging) -> Iterator[bytes]:
    """Yield all rows as CSV, in the order of the file."""
    pricer = measurements.run(on).pricer
    writer = RowWriter(found.judge, "csv", False, "utf-8", ("row",))
    is_headed = False
    for block in measurements.blocks(on):
        rows = writer.write(pricer, block)
        if rows.rows and not is_headed:
            yield rows.head
            is_headed = True
        yield from rows.rows
