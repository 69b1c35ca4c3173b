"""Attacks on the studio's server: none reaches what answers the page."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from microgpt import page
from microgpt.studio import server as studio
from microgpt.studio.app import application
from microgpt.studio.guard import BODY, Refused, _limited
from microgpt.studio.library import Library
from microgpt.studio.server import Server
from microgpt.studio.uploads import Uploads

from .studios import ask, raw, request, serving

API = [
    route.path
    for route in application(Library(Path("no such folder")), Uploads()).routes
    if isinstance(route, Route) and route.path.startswith("/api/")
]
ROUTES = ["/", "/page/main.js", *API, "/no"]
REACHED: list[str] = []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio that remembers which requests were let in."""
    made = studio.application

    def counting(*words: Any) -> Any:
        app = made(*words)

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            REACHED.append(scope["path"])
            await app(scope, receive, send)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio, "application", counting)
        with serving(tmp_path_factory.mktemp("runs")) as served:
            yield served


@pytest.fixture(autouse=True)
def nothing_reached() -> None:
    REACHED.clear()


def of(path: str) -> bytes | None:
    """The body with which the page asks for a path."""
    return b"{}" if path.startswith("/api/") else None


def test_the_page_itself_is_let_in_everywhere(server: Server) -> None:
    # Otherwise nothing below would prove anything.
    for path in ROUTES:
        request(server, path, of(path))
    assert len(API) >= 4
    assert REACHED == ROUTES
    assert ask(server, "/api/runs") == {"runs": []}


BAD = {
    "host": [
        "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "localhost.evil.example:{port}",
        "127.0.0.1:{port}.evil.example", "evil.example:{port}", "[::1]:{port}", "0.0.0.0:{port}",
        "", None,
    ],
    "origin": [
        "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1",
        "http://localhost:{port}", "http://127.0.0.1:{port}.evil.example", "file://", "",
    ],
    "cookie": [
        None, "", "microgpt-{port}=", "microgpt-{port}=guess", "other={cookie}",
        "microgpt-{port}={cookie}x", "microgpt-{port}={cookie}; microgpt-{port}=x",
        "microgpt-{port}=é",
    ],
    "sec_fetch_site": ["cross-site"],
    "content_length": [str(BODY + 1), "99999999999999999999", "-1", "1e3", "x"],
}  # fmt: skip


@pytest.mark.parametrize("header", BAD)
def test_a_request_with_one_wrong_header_is_refused(server: Server, header: str) -> None:
    words = {"port": str(server.port), "cookie": server.keys.cookie}
    for path, value in itertools.product(ROUTES, BAD[header]):
        if header == "sec_fetch_site" and path == "/":
            continue  # whoever follows a link to the page is let in
        if value == str(BODY + 1) and path == "/api/upload":
            continue  # files may be larger
        filled = value and value.format(**words)
        answer = request(server, path, of(path), **{header: filled})
        assert 400 <= answer.status < 500, (path, value)
        assert "access-control-allow-origin" not in answer.headers
    assert REACHED == []


def test_two_hosts_are_no_host(server: Server) -> None:
    hosts = f"host: 127.0.0.1:{server.port}\r\nhost: evil.example\r\n"
    cookie = f"cookie: {server.keys.name}={server.keys.cookie}\r\n"
    assert raw(server, f"GET / HTTP/1.1\r\n{hosts}{cookie}\r\n".encode()).status == 400
    assert REACHED == []


def test_a_changing_request_needs_an_origin(server: Server) -> None:
    for path in ROUTES:
        assert request(server, path, b"{}", origin=None).status == 403
    assert REACHED == []


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "get", "PROPFIND"]
)
def test_other_methods_are_refused(server: Server, method: str) -> None:
    for path in ROUTES:
        assert request(server, path, method=method).status in (400, 405)
    assert REACHED == []


def test_a_known_method_on_another_route_changes_nothing(server: Server) -> None:
    assert request(server, "/", b"{}").status == 405
    assert request(server, "/api/price").status == 405


def spellings() -> list[str]:
    """More than 500 ways to write a path that leaves the page's folder."""
    ups = [
        "..", "%2e%2e", "%2E%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae", "%u002e%u002e",
        "..%00", "....", ".. ", "%2e%2e%2f..", "\\..", "..%5c..", "%uff0e%uff0e", "．．",
    ]  # fmt: skip
    slashes = ["/", "%2f", "%2F", "\\", "%5c", "%252f", "//", "/./", "%c0%af"]
    ends = ["etc/passwd", "studio/guard.py", "__init__.py", "runs/names-1/config.json"]
    found = [
        f"/page/{slash.join([up] * 4)}{slash}{end}".replace(" ", "%20").encode().decode("latin-1")
        for up, slash, end in itertools.product(ups, slashes, ends)
    ]
    return [
        *found, "/page//etc/passwd", "//etc/passwd", "/page/./main.js", "/page/main.js%00.html",
        "/page/__init__.py%", "/page/file:///etc/passwd", "/page/main.js/", "/page/C:/x",
    ]  # fmt: skip


