"""Why a vendor is not reached: one sentence that says what to check, and nothing of the call."""

from __future__ import annotations

import socket
import ssl
from itertools import pairwise

import httpx
import pytest

from consumer.http.connection_errors import refused_certificate, why

PRIVATE = "https://hush-hush.test/+905551234567"


def chained(*errors: BaseException) -> BaseException:
    """As httpx raises it: each caused by the next, the first cause last."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, PRIVATE)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (socket.gaierror(-2, PRIVATE), "a host name is not known: check `base_url` and `proxy`"),
        (ConnectionRefusedError(111, PRIVATE), "nothing listens there: check `base_url`"),
        (TimeoutError(PRIVATE), "no connection in time: check `base_url`, `proxy` and what"),
        (httpx.ConnectTimeout(PRIVATE), "no connection in time"),
        (httpx.ProxyError(PRIVATE), "the proxy refuses the way: check `proxy`"),
        (tls("WRONG_VERSION_NUMBER"), "no TLS could be agreed on: check scheme and port"),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "the vendor refuses our certificate"),
        (OSError(PRIVATE), "the connection failed (ConnectError)"),
    ],
)
def test_the_first_cause_that_is_known_is_told(cause: BaseException, sentence: str) -> None:
    error = chained(httpx.ConnectError(PRIVATE), OSError(PRIVATE), cause)

    assert why(error).startswith(sentence)
    assert "hush" not in why(error)
    assert "555" not in why(error)


def test_a_handshake_that_only_waited_is_not_blamed() -> None:
    error = chained(httpx.ConnectTimeout("x"), TimeoutError(), ssl.SSLWantReadError())

    assert why(error).startswith("no connection in time")


def test_a_circle_of_causes_ends() -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = error

    assert why(error) == "the connection failed (ConnectError)"


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", False),
        ("UNEXPECTED_EOF_WHILE_READING", False),
        ("TLSV1_ALERT_INTERNAL_ERROR", False),
    ],
)
def test_only_a_refused_certificate_says_that_nothing_was_read(reason: str, refused: bool) -> None:
    """Any other end of TLS leaves open whether the vendor acted."""
    assert refused_certificate(chained(httpx.ReadError("x"), tls(reason))) == refused


def test_our_own_refusal_of_the_vendors_certificate_is_none_of_ours() -> None:
    error = ssl.SSLCertVerificationError(1, PRIVATE)
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    error.verify_message = "self-signed certificate"

    assert not refused_certificate(error)
    assert why(error) == "its certificate is not trusted (self-signed certificate): check `ca`"
