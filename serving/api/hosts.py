"""Which host a request may name."""

from __future__ import annotations

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api.errors import answer

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that a request may name: a foreign page must not reach us under a name of its own."""


class KnownHosts:
    """Refuses requests that name another host, in the form that all errors have.

    Starlette's middleware decides; its own answer would be plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 400."""
        passed = False

        async def pass_on(_scope: Scope, _receive: Receive, _send: Send) -> None:
            nonlocal passed
            passed = True

        async def drop(_message: object) -> None:
            return

        check = TrustedHostMiddleware(pass_on, allowed_hosts=list(LOCAL_HOSTS))
        await check(scope, receive, drop)
        if passed:
            await self.app(scope, receive, send)
            return
        named = ", ".join(LOCAL_HOSTS)
        refusal = answer(400, [f"Host: this name is not served; use one of {named}"])
        await refusal(scope, receive, send)
