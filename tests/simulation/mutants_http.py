"""Planted defects below and beside the exchange: bytes of answers, and answers that accept in part.

Each is a rule of `VendorClient` or `HttpBatch` taken out (docs/decisions/0009, vendor-answers.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import httpx

from consumer.http import client
from consumer.http.client import HEADERS, Trace, VendorClient
from consumer.records.call import Answer, Call
from consumer.vendors.http_batch.http_batch import HttpBatch
from tests.simulation.planting import defect, rewritten

_CALL = "await self._transport.handle_async_request(request)"


@defect
def answers_share_a_connection() -> Iterator[None]:
    """Connections are kept: what a vendor wrote behind an answer settles the next call."""
    kept = {name: text for name, text in HEADERS.items() if name != "Connection"}
    limits = ("max_keepalive_connections=0", "max_keepalive_connections=9")
    with rewritten(client, "_transport", limits), patch.object(client, "HEADERS", kept):
        yield


@defect
def one_bad_line_loses_the_answer() -> Iterator[None]:
    """An answer with a line that is no header is no answer, whatever its status line says."""
    with patch.object(client, "LenientBackend", lambda backend: backend):
        yield


@defect
def packed_answer_is_not_unpacked() -> Iterator[None]:
    """A vendor that was asked for identity is believed to send it."""
    with patch.object(client, "unpacked", lambda body, _coding: body):
        yield


@defect
def redirects_are_followed() -> Iterator[None]:
    """A call that is redirected is made once more."""
    again = f"{_CALL}\n    if response.is_redirect:\n        response = {_CALL}"
    with rewritten(VendorClient, "_request", (_CALL, again)):
        yield


@defect
def cookies_are_sent_back() -> Iterator[None]:
    """What a vendor sets is carried by the next call (R13)."""
    jar = httpx.Cookies()
    request = VendorClient._request

    async def with_cookies(client: VendorClient, call: Call, trace: Trace) -> Answer:
        cookie = {"Cookie": "; ".join(f"{name}={text}" for name, text in jar.items())}
        carried = Call(call.method, call.path, {**call.headers, **cookie}, call.body)
        answer = await request(client, carried if jar else call, trace)
        for each in answer.headers.get("set-cookie", "").split(", "):
            name, _, text = each.partition("=")
            if text:
                jar.set(name, text)
        return answer

    with patch.object(VendorClient, "_request", with_cookies):
        yield


@defect
def partly_accepted_is_divided() -> Iterator[None]:
    """A 2xx with a failure's code is a refusal: the call is divided and made again (case 5)."""
    with rewritten(HttpBatch, "_success", (" if told else PARTLY", "")):
        yield


@defect
def partly_accepted_is_accepted() -> Iterator[None]:
    """A 2xx has invited all of its customers, whatever its code says."""
    with rewritten(HttpBatch, "_success", ("else PARTLY", "else row_of_status(answer.status)")):
        yield
