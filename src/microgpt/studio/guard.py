"""Who may talk to the studio: the browser that was opened with its address, on this machine.

In: every request, before it is routed. Out: the same request, or a refusal. In the order of the
checks: the Host must be ours (a foreign name that resolves to this machine is refused, as in DNS
rebinding), the path plain, the method known, the Origin ours, the cookie ours, the body small.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY = 1_000_000
"""The most bytes of a request's body."""

LIMITS = {b"/api/upload": 500_000_000}
"""The same, of the paths that take more; exactly these."""

_PATH = re.compile(rb"/(?:[a-z0-9_-]+(?:[./][a-z0-9_-]+)*)?/?")

POLICY = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
"""Nothing from elsewhere, no inline script: text that was trained on cannot run."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer."""


class Refused(Exception):  # noqa: N818  (it is an answer)
    """A request that is not let in.

    Args:
        status: of HTTP.
        why: a sentence for the person who sees it.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Keys:
    """The token in the address that is opened, valid once, and the cookie that it is exchanged for.

    Args:
        port: of the server; part of the cookie's name, because ports share their cookies.
    """

    def __init__(self, port: int) -> None:
        self.token: str | None = secrets.token_urlsafe(32)
        self.cookie = secrets.token_urlsafe(32)
        self.name = f"microgpt-{port}"

    def spend(self, token: str) -> bool:
        """Return whether this is the token; it is valid no more if so."""
        if self.token is None or not hmac.compare_digest(self.token.encode(), token.encode()):
            return False
        self.token = None
        return True

    def fits(self, cookies: str) -> bool:
        """Return whether a header "Cookie" has the cookie, once."""
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        values = [value for name, _, value in pairs if name == self.name]
        return len(values) == 1 and hmac.compare_digest(values[0].encode(), self.cookie.encode())


class Guard:
    """Lets requests in that pass every check.

    Args:
        app: what answers them.
        keys: token and cookie.
        port: of the server.
    """

    def __init__(self, app: ASGIApp, keys: Keys, port: int) -> None:
        self._app, self._keys = app, keys
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served.")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            answer = self._check(scope)
            if answer is None:
                await self._app(scope, _limited(receive, _most(scope)), guarded)
                return
        except Refused as refused:
            answer = PlainTextResponse(refused.why + "\n", refused.status)
        await answer(scope, receive, guarded)

    def _check(self, scope: MutableMapping[str, Any]) -> Response | None:
        """Return an answer to the request, if it ends here.

        Raises:
            Refused: it is not let in.
        """
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise Refused(421, "The studio answers to 127.0.0.1 and localhost alone.")
        path = _path(scope)
        # Names of runs travel in bodies and queries: a path has nothing to be decoded.
        if not _PATH.fullmatch(path):
            raise Refused(404, "There is no such page.")
        if scope["method"] not in ("GET", "POST"):
            raise Refused(405, "The studio knows GET and POST alone.")
        origins = headers.getlist("origin")
        is_ours = origins == [f"http://{hosts[0]}"]
        if not (is_ours or (not origins and scope["method"] == "GET")):
            raise Refused(403, "Another page must not ask the studio for anything.")
        if headers.get("sec-fetch-site", "none") == "cross-site" and path != b"/":
            raise Refused(403, "Another page must not ask the studio for anything.")
        if path == b"/" and scope["method"] == "GET":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            if "token" in query and self._keys.spend(query["token"][-1]):
                return self._welcome()
        if not self._keys.fits("; ".join(headers.getlist("cookie"))):
            raise Refused(
                403,
                "This address has been used already, or the studio was started again. "
                "Open the address that the terminal shows, or start microgpt studio anew.",
            )
        if path == b"/" and scope["query_string"]:
            return RedirectResponse("/", 303)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _most(scope):
            raise _too_large(_most(scope))
        return None

    def _welcome(self) -> Response:
        """Exchange the token for the cookie; the address keeps no secret."""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._keys.name, self._keys.cookie, httponly=True, samesite="strict")
        return answer


def _path(scope: MutableMapping[str, Any]) -> bytes:
    return scope.get("raw_path", b"").partition(b"?")[0]


def _most(scope: MutableMapping[str, Any]) -> int:
    """Return the most bytes of this request's body."""
    return LIMITS.get(_path(scope), BODY)


def _too_large(most: int) -> Refused:
    return Refused(413, f"A request must have at most {most:,} bytes.")


def _limited(receive: Receive, most: int = BODY) -> Receive:
    """Return `receive`, which ends the request when its body is too large, whatever it declared."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise _too_large(most)
        return message

    return limited
