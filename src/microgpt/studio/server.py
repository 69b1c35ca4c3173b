"""The server: a port of the loopback, the address to open, and an orderly end.

In: a library. Out: a `Server`, which answers until it is stopped. It prints nothing.
"""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading

import uvicorn

from microgpt.errors import MicroGPTError, UsageError
from microgpt.studio.app import application
from microgpt.studio.guard import Guard, Keys
from microgpt.studio.library import Library
from microgpt.studio.uploads import Uploads

HOST = "127.0.0.1"
"""The loopback: no other machine can ask."""

PORT = 8127
"""The port where none is given, if it is free; else any free one."""


class Server:
    """The studio's server; its port is taken when it is made, so that its address is known.

    Args:
        library: the runs that it shows.
        port: 0: a free one; None: `PORT` if it is free, else a free one.

    Attributes:
        keys: the token and the cookie.
        port: taken.
        uploads: the files that were dropped on the page.

    Raises:
        UsageError: no such port.
        MicroGPTError: the port is in use.
    """

    def __init__(self, library: Library, port: int | None = None) -> None:
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self.keys = Keys(self.port)
        self.uploads = Uploads()
        answers = application(library, self.uploads, lambda: self._uvicorn.should_exit)
        app = Guard(answers, self.keys, self.port)
        self._uvicorn = uvicorn.Server(
            # What reads requests is always what the tests attack, whatever else is installed:
            # httptools has no limit of a request's size, and keeps what was refused open.
            uvicorn.Config(
                app, log_level="warning", access_log=False, server_header=False, lifespan="off",
                http="h11", loop="asyncio", ws="none", timeout_keep_alive=30,
                timeout_graceful_shutdown=1, limit_concurrency=200,
                h11_max_incomplete_event_size=16_384,
            )
        )  # fmt: skip

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token that lets it in once."""
        return f"http://{HOST}:{self.port}/?token={self.keys.token}"

    def run(self) -> None:
        """Answer requests until Ctrl-C, SIGTERM or `stop`."""
        if threading.current_thread() is threading.main_thread():
            # The default would end the process before uploaded files are removed.
            signal.signal(signal.SIGTERM, _ended)
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self.close()

    def close(self) -> None:
        """Give the port back, and remove the uploaded files."""
        self._socket.close()
        self.uploads.close()

    def stop(self) -> None:
        """Stop soon; may be called by another thread."""
        self._uvicorn.should_exit = True


def _ended(number: int, _: object) -> None:
    """End the program as the signal would, but in order."""
    sys.exit(128 + number)


def _bound(port: int | None) -> socket.socket:
    """Return a socket that listens on a port of the loopback."""
    if port is not None and not 0 <= port <= 65_535:
        raise UsageError(f"port must be a whole number from 0 to 65535; got {port}.")
    # Named as TCP, so that asyncio sends each part of an answer at once: else a part waits for the
    # browser's acknowledgement of the one before, some 40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            made.bind((HOST, PORT if port is None else port))
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise
            made.bind((HOST, 0))
        made.listen(128)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise MicroGPTError(f"port {port} is in use. Try another --port, or none.") from None
        if error.errno == errno.EACCES:
            raise MicroGPTError(f"port {port} needs more rights. Try one above 1024.") from None
        raise
    return made
