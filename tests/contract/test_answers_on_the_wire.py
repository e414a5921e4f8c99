"""Whatever bytes a vendor's server writes, and keeps open: each answer settles its own call alone.

The server keeps its connections, as vendors' servers do, and the answers are written as they are
met in the wild: with bytes behind them, with broken heads, packed, with cookies.
"""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from consumer.http.client import BODY_LIMIT, Exchange, VendorClient
from consumer.records.call import Answer, Call, Outcome, Verdict
from tests.contract.test_vendor_http import NO_TLS
from tests.contract.vendor_rows import ROWS
from tests.support.wire import HOST, Keeping

CALL = Call("POST", "/surveys", {"Content-Type": "application/json"}, b'{"a": 1}')
JSON = b"Content-Type: application/json\r\n"
ACCEPTS = b'{"code":"00000","description":"success","data":"846673197418938368"}'
"""Customer Radar's; the other vendors take it for a success as well."""


def exchanges(replies: Sequence[bytes]) -> tuple[list[Exchange], list[tuple[int, bytes]]]:
    """One call after the other to a server that answers them so; what it got."""

    async def run() -> tuple[list[Exchange], list[tuple[int, bytes]]]:
        async with Keeping(replies) as server:
            client = VendorClient(f"http://{HOST}:{server.port}", 5.0, lambda: 0.0, tls=NO_TLS)
            found = [await client.exchange(CALL, fresh_until=1.0) for _ in replies]
            await client.close()
            return found, server.requests

    return asyncio.run(run())


def answer_of(reply: bytes) -> Answer:
    """What the client makes of one reply."""
    ((exchange,), _) = exchanges([reply])
    assert exchange.answer is not None, exchange.failure
    return exchange.answer


def read(vendor: str, answer: Answer) -> Outcome:
    """What the vendor's module makes of it."""
    return ROWS[vendor].vendor("https://a.test").read(answer)


def sized(body: bytes, status: bytes = b"200 OK", headers: bytes = JSON) -> bytes:
    head = b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(body))
    return head + body


def chunked(body: bytes, headers: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n%s%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (JSON, headers, len(body), body)


OK = sized(ACCEPTS)
REFUSAL = sized(b'{"code":13028,"message":"Invalid parameters"}', b"400 Bad Request")
TRAILING: Mapping[str, bytes] = {
    "nothing": OK,
    "another answer": OK + OK,
    "an empty line": OK + b"\r\n",
    "empty lines": OK + b"\r\n\r\n\r\n",
    "bytes that are no HTTP": OK + b"\x00\x15bye",
    "more body than announced": OK + b', "more": "of it"}',
    "half an answer": OK + b"HTTP/1.1 200 OK\r\nContent-Le",
    "a 204 with a body": b"HTTP/1.1 204 No Content\r\n\r\n" + ACCEPTS,
    "a 204 with a chunk": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    "a 204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
    "chunks, and another answer": chunked(ACCEPTS, b"Transfer-Encoding: chunked\r\n") + OK,
    "HTTP/1.0 that stays": OK.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    "a connection that is kept": sized(
        ACCEPTS, headers=b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
    ),
}


@pytest.mark.parametrize("trailing", TRAILING)
def test_what_comes_behind_an_answer_settles_no_other_call(trailing: str) -> None:
    replies = [TRAILING[trailing], REFUSAL, TRAILING[trailing]]

    found, requests = exchanges(replies)

    status = 204 if "204" in trailing else 200
    assert [each.answer and each.answer.status for each in found] == [status, 400, status]
    verdicts = [read("pisano", each.answer).verdict for each in found if each.answer]
    assert verdicts == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.ACCEPTED]
    assert [number for number, _ in requests] == [1, 2, 3]


def test_a_connection_is_never_used_again_and_says_so() -> None:
    """Servers close idle connections after 5 s or so: a call just then would be in doubt."""
    _, requests = exchanges([OK] * 4)

    assert [number for number, _ in requests] == [1, 2, 3, 4]
    assert all(b"\r\nConnection: close\r\n" in request for _, request in requests)


def test_no_cookie_comes_back() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%s; Path=/\r\n" % (n, b"x" * 900) for n in range(12))

    _, requests = exchanges([sized(ACCEPTS, headers=cookies)] * 3)

    assert len({request for _, request in requests}) == 1
    assert b"cookie" not in requests[2][1].lower()


