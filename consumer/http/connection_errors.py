"""Why a vendor could not be reached: in a few words, and as an operator's sentence.

No library's message is passed on: it may contain what was sent.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
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

OUR_CERTIFICATE, THEIR_CERTIFICATE, OTHER = (
    "client certificate refused",
    "certificate not trusted",
    "connection failed",
)

NOT_REACHED: Final[Mapping[str, str]] = {
    OUR_CERTIFICATE: "the vendor refuses our certificate: check `client_cert` and `client_key` of "
    "this account",
    THEIR_CERTIFICATE: "its certificate is not trusted: check `ca`",
    "TLS failed": "no TLS could be agreed on: check scheme and port of `base_url`, and "
    "`client_cert`",
    "proxy refused": "the proxy refuses the way: check `proxy`, and what the proxy allows",
    "host name unknown": "a host name is not known: check `base_url` and `proxy`",
    "connection refused": "nothing listens there: check `base_url` and `proxy`",
    "no connection in time": "no connection in time: check `base_url`, `proxy` and what firewalls "
    "allow",
    OTHER: "the connection failed",
}
"""Why no connection was made → the sentence."""

_KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (ssl.SSLCertVerificationError, THEIR_CERTIFICATE),
    (ssl.SSLError, "TLS failed"),
    (httpx.ProxyError, "proxy refused"),
    (socket.gaierror, "host name unknown"),
    (ConnectionRefusedError, "connection refused"),
    ((TimeoutError, httpx.TimeoutException), "no connection in time"),
)


def refused_certificate(error: BaseException) -> bool:
    """Return whether the vendor's TLS refused us, so that it read nothing of the call."""
    reasons = (cause.reason or "" for cause in _chain(error) if isinstance(cause, ssl.SSLError))
    return any(reason.endswith(_REFUSALS) for reason in reasons)


def words_of(error: BaseException) -> str:
    """Return a key of `NOT_REACHED`, the same for the same cause."""
    return _found(error)[0]


def why(error: BaseException) -> str:
    """Return one sentence, the same for the same cause."""
    words, cause = _found(error)
    if isinstance(cause, ssl.SSLCertVerificationError) and words == THEIR_CERTIFICATE:
        return f"its certificate is not trusted ({cause.verify_message}): check `ca`"
    if words == OTHER:
        return f"{NOT_REACHED[OTHER]} ({type(error).__name__})"
    return NOT_REACHED[words]


def _found(error: BaseException) -> tuple[str, BaseException]:
    """Return the words, and the cause that they are about."""
    if refused_certificate(error):
        return OUR_CERTIFICATE, error
    for cause in _chain(error):
        for kinds, words in _KINDS:
            if isinstance(cause, kinds):
                return words, cause
    return OTHER, error


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return the error and its causes, the first cause first."""
    # A handshake that waits for data is no error.
    return [cause for cause in causes(error) if not isinstance(cause, ssl.SSLWantReadError)][::-1]
