"""What every request passes first: host and origin checks, the URL prefix, sign-in; and the headers of every reply."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.websockets import WebSocketClose

from runhaven_server import page
from runhaven_server.access import SESSION_LIFETIME_S

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runhaven_server.access import Access
    from runhaven_server.hosts import Hosts

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Svelte sets style attributes, so inline styles have to pass; scripts come from our own files alone.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware in front of the whole application."""

    def __init__(self, app: ASGIApp, *, access: Access, hosts: Hosts, prefix: str, trust_prefix_header: bool) -> None:
        """Guard `app`.

        Args:
            app: What answers the requests that pass.
            access: Checks codes and sessions.
            hosts: The names that the server answers to.
            prefix: The URL prefix that a proxy in front of us keeps in the path, such as "/proxy/absolute/7878".
            trust_prefix_header: Whether a proxy names the prefix in `X-Forwarded-Prefix`.
        """
        self._app = app
        self._access = access
        self._hosts = hosts
        self._prefix = _clean_prefix(prefix)
        self._trust_prefix_header = trust_prefix_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may not pass; hand on all others."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope = self._without_prefix(scope, headers)
        refusal = self._refuse_stranger(scope, headers) or self._check_sign_in(scope, headers)
        if refusal is None:
            await self._app(scope, receive, _dressed(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            await refusal(scope, receive, _dressed(send))

    def _without_prefix(self, scope: Scope, headers: Headers) -> Scope:
        """Return the scope with `root_path` set; a proxy may have taken the prefix off the path, or left it on."""
        prefix = self._prefix
        if self._trust_prefix_header:
            prefix = _clean_prefix(headers.get("x-forwarded-prefix", "")) or prefix
        if not prefix:
            return scope
        path: str = scope["path"]
        rest = path if path != prefix and not path.startswith(f"{prefix}/") else path[len(prefix) :]
        return {**scope, "root_path": prefix, "path": prefix + (rest or "/")}

    def _refuse_stranger(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._hosts.allows_host(host):
            text = f"This server does not answer to the name {host!r}. Use 127.0.0.1, or allow the name: --allow-host NAME.\n"
            return PlainTextResponse(text, 403)
        is_safe = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if not is_safe and not self._hosts.allows_origin(headers.get("origin"), host=host):
            return JSONResponse({"detail": "The request comes from a page of another origin."}, 403)
        return None

    def _check_sign_in(self, scope: Scope, headers: Headers) -> Response | None:
        is_signed_in = self._access.admits(_cookie(headers, self._access.cookie))
        path: str = scope["path"][len(scope.get("root_path", "")) :]
        if scope["type"] == "http" and scope["method"] == "GET" and path == "/":
            codes = parse_qs(scope["query_string"].decode("latin-1")).get("code")
            if codes:
                return self._sign_in(codes[-1], is_signed_in=is_signed_in)
        return None if is_signed_in else _ask_to_sign_in(path, headers)

    def _sign_in(self, code: str, *, is_signed_in: bool) -> Response:
        session = self._access.redeem(code)
        if session is None and not is_signed_in:
            text = "This address has been used already, or is too old. Ask for a new one:"
            return page.notice("This sign-in no longer works", text, command="runhaven ui", status=401)
        response = RedirectResponse("./", 303)
        if session is not None:
            # Without a path the browser takes the directory of the page as it sees it: right behind any proxy.
            response.set_cookie(
                self._access.cookie, session, max_age=SESSION_LIFETIME_S, path=None, httponly=True, samesite="strict"
            )
        return response


def _ask_to_sign_in(path: str, headers: Headers) -> Response:
    if path.startswith("/api/") or "text/html" not in headers.get("accept", ""):
        return JSONResponse({"detail": "Not signed in. Open the address that `runhaven ui` prints."}, 401)
    if headers.get("sec-fetch-site") == "cross-site":
        # A strict cookie stays at home when a link on another site led here; from our own page it comes along.
        return page.again()
    text = "Runs are shown to you alone. Open the address that this command prints:"
    return page.notice("Sign in to Runhaven", text, command="runhaven ui", status=401)


def _clean_prefix(text: str) -> str:
    path = "/".join(part for part in text.split("/") if part)
    return f"/{path}" if path else ""


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[name].value if name in cookies else None


def _dressed(send: Send) -> Send:
    async def send_dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_dressed
