"""Why a vendor could not be reached, as an operator's sentence.

No library's message is passed on: it may contain what was sent.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

import httpx

from consumer.errors import causes

_REFUSALS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNSUPPORTED_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
)
"""TLS alerts by which a vendor refuses our certificate. In TLS 1.3 they arrive after the request
has left, but the vendor reads nothing of it before the handshake succeeds."""

_OUR_CERTIFICATE = (
    "the vendor refuses our certificate: check `client_cert` and `client_key` of this account"
)

_REASONS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (
        ssl.SSLError,
        "no TLS could be agreed on: check scheme and port of `base_url`, and `client_cert`",
    ),
    (httpx.ProxyError, "the proxy refuses the way: check `proxy`, and what the proxy allows"),
    (socket.gaierror, "a host name is not known: check `base_url` and `proxy`"),
    (ConnectionRefusedError, "nothing listens there: check `base_url` and `proxy`"),
    (
        (TimeoutError, httpx.TimeoutException),
        "no connection in time: check `base_url`, `proxy` and what firewalls allow",
    ),
)


def refused_certificate(error: BaseException) -> bool:
    """Return whether the vendor's TLS refused us, so that it read nothing of the call."""
    reasons = (cause.reason or "" for cause in _chain(error) if isinstance(cause, ssl.SSLError))
    return any(reason.endswith(_REFUSALS) for reason in reasons)


def why(error: BaseException) -> str:
    """Return one sentence, the same for the same cause."""
    if refused_certificate(error):
        return _OUR_CERTIFICATE
    for cause in _chain(error):
        if (reason := _reason(cause)) is not None:
            return reason
    return f"the connection failed ({type(error).__name__})"


def _reason(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): check `ca`"
    return next((text for kinds, text in _REASONS if isinstance(error, kinds)), None)


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return the error and its causes, the first cause first."""
    # A handshake that waits for data is no error.
    return [cause for cause in causes(error) if not isinstance(cause, ssl.SSLWantReadError)][::-1]
