"""Names and places that an operator gives: what is not there is said, with what was meant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from consumer.errors import OperationError
from consumer.operations.resend.selection import Choice, Search
from consumer.operations.status.status import read_process, url_of
from consumer.records.result import Reason
from tests.support.lanes import NOW, campaign, invitation, result_of

UNKNOWN = frozenset({"unknown"})


@pytest.mark.parametrize(
    "given",
    [
        "localhost:9464",
        "http://localhost:9464",
        "http://localhost:9464/",
        " localhost:9464 ",
        "localhost:9464/status.json",
        "http://localhost:9464/status.json",
    ],
)
def test_a_process_is_named_by_host_and_port_or_url(given: str) -> None:
    assert url_of(given) == "http://localhost:9464/status.json"


@pytest.mark.parametrize("given", ["", "http://", "ftp://host:1", "http://host:port", "file:///x"])
def test_what_names_no_process_is_refused(given: str) -> None:
    with pytest.raises(OperationError, match="--url takes http://host:port or host:port"):
        url_of(given)


@pytest.mark.parametrize(
    ("status", "kind", "body", "words"),
    [
        (404, "text/html", b"<h1>no</h1>", "answered HTTP 404"),
        (200, "text/html; charset=utf-8", b"<h1>hello</h1>", "answered text/html"),
        (200, "application/json", b"{}", "no status of this version"),
        (200, "application/json", b"<h1>", "no status of this version"),
    ],
)
def test_what_answers_and_is_no_dispatcher_is_told(
    status: int, kind: str, body: bytes, words: str
) -> None:
    for url in served(status, kind, body):
        with pytest.raises(OperationError, match=words) as refused:
            read_process(url)
        assert url in str(refused.value)
        assert "hello" not in str(refused.value)


def test_another_protocol_is_told() -> None:
    for url in served(200, "application/json", b"{}"):
        with pytest.raises(OperationError, match=r"another protocol \(http or https\?\)"):
            read_process(f"https://{url}")


def served(status: int, kind: str, body: bytes) -> Iterator[str]:
    """Host and port of a server that gives this answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            Choice(UNKNOWN, campaigns=frozenset({"purchase-smss"})),
            (
                "there is no campaign 'purchase-smss' in the config, and no result of one "
                "(did you mean 'purchase-sms'?)"
            ),
        ),
        (
            Choice(UNKNOWN, routes=frozenset({"nope"})),
            "there is no route 'nope' in the config, and no result of one",
        ),
        (
            Choice(UNKNOWN, ids=frozenset({"nope"})),
            "there is no result of the invitation 'nope'",
        ),
    ],
)
def test_a_name_that_neither_config_nor_results_have_is_told(choice: Choice, words: str) -> None:
    """`resend --campaign nope` found nothing to send again, and ended well."""
    found = Search(choice)
    old = invitation(7, "p7", "a")
    found.result(result_of(old, Reason.OWNER_LOST, campaign("a"), 1), NOW)
    assert found.unknown(["purchase-sms"], ["store"]) == [words]


def test_a_name_that_left_the_config_is_known_by_its_results() -> None:
    """Of whatever status: the status may be what was asked wrongly."""
    old = invitation(7, "p7", "a")
    result = result_of(old, Reason.ACCEPTED, campaign("a"), 1)
    choice = Choice(
        UNKNOWN,
        campaigns=frozenset({"a", "b"}),
        routes=frozenset({old["route"]}),
        ids=frozenset({old["id"]}),
    )
    found = Search(choice)
    found.result(result, NOW)
    assert found.unknown(["b"], []) == []
