"""A view's routes: typed questions as JSON, answered by functions of the package.

In: a path, the type of the question, a function that answers at once or by events. Out: a route. A
mistake is answered by one sentence and status 400; a fault of ours keeps its traceback in the
terminal.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock
from typing import Any, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from microgpt import schema
from microgpt.errors import MicroGPTError, UsageError

T = TypeVar("T")

ENDED = "The studio was stopped. Start microgpt studio again, and open its new address."
FAULT = "A fault of microgpt; the terminal shows where. Please report it."

_STREAMS = 200
"""The most streams of events at a time; others wait."""

_LIMIT = RunVar[CapacityLimiter]("events")
_END: Any = object()


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


def streaming(path: str, kind: type[T], events: Callable[[T], Iterator[Any]]) -> Route:
    """Return a route: POST a JSON object, get server-sent events, each a JSON object.

    Args:
        path: such as "/api/follow".
        kind: a dataclass; the question is decoded as this.
        events: called in a thread; yields what is encoded, or None as a sign of life. It must yield
            every second or so: between two events it is seen whether the page is still there. When
            it is not, the iterator is closed.
    """

    async def handle(request: Request) -> Response:
        body = await request.body()

        def begun() -> tuple[Iterator[Any], Any]:
            made = events(schema.convert(kind, schema.parse(body)))
            return made, next(made, _END)

        try:
            made, first = await _in_thread(begun)
        except (UsageError, MicroGPTError) as error:
            return mistake(str(error))
        ends = request.app.state.ends
        return StreamingResponse(_sent(made, first, ends), media_type="text/event-stream")

    return Route(path, handle, methods=["POST"])


async def _sent(
    events: Iterator[Any], event: Any, ends: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield events as they are written to the page, until the server ends."""
    turn = Lock()  # a server that ends leaves this while a thread computes the next event

    def following() -> Any:
        with turn:
            return next(events, _END)

    def closing() -> None:
        with turn:
            if close := getattr(events, "close", None):
                close()

    try:
        while event is not _END:
            if ends():
                yield b"data: %s\n\n" % schema.encode({"error": ENDED})
                return
            yield b":\n\n" if event is None else b"data: %s\n\n" % schema.encode(event)
            try:
                event = await _in_thread(following)
            except (UsageError, MicroGPTError) as error:
                yield b"data: %s\n\n" % schema.encode({"error": str(error)})
                return
            except Exception as error:
                traceback.print_exception(error)
                yield b"data: %s\n\n" % schema.encode({"error": FAULT})
                return
    finally:
        with CancelScope(shield=True):
            await _in_thread(closing)


async def _in_thread(call: Callable[[], T]) -> T:
    """Call a function in a thread: streams that wait leave the threads of other answers free."""
    return await to_thread.run_sync(call, limiter=_limiter())


def _limiter() -> CapacityLimiter:
    """Return the limit of this server's threads for events."""
    try:
        return _LIMIT.get()
    except LookupError:
        _LIMIT.set(made := CapacityLimiter(_STREAMS))
        return made


def json(value: Any, status: int = 200) -> Response:
    """Return a value as JSON; NaN and infinite numbers become null."""
    return Response(schema.encode(value), status, media_type="application/json")


def mistake(sentence: str, status: int = 400) -> Response:
    """Return a sentence that the page shows in place of an answer."""
    return json({"error": sentence}, status)
