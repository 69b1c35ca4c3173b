"""A view's routes: typed questions as JSON, answered by functions of the package.

In: a path, the type of the question, a function. Out: a route. A mistake is answered by one
sentence and status 400; a fault of ours keeps its traceback in the terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from microgpt import schema
from microgpt.errors import MicroGPTError, UsageError

T = TypeVar("T")


def answering(path: str, kind: type[T], answer: Callable[[T], Any]) -> Route:
    """Return a route: POST a JSON object, get a JSON object.

    Args:
        path: such as "/api/price".
        kind: a dataclass; the question is decoded as this.
        answer: called in a thread of its own; what it returns is encoded.
    """

    async def handle(request: Request) -> Response:
        body = await request.body()

        def found() -> Any:
            return answer(schema.convert(kind, schema.parse(body)))

        try:
            return json(await run_in_threadpool(found))
        except (UsageError, MicroGPTError) as error:
            return mistake(str(error))

    return Route(path, handle, methods=["POST"])


def json(value: Any, status: int = 200) -> Response:
    """Return a value as JSON; NaN and infinite numbers become null."""
    return Response(schema.encode(value), status, media_type="application/json")


def mistake(sentence: str, status: int = 400) -> Response:
    """Return a sentence that the page shows in place of an answer."""
    return json({"error": sentence}, status)
