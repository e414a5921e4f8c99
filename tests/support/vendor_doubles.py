"""Doubles of vendors that a config describes (`http_batch`), strict by their public API pages.

Each knows one account, takes what the pages say, refuses everything else, and keeps what it took.
Plain HTTP/1.1 on this machine, a thread for each server.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+")


@dataclass(frozen=True)
class Request:
    """A request, whose header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body's JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Reply = tuple[int, Any]
"""Status and the JSON of the answer."""


@dataclass
class VendorDouble:
    """What a double has seen: `taken` customers, `refused` requests, all `requests`, `logins`."""

    requests: list[Request] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    logins: int = 0
    faults: list[Callable[[Request], Reply | None]] = field(default_factory=list)
    """Answers of the next requests, one each; None: the double's own."""
    lock: Lock = field(default_factory=Lock)

    def receive(self, request: Request) -> Reply:
        """Answer a request; one at a time."""
        with self.lock:
            self.requests.append(request)
            fault = self.faults.pop(0)(request) if self.faults else None
            return self.answer(request) if fault is None else fault

    def answer(self, request: Request) -> Reply:
        """What the vendor's pages say."""
        raise NotImplementedError


@dataclass
class DelightedDouble(VendorDouble):
    """POST /v1/people.json: one person, as JSON or as a form; the key is Basic's user.

    Page: delighted.com/docs/api, "Introduction" and "Sending to people".
    """

    key: str = "delighted-key"

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != _basic(f"{self.key}:"):
            return 401, {"status": 401, "message": "Unauthorized"}
        if (request.method, request.path) != ("POST", "/v1/people.json"):
            return 404, {"status": 404, "message": "Not Found"}
        person = self._person(request)
        if person is None or not person.keys() <= {"email", "phone_number", "name", "properties"}:
            return 406, {"status": 406, "message": "Not Acceptable"}
        if not EMAIL.fullmatch(person.get("email", "")):
            return 422, {
                "status": 422,
                "message": "Unprocessable Entity",
                "errors": {"email": ["is invalid"]},
            }
        self.taken.append(person)
        shown = {"survey_scheduled_at": 1580068364, "id": str(len(self.taken))}
        return 201, person | shown

    @staticmethod
    def _person(request: Request) -> dict[str, Any] | None:
        media = request.headers.get("content-type")
        if media != FORM:
            return request.document if media == JSON else None
        person: dict[str, Any] = {}
        for name, value in parse_qsl(request.body.decode(), strict_parsing=True):
            inner = re.fullmatch(r"properties\[([^\[\]]+)\]", name)
            if inner:
                person.setdefault("properties", {})[inner[1]] = value
            else:
                person[name] = value
        return person


@dataclass
class QualtricsDouble(VendorDouble):
    """POST …/transactioncontacts: an import of contacts, each with its transaction.

    Page: api.qualtrics.com, "Create Transaction Contacts Import"; its errors are in `meta.error`.
    """

    token: str = "qualtrics-token"
    directory: str = "POOL_0a1b2c3d4e5f6g7"
    mailing_list: str = "CG_0a1b2c3d4e5f6g7"
    batch: str = "BT_0a1b2c3d4e5f6g7"
    bad: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("x-api-token") != self.token:
            return self._error(401, "AUTH_6.0", "Unrecognized X-API-TOKEN.")
        steps = f"/API/v3/directories/{self.directory}/mailinglists/{self.mailing_list}"
        if (request.method, request.path) != ("POST", f"{steps}/transactioncontacts"):
            return self._error(404, "CGC_3", "The requested resource was not found.")
        document = request.document
        if request.headers.get("content-type") != JSON or not self._fits(document):
            return self._error(400, "BRE_0.2", "Invalid request body.")
        self.taken += document["contacts"]
        return 202, {
            "result": {
                "id": f"PGRS_{len(self.requests)}",
                "contacts": {"count": len(document["contacts"])},
                "tracking": {"url": f"{request.path}/PGRS_{len(self.requests)}"},
                "status": "queued",
            },
            "meta": {"httpStatus": "202 - Accepted", "requestId": "r-1"},
        }

    def _fits(self, document: Any) -> bool:
        if not isinstance(document, dict) or document.keys() != {"transactionMeta", "contacts"}:
            return False
        meta, contacts = document["transactionMeta"], document["contacts"]
        known = {"email", "phone", "firstName", "extRef", "transactionData"}
        return (
            meta == {"batchId": self.batch, "fields": ["store", "order"]}
            and bool(contacts)
            and all(
                one.keys() <= known
                and EMAIL.fullmatch(one.get("email", "a@a.aa"))
                and one.get("email") not in self.bad
                and one.get("transactionData", {}).keys() <= set(meta["fields"])
                for one in contacts
            )
        )

    @staticmethod
    def _error(status: int, code: str, message: str) -> Reply:
        error = {"errorCode": code, "errorMessage": message}
        return status, {"meta": {"httpStatus": str(status), "requestId": "r-1", "error": error}}


@dataclass
class MedalliaDouble(VendorDouble):
    """POST /inbound/v1/{feed}: records, each taken or refused by itself, behind OAuth's tokens.

    Pages: docs.medallia.com, "Authenticate APIs with OAuth"; developer.medallia.com, "Import Data".
    A feed's own answers are not public: here a 207 lists the records that were refused.
    """

    client: str = "survey-dispatcher:medallia-secret"
    feed: str = "stay_invitation"
    units: tuple[str, ...] = ("u1", "u2")
    token: str = ""
    lifetime: int = 3600

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/tenant/token":
            return self._log_in(request)
        if not self.token or request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": "invalid_token"}
        if (request.method, request.path) != ("POST", f"/inbound/v1/{self.feed}"):
            return 404, {"errorCode": "NO_SUCH_FEED"}
        records = request.document
        if request.headers.get("content-type") != JSON or not isinstance(records, list):
            return 422, {"errorCode": "NOT_A_LIST"}
        errors = [
            {"transaction_id": record.get("transaction_id"), "errorCode": code}
            for record in records
            if (code := self._refusal(record))
        ]
        refused = {error["transaction_id"] for error in errors}
        self.taken += [one for one in records if one.get("transaction_id") not in refused]
        answer = {"id": f"feed-{len(self.requests)}", "errors": errors}
        return (207 if errors else 200), answer

    def _log_in(self, request: Request) -> Reply:
        known = request.headers.get("authorization") == _basic(self.client)
        asked = dict(parse_qsl(request.body.decode()))
        if not known or asked != {"grant_type": "client_credentials"}:
            return 401, {"error": "invalid_client"}
        self.logins += 1
        self.token = f"token-{self.logins}"
        return 200, {
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
        }

    def _refusal(self, record: dict[str, Any]) -> str | None:
        known = {"transaction_id", "email_address", "first_name", "unit_id"}
        if not record.keys() <= known or not record.get("transaction_id"):
            return "UNKNOWN_FIELD"
        if record["email_address"].endswith("@bounces.com"):
            return "INVALID_EMAIL"
        return None if record.get("unit_id") in self.units else "UNKNOWN_UNIT"


def _basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@contextmanager
def serving(double: VendorDouble) -> Iterator[str]:
    """Serve a double; yields its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = double.receive(Request(self.command, self.path, headers, body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the names of the base class

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
