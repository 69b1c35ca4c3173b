"""Events that answer a question: in order, ended by either side, mistakes in a sentence."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from microgpt.errors import UsageError
from microgpt.studio.answers import streaming

from .conftest import some
from .studios import until


@dataclass
class Counted:
    """A question."""

    to: int
    fails: str = ""


closed = threading.Event()


def count(asked: Counted) -> Iterator[Any]:
    if asked.fails == "first":
        raise UsageError("to must be small.")
    try:
        for i in range(asked.to):
            yield {"i": i} if i % 2 == 0 else None
            time.sleep({"slow": 0.3, "very slow": 1.5}.get(asked.fails, 0.001))
        if asked.fails == "last":
            raise UsageError("it ended badly.")
        if asked.fails == "fault":
            raise KeyError("ours")
    finally:
        closed.set()


@contextmanager
def serving() -> Iterator[int]:
    closed.clear()
    app = Starlette(routes=[streaming("/count", Counted, count)])
    made = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    app.state.ends = lambda: server.should_exit
    thread = threading.Thread(target=server.run, args=([made],), daemon=True)
    thread.start()
    until(lambda: server.started)
    yield made.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()
    made.close()


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as made:
        yield made


def post(port: int, **question: Any) -> socket.socket:
    body = json.dumps(question).encode()
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.sendall(
        b"POST /count HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    return made


def answer(port: int, **question: Any) -> str:
    with post(port, **question) as made:
        return b"".join(iter(lambda: made.recv(1 << 16), b"")).decode()


def test_events_come_in_order_and_nothing_is_left_behind(port: int) -> None:
    got = answer(port, to=5)
    assert "text/event-stream" in got
    assert [line for line in got.splitlines() if line.startswith(("data:", ":"))] == [
        'data: {"i":0}', ":", 'data: {"i":2}', ":", 'data: {"i":4}',
    ]  # fmt: skip
    assert closed.is_set()


def test_a_mistake_before_the_first_event_is_a_refusal(port: int) -> None:
    got = answer(port, to=5, fails="first")
    assert got.startswith("HTTP/1.1 400")
    assert got.endswith('{"error":"to must be small."}')
    assert "400" in answer(port, to="many").splitlines()[0]


def test_a_mistake_later_is_the_last_event(port: int) -> None:
    assert 'data: {"error":"it ended badly."}' in answer(port, to=3, fails="last")


def test_a_fault_of_ours_is_said_and_keeps_its_traceback(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "A fault of microgpt" in answer(port, to=3, fails="fault")
    assert "KeyError: 'ours'" in capfd.readouterr().err


def test_who_goes_away_ends_the_events(port: int) -> None:
    made = post(port, to=10_000_000)
    assert made.recv(1 << 10)
    made.close()
    until(closed.is_set, 5)


@pytest.mark.parametrize("fails", some(["slow", "very slow"], 0))
def test_a_server_that_ends_waits_for_the_event_that_is_computed(
    fails: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as port:
        made = post(port, to=100, fails=fails)
        while b'"i":0' not in made.recv(1 << 10):
            pass
    made.close()
    until(closed.is_set, 5)
    said = capfd.readouterr().err
    assert "generator already executing" not in said
    assert fails == "very slow" or said == ""  # after a second the server breaks it off
