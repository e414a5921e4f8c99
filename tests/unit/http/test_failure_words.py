"""Each way in which a call fails has words of its own, and none is a vendor's."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from consumer.http.connection_errors import NOT_REACHED, why, words_of
from consumer.http.failure_words import FAILURES, reason_of
from consumer.records.call import Outcome, Verdict


def tls(kind: type[ssl.SSLError]) -> ssl.SSLError:
    error = kind(1, "of the library")
    error.reason = "OF_THE_LIBRARY"
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    return error


def answered(status: int, verdict: Verdict = Verdict.RETRY, **more: bool) -> Outcome:
    return Outcome(verdict, status, "13001", "Ayşe's text", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (answered(401, refused=True), "HTTP 401: token not accepted"),
        (answered(401, relogin=True), "HTTP 401: token not accepted"),
        (answered(403, refused=True), "HTTP 403: not allowed"),
        (answered(503), "vendor error HTTP 503"),
        (answered(500, Verdict.IN_DOUBT), "vendor error HTTP 500"),
        (answered(404, gateway=True), "HTTP 404: not the vendor's own answer"),
        (answered(404, parked=True), "HTTP 404: campaign not usable"),
        (answered(429, throttled=True), "HTTP 429: too many calls"),
        (answered(422, Verdict.REJECTED, divisible=True), "HTTP 422: a recipient not accepted"),
        (answered(400, Verdict.REJECTED), "HTTP 400: call not accepted"),
        (answered(302, Verdict.IN_DOUBT), "HTTP 302: no clear answer"),
        (answered(200, Verdict.ACCEPTED), ""),
    ],
)
def test_an_answer_is_told_by_its_status_and_what_it_means(outcome: Outcome, words: str) -> None:
    assert reason_of(None, None, outcome) == words
    assert "Ayşe" not in reason_of(None, None, outcome)


def test_a_call_without_an_answer_is_told_by_what_happened_on_its_way() -> None:
    nothing = Outcome(Verdict.RETRY)
    assert reason_of("connect_error", "connection refused", nothing) == "connection refused"
    told = [reason_of(failure, None, nothing) for failure in FAILURES]
    assert told == list(FAILURES.values())
    assert reason_of(None, None, nothing) == FAILURES["defect"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "connection refused"),
        (socket.gaierror(), "host name unknown"),
        (tls(ssl.SSLError), "TLS failed"),
        (tls(ssl.SSLCertVerificationError), "certificate not trusted"),
        (httpx.ProxyError("no"), "proxy refused"),
        (httpx.ConnectTimeout("late"), "no connection in time"),
        (ConnectionResetError(), "connection failed"),
    ],
)
def test_a_dead_port_dns_tls_and_a_timeout_have_words_of_their_own(
    error: Exception, words: str
) -> None:
    wrapped = httpx.ConnectError("all attempts failed")
    wrapped.__cause__ = error
    assert words_of(wrapped) == words
    assert words in NOT_REACHED
    assert why(wrapped)


def test_no_two_failures_share_their_words() -> None:
    words = [*NOT_REACHED, *FAILURES.values()]
    assert len(words) == len(set(words))
