"""Around every request: a count, a log line without content, a limit on size, safe headers."""

from __future__ import annotations

import time
from typing import Any, final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.errors import our_error
from serving.api.metrics import Metrics

MOST_BODY_BYTES = 64 * 1024

_LOG = structlog.get_logger("trialtwin.http")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "SAMEORIGIN",
    # Nothing may be loaded from, or sent to, any other machine.
    "content-security-policy": (
        "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'self'"
    ),
}


@final
class Observe:
    """ASGI middleware; a streamed answer stays a stream."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, begun = time.perf_counter(), 500, False

        async def sending(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            refusal = _too_large(scope)
            await (refusal or self._app)(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text goes nowhere
            answer = our_error(error)
            if not begun:  # else the answer stays cut off, which the client notices
                await answer(scope, receive, sending)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.answered(scope["method"], route, status, seconds)
        if not route.startswith("/ui"):
            _LOG.info(
                "request", method=scope["method"], route=route, status=status,
                milliseconds=round(1000 * seconds),
            )


def _route(scope: Scope) -> str:
    """Return the route's pattern; a path itself may hold what somebody typed."""
    if scope["path"].startswith("/ui"):
        return "/ui"
    pattern: Any = getattr(scope.get("route"), "path", None)
    return pattern if isinstance(pattern, str) else "none"


def _too_large(scope: Scope) -> JSONResponse | None:
    if scope["method"] not in ("POST", "PUT", "PATCH") or not scope["path"].startswith("/v1"):
        return None
    length = Headers(scope=scope).get("content-length", "")
    if length.isdigit() and int(length) <= MOST_BODY_BYTES:
        return None
    fault = f"body: send its length, at most {MOST_BODY_BYTES} bytes (Content-Length)"
    return JSONResponse({"faults": [fault]}, status_code=413)