HEADS: Mapping[str, bytes] = {
    "chunked twice": chunked(ACCEPTS, b"Transfer-Encoding: chunked, chunked\r\n"),
    "two chunked headers": chunked(ACCEPTS, b"Transfer-Encoding: chunked\r\n" * 2),
    "chunked in capitals": chunked(ACCEPTS, b"TRANSFER-ENCODING: Chunked\r\n"),
    "chunked and a length": chunked(
        ACCEPTS, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"
    ),
    "identity as a coding": sized(ACCEPTS, headers=b"Transfer-Encoding: identity\r\n"),
    "the same length twice": sized(ACCEPTS, headers=b"Content-Length: %d\r\n" % len(ACCEPTS)),
    "the same length in a list": OK.replace(
        b"Content-Length: ", b"Content-Length: %d, " % len(ACCEPTS)
    ),
    "a line without a colon": sized(ACCEPTS, headers=b"X-Powered-By PHP\r\n" + JSON),
    "a name with a space": sized(ACCEPTS, headers=b"X Powered By: PHP\r\n" + JSON),
    "a name with brackets": sized(ACCEPTS, headers=b"X-[id]: 7\r\n" + JSON),
    "a name in UTF-8": sized(ACCEPTS, headers="Müşteri: 7\r\n".encode() + JSON),
    "a value in UTF-8": sized(ACCEPTS, headers="X-Ad: Müşteri\r\n".encode() + JSON),
    "no name": sized(ACCEPTS, headers=b": nothing\r\n" + JSON),
    "a space before the colon": sized(ACCEPTS, headers=b"Content-Type : application/json\r\n"),
    "a null in a value": sized(ACCEPTS, headers=b"X-Id: a\x00b\r\n" + JSON),
    "a carriage return in a value": sized(ACCEPTS, headers=b"X-Id: a\rb\r\n" + JSON),
    "a folded value": sized(ACCEPTS, headers=b"X-Id: a\r\n  b\r\n\tc\r\n" + JSON),
    "a folded first line": sized(ACCEPTS, headers=b"  what is this?\r\n" + JSON),
    "bare line feeds": OK.replace(b"\r\n", b"\n"),
    "no reason": OK.replace(b"200 OK", b"200"),
    "two spaces": OK.replace(b" 200 OK", b"  200  OK"),
    "a reason that is no text": OK.replace(b"200 OK", b"200 \x01\x02\xff"),
    "small letters": OK.replace(b"HTTP/1.1", b"http/1.1"),
    "another version": OK.replace(b"HTTP/1.1", b"HTTP/2"),
    "empty lines before": b"\r\n\r\n" + OK,
    "early hints before": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nbad\r\n\r\n" + OK,
    "a 100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("vendor", ROWS)
def test_a_head_that_is_not_quite_right_is_read_as_browsers_read_it(vendor: str, head: str) -> None:
    """Body and all: Customer Radar says in its body that it succeeded."""
    found = answer_of(HEADS[head])

    assert (found.status, found.body) == (200, ACCEPTS)
    assert read(vendor, found).verdict is Verdict.ACCEPTED


def test_a_refusal_under_a_bad_head_is_the_vendors_refusal() -> None:
    found = answer_of(REFUSAL.replace(b"\r\nContent-Type", b"\r\nno header at all\r\nContent-Type"))

    assert (read("pisano", found).verdict, read("pisano", found).code) == (
        Verdict.REJECTED,
        "13028",
    )


@pytest.mark.parametrize(
    "lengths", [b"Content-Length: 3\r\nContent-Length: 4\r\n", b"Content-Length: -1\r\n"]
)
def test_without_a_length_that_is_one_the_body_ends_with_the_connection(lengths: bytes) -> None:
    async def run() -> Exchange:
        reply = b"HTTP/1.1 200 OK\r\n" + lengths + JSON + b"\r\n" + ACCEPTS
        async with Keeping([reply]) as server:
            server.close_after_reply = True
            client = VendorClient(f"http://{HOST}:{server.port}", 5.0, lambda: 0.0, tls=NO_TLS)
            return await client.exchange(CALL, fresh_until=1.0)

    exchange = asyncio.run(run())

    assert exchange.answer is not None
    assert exchange.answer.body == ACCEPTS


MALFORMED: Mapping[str, bytes] = {
    "no chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%s\r\n" % (JSON, ACCEPTS),
    "a bad second chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n"
    b"2\r\n{}\r\nwhat?\r\n" % JSON,
    "a head without end": b"HTTP/1.1 200 OK\r\n" + JSON + b"X-Id: 7\r\n" * 9_000,
    "a line without end": b"HTTP/1.1 200 OK\r\nX-Id: " + b"x" * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED)
def test_where_only_the_status_can_be_read_it_counts(body: str) -> None:
    found = answer_of(MALFORMED[body])

    assert found.status == 200
    assert read("pisano", found).verdict is Verdict.ACCEPTED
    assert read("customer_radar", found).verdict is Verdict.IN_DOUBT


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 20",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 What\r\n\r\n",
    ],
)
def test_what_is_cut_short_or_no_http_is_in_doubt(reply: bytes) -> None:
    async def run() -> Exchange:
        async with Keeping([reply]) as server:
            server.close_after_reply = True
            client = VendorClient(f"http://{HOST}:{server.port}", 5.0, lambda: 0.0, tls=NO_TLS)
            return await client.exchange(CALL, fresh_until=1.0)

    exchange = asyncio.run(run())

    assert exchange == Exchange(0.0, 0.0, None, "reset")


