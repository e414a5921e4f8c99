"""Access to the admin server: which requests get an answer, and TLS.

Probes are open to all: a kubelet has no token. With a token, everything else wants it, as a bearer
token (Prometheus, `status`) or as the password of any user (a browser asks for one).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from consumer.config.admin_section import AdminTls
from consumer.errors import DispatcherError

PROBES: Final = frozenset({"/livez", "/readyz"})
_ASKED: Final = {"WWW-Authenticate": 'Basic realm="survey-dispatcher", charset="UTF-8"'}


class TokenGuard:
    """Answers 401 to requests without the token, but for probes."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["path"] in PROBES or self._holds_token(dict(scope["headers"])):
            await self._app(scope, receive, send)
        else:
            refusal = PlainTextResponse("a token is needed\n", 401, headers=_ASKED)
            await refusal(scope, receive, send)

    def _holds_token(self, headers: dict[bytes, bytes]) -> bool:
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"basic":
            given = _password(given)
        elif kind.lower() != b"bearer":
            return False
        return hmac.compare_digest(given.strip(), self._token)


def _password(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def server_context(tls: AdminTls) -> ssl.SSLContext:
    """Return the context of a server with this certificate. Raises DispatcherError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key would ask for its password at the terminal.
        context.load_cert_chain(tls.cert, tls.key, password=lambda: "")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else None
        expected = why or "expected PEM files that belong together, the key not encrypted"
        raise DispatcherError(f"admin.tls: {tls.cert} and {tls.key}: {expected}") from None
    return context
