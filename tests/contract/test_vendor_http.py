"""What each vendor's module makes of answers that are no plain answers, over real connections.

The cases are the rows of the page's last table (consumer/docgen/wire_answers.yaml).
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from consumer.clock import Clock
from consumer.config.sections import Campaign
from consumer.docgen.vendor_answers_page import WIRE
from consumer.http.calls import Account, Answered, Calls
from consumer.http.client import BODY_LIMIT, VendorClient
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Token, Verdict
from consumer.vendors.registry import VENDORS
from tests.contract.vendor_rows import PHONES, ROWS, Row, invitation
from tests.support.kafka import free_ports
from tests.support.wire import HOST, Ending, Server

NOW = 1_000.0
CLOCK = Clock(lambda: NOW, lambda: 0.0)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""To read all public authorities takes longer than a case."""


def answer(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


class Case(NamedTuple):
    """What the server says; `{accepts}` is the vendor's own body for a success."""

    reply: bytes
    ending: Ending = "close"


JSON = b"Content-Type: application/json"
CASES: Mapping[str, Case] = {
    "timeout": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", "hang"),
    "reset": Case(b"", "reset"),
    "truncated": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{accepts}"),
    "garbage": Case(b"\x15\x03\x03\x00\x02\x02\x28 what is this?\r\n\r\n"),
    "bad_head": Case(
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked, chunked\r\nX Y: z\r\n\r\n{chunked}"
    ),
    "bad_body": Case(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{accepts}\r\n"),
    "trailing": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}\r\nHTTP/1.1 500 No\r\n\r\n"
    ),
    "bad_gzip": Case(answer(b"no gzip", b"200 OK", b"Content-Encoding: gzip")),
    "redirect": Case(answer(b"", b"307 Temporary Redirect", b"Location: /elsewhere")),
    "see_other": Case(answer(b"", b"303 See Other", b"Location: /elsewhere")),
    "http_1_0": Case(b"HTTP/1.0 200 OK\r\n\r\n{accepts}"),
    "wrong_type": Case(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{accepts}"),
    "gzip": Case(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n{gzip}"),
    "not_json": Case(answer(b"<html>Please sign in</html>", b"200 OK", JSON)),
    "no_body": Case(answer(b"")),
    "plain_text": Case(answer(b"OK", b"200 OK", b"Content-Type: text/plain")),
    "gateways_404": Case(answer(b"no such path", b"404 Not Found", b"Content-Type: text/plain")),
    "huge": Case(answer(b'{"code":"00000","x":"' + b"x" * 4 * BODY_LIMIT + b'"}')),
    "failing_200": Case(answer(b'{"code":"13028","description":"No such thing"}')),
}
ELSEWHERE = {"no_connection", "our_certificate"}
"""Rows without an answer: below, and in test_vendor_tls.py."""


ACCEPTS = {"accepted", "read as", "unpacked", "as any answer", "left unread"}
STATUS = {"timeout": "timeout", "redirect": "307", "see_other": "303", "gateways_404": "404"}
CUT = {"reset", "truncated", "garbage", "bad_gzip"}


def expected(name: str, vendor: str) -> tuple[Verdict, str]:
    """What the page says, as a verdict, and the call's label: its status, or how it failed."""
    said = WIRE[name]
    text = dict(zip(("pisano", "customer_radar", "http_batch"), said[1:], strict=True))[vendor]
    label = STATUS.get(name, "reset" if name in CUT else "200")
    if text.startswith("in doubt"):
        return Verdict.IN_DOUBT, label
    if label in {"307", "404"}:
        return Verdict.RETRY, label
    assert text.startswith(tuple(ACCEPTS))
    return Verdict.ACCEPTED, label


async def sent(row: Row, base_url: str, patience: float = 5.0) -> Answered:
    """A batch of the row's customers, sent as a lane sends it."""
    client = VendorClient(base_url, patience, lambda: NOW, tls=NO_TLS)
    account = Account(row.vendor(base_url), client, Token("token", NOW + 60))
    campaign = Campaign(vendor="v", channel=row.campaign.channel, id=row.campaign.id)
    calls = Calls({"v": account}, {"c": campaign}, asyncio.get_running_loop(), CLOCK)
    held = [
        PendingInvitation.of(n, invitation(phone, row.data), NOW) for n, phone in enumerate(PHONES)
    ]
    rules = LaneCampaign("c", "v", row.campaign.channel)
    inbox = calls.inbox()
    await asyncio.wrap_future(calls.send(Batch("b", "c", held, NOW, SealReason.FULL, rules), inbox))
    await client.close()
    answered = inbox.get(block=False)
    assert isinstance(answered, Answered)
    return answered


def tried(row: Row, case: Case) -> tuple[Answered, list[bytes]]:
    """The call made once against a server that says so."""
    reply = case.reply.replace(b"{accepts}", row.accepts)
    reply = reply.replace(b"{gzip}", gzip.compress(row.accepts))
    reply = reply.replace(b"{chunked}", b"%x\r\n%s\r\n0\r\n\r\n" % (len(row.accepts), row.accepts))

    async def run() -> tuple[Answered, list[bytes]]:
        async with Server(reply, case.ending) as server:
            patience = 0.2 if case.ending == "hang" else 5.0
            base_url = f"http://{HOST}:{server.port}/prefix"
            return await sent(row, base_url, patience), server.requests

    return asyncio.run(run())


def test_every_row_of_the_page_is_tried_with_every_vendor() -> None:
    assert set(CASES) | ELSEWHERE == set(WIRE)
    assert set(ROWS) == set(VENDORS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("vendor", ROWS)
def test_an_answer_becomes_what_the_page_says(vendor: str, name: str) -> None:
    answered, requests = tried(ROWS[vendor], CASES[name])

    assert (answered.outcome.verdict, answered.label) == expected(name, vendor)
    assert answered.sent_at == NOW
    assert len(requests) == 1  # nothing is repeated, and no redirect followed
    assert requests[0].startswith(b"POST /prefix/")


@pytest.mark.parametrize("vendor", ROWS)
def test_without_a_connection_nothing_was_sent(vendor: str) -> None:
    (port,) = free_ports(1)

    answered = asyncio.run(sent(ROWS[vendor], f"http://{HOST}:{port}"))

    assert (answered.label, answered.sent_at) == ("connect_error", None)
    assert (answered.outcome.verdict, answered.outcome.counts) == (Verdict.RETRY, False)