ZEROS = bytes(64 * 1024 * 1024)
BOMBS: Mapping[str, tuple[bytes, bytes]] = {
    "gzip": (b"gzip", gzip.compress(ZEROS)),
    "x-gzip": (b"X-GZIP", gzip.compress(ZEROS)),
    "deflate": (b"deflate", zlib.compress(ZEROS)),
    "raw deflate": (b"deflate", zlib.compressobj(wbits=-15).compress(ZEROS)),
    "gzip twice": (b"gzip, gzip", gzip.compress(gzip.compress(ZEROS))),
    "gzip ten times": (b", ".join([b"gzip"] * 10), gzip.compress(gzip.compress(ZEROS))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_packed_answer_costs_no_more_than_the_bodys_limit(bomb: str) -> None:
    coding, packed = BOMBS[bomb]
    reply = sized(packed, b"400 Bad Request", b"Content-Encoding: %s\r\n" % coding)
    tracemalloc.start()
    try:
        found = answer_of(reply)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(found.body) <= BODY_LIMIT
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (b"gzip", gzip.compress(ACCEPTS, mtime=0)),
        (b"deflate", zlib.compress(ACCEPTS)),
        (b"identity", ACCEPTS),
        (b"identity, gzip", gzip.compress(ACCEPTS, mtime=0)),
        (b"", ACCEPTS),
    ],
)
def test_an_answer_that_is_packed_all_the_same_is_read(coding: bytes, packed: bytes) -> None:
    headers = JSON + b"Content-Encoding: %s\r\n" % coding

    found, requests = exchanges([sized(packed, headers=headers)])

    assert found[0].answer is not None
    assert found[0].answer.body == ACCEPTS
    assert b"\r\nAccept-Encoding: identity\r\n" in requests[0][1]


def test_what_cannot_be_unpacked_counts_by_its_status_unless_it_is_a_success() -> None:
    headers = JSON + b"Content-Encoding: br\r\n"

    found, _ = exchanges([sized(b"?", b"401 No", headers), sized(b"?", headers=headers)])

    assert [each.answer and each.answer.status for each in found] == [401, None]
    assert found[1].failure == "reset"


def test_a_modules_own_headers_stand_before_ours() -> None:
    call = replace(CALL, headers={"accept": "application/json", "user-agent": "we"})

    async def run() -> bytes:
        async with Keeping([OK]) as server:
            client = VendorClient(f"http://{HOST}:{server.port}", 5.0, lambda: 0.0, tls=NO_TLS)
            await client.exchange(call, fresh_until=1.0)
            return server.requests[0][1]

    head = asyncio.run(run()).lower()

    assert head.count(b"\r\naccept: application/json\r\n") == 1
    assert head.count(b"user-agent: we\r\n") == 1
    assert b"*/*" not in head
