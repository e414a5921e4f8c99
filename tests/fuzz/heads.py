"""Made-up heads of answers: what the client makes of them is read by h11, or is none at all."""

from __future__ import annotations

import random
import re
from typing import Final

import h11

from consumer.http.answer_head import repaired

LINES: Final = (
    b"Content-Type: application/json",
    b"Content-Length: 2",
    b"Content-Length: 2, 2",
    b"Content-Length: -1",
    b"content-length: 99999999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"transfer-encoding: gzip, chunked",
    b"Connection: upgrade",
    b"X Y: z",
    b"no colon",
    b": no name",
    b"  folded",
    b"Name : value",
    b"X: a\x00b",
    b"",
)
FIRST: Final = (b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/2  503 \xff", b"http/1.1 429 x")
_STATUS = re.compile(rb"http/\d(?:\.\d)?[ \t]+([2-9]\d\d)(?!\d)", re.IGNORECASE)


def mutated(rng: random.Random) -> bytes:
    """A head with lines of these, and bytes changed, cut or put in."""
    lines = [rng.choice(FIRST), *rng.choices(LINES, k=rng.randint(0, 6))]
    head = bytearray(rng.choice((b"\r\n", b"\n")).join(lines))
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(head))
        head[at : at + rng.randint(0, 2)] = bytes(rng.randint(0, 255) for _ in range(2))
    return bytes(head)


def check(head: bytes) -> None:
    """AssertionError where a status line was there, and h11 reads another status or none."""
    status = _STATUS.match(head)
    if status is None:
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "a.test")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(repaired(head.replace(b"\n\n", b"\n").replace(b"\n\r\n", b"\n")))
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    assert event.status_code == int(status[1])
