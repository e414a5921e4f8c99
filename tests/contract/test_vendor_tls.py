"""The way to a vendor on the company's own premises: own CA, client certificate, egress proxy."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import structlog
import trustme

from consumer.http.client import Exchange, VendorClient
from consumer.http.tls import TlsError, context_of
from consumer.records.call import Call
from consumer.vendors.protocol import Account
from tests.support.wire import HOST, Ending, Proxy, Server

CALL = Call("POST", "/surveys", {"Authorization": "Token hush-hush"}, b'{"phone":"+905551234567"}')
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NOW = 1_000.0
LogLines = Sequence[Any]


@cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def pem(*parts: trustme.Blob) -> str:
    return b"".join(part.bytes() for part in parts).decode()


def account(**ways: object) -> Account:
    """An account that trusts our own authority, unless told otherwise."""
    entry = {"type": "x", "quota": "q", "base_url": "https://a.test"}
    trusted = {"ca": pem(authority("own").cert_pem)}
    return Account.model_validate({**entry, **trusted, **ways})


def client_certificate(issuer: str) -> dict[str, str]:
    leaf = authority(issuer).issue_cert("dispatcher@company.test")
    return {
        "client_cert": pem(*leaf.cert_chain_pems),
        "client_key": pem(leaf.private_key_pem),
    }


def server_context(*, host: str = HOST, wants_client: bool = False) -> ssl.SSLContext:
    """Of a vendor whose certificate our own authority signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority("own").issue_cert(host).configure_cert(context)
    if wants_client:
        authority("own").configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def called(
    of: Account, tls: ssl.SSLContext | None, *, ending: Ending = "close"
) -> tuple[Exchange, list[bytes], LogLines]:
    """One call to such a server: how it went, what the server read, what the log says."""

    async def run() -> tuple[Exchange, list[bytes]]:
        async with Server(OK, ending, tls) as server:
            client = VendorClient(
                f"https://{HOST}:{server.port}/tenant",
                5.0,
                lambda: NOW,
                name="radar",
                tls=context_of(of),
            )
            exchange = await client.exchange(CALL, fresh_until=NOW + 5)
            await client.close()
            return exchange, server.requests

    with structlog.testing.capture_logs() as lines:
        exchange, requests = asyncio.run(run())
    shown = repr(lines)
    assert "hush" not in shown
    assert "555" not in shown
    return exchange, requests, lines


def told(lines: LogLines) -> str:
    """Why the vendor was not reached: said once, with the vendor's name."""
    (line,) = lines
    assert (line["event"], line["vendor"]) == ("vendor_unreachable", "radar")
    return str(line["why"])


def test_a_vendor_with_a_certificate_of_ones_own_authority_is_called() -> None:
    exchange, requests, lines = called(account(), server_context())

    assert exchange.answer is not None
    assert (exchange.answer.status, exchange.sent_at) == (200, NOW)
    assert requests[0].startswith(b"POST /tenant/surveys HTTP/1.1\r\n")
    assert lines == []


@pytest.mark.parametrize("ca", [None, "other"])
def test_an_unknown_authority_is_refused_before_anything_is_sent(ca: str | None) -> None:
    """Without `ca` the public authorities are trusted; with it, no others."""
    trusted = pem(authority(ca).cert_pem) if ca else None

    exchange, requests, lines = called(account(ca=trusted), server_context())

    words = "certificate not trusted"
    assert exchange == Exchange(NOW, None, None, "connect_error", not_reached=words)
    assert requests == []
    assert told(lines).startswith("its certificate is not trusted")
    assert "check `ca`" in told(lines)


def test_a_certificate_for_another_host_is_refused() -> None:
    exchange, requests, lines = called(account(), server_context(host="vendor.test"))

    assert (exchange.failure, exchange.sent_at, requests) == ("connect_error", None, [])
    assert "IP address mismatch" in told(lines)


def test_a_server_without_tls_is_told_from_a_certificate() -> None:
    exchange, requests, lines = called(account(), None, ending="eager")

    assert (exchange.failure, exchange.sent_at, requests) == ("connect_error", None, [])
    assert told(lines).startswith("no TLS could be agreed on")


