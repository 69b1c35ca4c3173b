"""A studio that answers in a thread of its own, and a client that sends any bytes."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import microgpt
from microgpt import Run
from microgpt.engines import best
from microgpt.studio.library import Library
from microgpt.studio.server import Server

from .conftest import TINY
from .hostile import PAYLOADS


def hostile_run(folder: Path) -> Run:
    """Train a run on names and on what an attacker would have put among them; its name, too."""
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:6]), *PAYLOADS]
    return microgpt.train(
        texts, engine=best(), preset="microgpt", steps=60, holdout=0.3,
        out=folder / PAYLOADS[10],
    )  # fmt: skip


@contextmanager
def serving(folder: Path, named: Path | None = None) -> Generator[Server]:
    """Serve the runs in a folder until the block ends."""
    server = Server(Library(folder, named), 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


class Answer:
    """What the server sent: status, headers in small letters, body."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        pairs = (line.partition(": ") for line in lines)
        self.headers = {name.lower(): value for name, _, value in pairs}

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """Return the events of a stream, which came in chunks."""
        found = (line for line in self.body.splitlines() if line.startswith(b"data: "))
        return [json.loads(line[6:]) for line in found]


def raw(server: Server, data: bytes, seconds: float = 10.0) -> Answer:
    """Send bytes; return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as made:
        made.sendall(data)
        parts: list[bytes] = []
        # A server that refuses a request hangs up with the rest of it unread.
        with suppress(ConnectionResetError):
            while part := made.recv(1 << 16):
                parts.append(part)
    return Answer(b"".join(parts))


def request(
    server: Server,
    path: str,
    body: bytes | None = None,
    method: str = "",
    **changed: str | None,
) -> Answer:
    """Ask as the page does, except for headers that are given; None leaves one out."""
    headers: dict[str, str | None] = {
        "host": f"127.0.0.1:{server.port}",
        "cookie": f"{server.keys.name}={server.keys.cookie}",
        "origin": None if body is None else f"http://127.0.0.1:{server.port}",
        "connection": "close",
        "content-length": None if body is None else str(len(body)),
    }
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    verb = method or ("GET" if body is None else "POST")
    head = "\r\n".join([f"{verb} {path} HTTP/1.1", *lines, "", ""])
    return raw(server, head.encode("latin-1") + (body or b""))


def ask(server: Server, path: str, **question: Any) -> Any:
    """Return the answer to a question of the page."""
    answer = request(server, path, json.dumps(question).encode())
    assert answer.status == 200, answer.body
    return answer.json()


def until(what: Any, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)