def test_no_spelling_of_a_path_leaves_the_folder(server: Server) -> None:
    paths = spellings()
    assert len(set(paths)) > 500
    for path in paths:
        answer = request(server, path)
        assert 400 <= answer.status < 500, path
        assert b"root:" not in answer.body
        assert b"import" not in answer.body
    # A plain name that is none of the page's files is looked up, and not found.
    assert set(REACHED) <= {"/page/main.js/"}
    assert request(server, "/page/__init__.py").status == 404
    assert request(server, "/page/style").status == 404


def test_a_body_that_grows_past_its_limit_is_cut_off(server: Server) -> None:
    head = (
        f"POST /api/price HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nconnection: close\r\n"
        f"origin: http://127.0.0.1:{server.port}\r\ntransfer-encoding: chunked\r\n"
        f"cookie: {server.keys.name}={server.keys.cookie}\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    assert raw(server, head.encode() + 16 * chunk).status in (413, 0)  # 0: it hung up first
    assert ask(server, "/api/runs") == {"runs": []}


def test_bytes_are_counted_whatever_was_declared() -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 400_000, "more_body": True}

    async def read(times: int) -> None:
        limited = _limited(receive)
        for _ in range(times):
            await limited()

    asyncio.run(read(2))
    with pytest.raises(Refused, match="at most"):
        asyncio.run(read(3))


def test_the_token_lets_in_once_and_leaves_the_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        address = server.address.removeprefix(f"http://127.0.0.1:{server.port}")
        assert request(server, "/?token=guess", cookie=None).status == 403
        assert request(server, address, cookie=None, host="evil.example").status == 421
        first = request(server, address, cookie=None)
        assert (first.status, first.headers["location"]) == (303, "/")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert request(server, "/", cookie=cookie.partition(";")[0]).status == 200
        again = request(server, address, cookie=None)
        assert again.status == 403
        assert b"start microgpt studio anew" in again.body
        # The browser that has the cookie may open the old address again.
        assert request(server, address).headers["location"] == "/"


def test_every_answer_has_the_headers(server: Server) -> None:
    for path in [*ROUTES, "/../x"]:
        for cookie in ({}, {"cookie": None}):
            headers = request(server, path, of(path), **cookie).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers
            assert not any(name.startswith("access-control") for name in headers)


def test_slow_and_broken_clients_do_not_keep_others_waiting(server: Server) -> None:
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for one in held:
        one.sendall(b"GET / HTTP/1.1\r\nhost: 127")
    for broken in (b"\x00\xff" * 100, b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            one.sendall(broken)
    assert raw(server, b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n").status == 400
    assert ask(server, "/api/runs") == {"runs": []}
    for one in held:
        one.close()


def test_fifty_clients_at_once_are_answered(server: Server) -> None:
    answers: list[Any] = []
    asking = [
        threading.Thread(target=lambda: answers.append(ask(server, "/api/runs"))) for _ in range(50)
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join(30)
    assert answers == [{"runs": []}] * 50


def test_all_files_of_the_page_are_served_and_name_nothing_from_elsewhere(server: Server) -> None:
    for name in page.names():
        answer = request(server, f"/page/{name}")
        assert answer.status == 200
        assert answer.body.decode() == page.text(name)
        assert answer.headers["content-type"].split(";")[0] in page.TYPES.values()
        assert "://" not in page.text(name).replace("http://www.w3.org/2000/svg", "")


def test_a_websocket_is_refused(server: Server) -> None:
    answer = request(
        server, "/", upgrade="websocket", connection="upgrade, close",
        sec_websocket_key="x", sec_websocket_version="13", cookie=None,
    )  # fmt: skip
    assert answer.status == 403
    assert REACHED == []


def test_parts_of_an_answer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    # A part would wait some 40 ms for the acknowledgement of the one before. asyncio turns that
    # off for sockets that are named as TCP.
    server = Server(Library(tmp_path), 0)
    with closing(server):
        assert server._socket.proto == socket.IPPROTO_TCP  # pyright: ignore[reportPrivateUsage]