def test_a_client_certificate_is_shown_to_a_vendor_that_wants_one() -> None:
    exchange, requests, _ = called(
        account(**client_certificate("own")), server_context(wants_client=True)
    )

    assert exchange.answer is not None
    assert len(requests) == 1


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that says why it ends a handshake, and then hears the client out.

    asyncio's own server cuts the connection instead, so that a client cannot tell why.
    """
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        peer, _ = listening.accept()
        with context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False) as secured:
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            secured.shutdown(socket.SHUT_WR)
            while secured.recv(4096):
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield int(listening.getsockname()[1])
        thread.join(10)


@pytest.mark.parametrize("ways", [{}, client_certificate("other")], ids=["none", "foreign"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_client_certificate_puts_no_recipient_in_doubt(
    ways: dict[str, str], version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the request has left when the refusal comes, but the vendor reads none of it."""
    context = server_context(wants_client=True)
    context.maximum_version = version

    async def run(port: int) -> Exchange:
        tls = context_of(account(**ways))
        client = VendorClient(f"https://{HOST}:{port}", 5.0, lambda: NOW, name="radar", tls=tls)
        try:
            return await client.exchange(CALL, fresh_until=NOW + 5)
        finally:
            await client.close()

    with structlog.testing.capture_logs() as lines, refusing(context) as port:
        exchange = asyncio.run(run(port))

    assert exchange.not_reached in {"TLS failed", "client certificate refused"}
    assert replace(exchange, not_reached=None) == Exchange(NOW, None, None, "connect_error")
    assert "`client_cert`" in told(lines)


def through(proxy: Proxy, tls: ssl.SSLContext) -> tuple[Exchange, list[bytes], LogLines]:
    """As `called`, through a proxy that runs in the same loop."""

    async def run() -> tuple[Exchange, list[bytes]]:
        async with proxy, Server(OK, tls=tls) as server:
            url = proxy.url.replace("http://", "http://me:hush-hush@")
            client = VendorClient(
                f"https://{HOST}:{server.port}",
                5.0,
                lambda: NOW,
                name="radar",
                tls=context_of(account()),
                proxy=url,
            )
            exchange = await client.exchange(CALL, fresh_until=NOW + 5)
            await client.close()
            return exchange, server.requests

    with structlog.testing.capture_logs() as lines:
        exchange, requests = asyncio.run(run())
    assert "hush" not in repr(lines)
    return exchange, requests, lines


def test_a_call_goes_through_the_proxy_which_learns_nothing_of_it() -> None:
    proxy = Proxy()

    exchange, requests, _ = through(proxy, server_context())

    assert exchange.answer is not None
    assert exchange.sent_at == NOW
    (asked,) = proxy.asked
    assert asked.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic " in asked
    assert b"Token hush-hush" not in asked
    assert b"Token hush-hush" in requests[0]
    assert b"proxy-authorization" not in requests[0].lower()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.1 407 Who?\r\n\r\n", b"HTTP/1.1 502 x\r\n\r\n"],
)
def test_a_proxy_that_refuses_puts_no_recipient_in_doubt(answer: bytes) -> None:
    """Its CONNECT has left, but nothing of the call."""
    exchange, requests, lines = through(Proxy(answer), server_context())

    assert exchange == Exchange(NOW, None, None, "connect_error", not_reached="proxy refused")
    assert requests == []
    assert told(lines).startswith("the proxy refuses the way")


def test_what_is_wrong_beyond_the_proxy_is_told_as_without_one() -> None:
    exchange, requests, lines = through(Proxy(), server_context(host="vendor.test"))

    assert (exchange.failure, exchange.sent_at, requests) == ("connect_error", None, [])
    assert told(lines).startswith("its certificate is not trusted")


def test_a_vendor_that_is_back_is_told_once() -> None:
    async def run() -> None:
        async with Server(OK) as server:
            port = server.port
        client = VendorClient(f"http://{HOST}:{port}", 5.0, lambda: NOW, name="radar")
        for _ in range(3):
            await client.exchange(CALL, fresh_until=NOW + 5)
        again = Server(OK)
        again._server = await asyncio.start_server(again._accept, HOST, port)
        for _ in range(2):
            await client.exchange(CALL, fresh_until=NOW + 5)
        await client.close()
        await again.__aexit__()

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())

    assert [line["event"] for line in lines] == ["vendor_unreachable", "vendor_reached"]
    assert lines[0]["why"] == "nothing listens there: check `base_url` and `proxy`"


@pytest.mark.parametrize(
    ("ways", "field", "why"),
    [
        ({"ca": "-----BEGIN CERTIFICATE-----\nhush-hush"}, "ca", "cannot be read"),
        (
            client_certificate("own") | {"client_key": client_certificate("own")["client_key"]},
            "client_key",
            "is not the key of `client_cert`",
        ),
        (
            client_certificate("own")
            | {"client_key": "-----BEGIN PRIVATE KEY-----\nhush-hush\n-----END PRIVATE KEY-----"},
            "client_key",
            "both must be whole",
        ),
    ],
)
def test_a_certificate_of_no_use_is_named_without_its_text(
    ways: dict[str, str], field: str, why: str
) -> None:
    with pytest.raises(TlsError, match=why) as refused:
        context_of(account(**ways))

    assert refused.value.field == field
    assert "hush" not in str(refused.value)
