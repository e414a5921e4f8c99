"""Pisano's three sharing endpoints and that of its links (`pisano_links.py`): what the published
pages require; everything else is refused.

If the pages are silent the strict reading is taken: keys, types and recipients that they do not
describe are refused, and a refused call invites no recipient. The order of the checks is fixed:
path, credentials, content type, JSON, campaign, recipients, attributes and responses.

The pages show paths with and without a slash at their end: the account defines which form is known.
A path with an unwanted slash answers 301: a client that follows redirects turns its POST into a GET
and gets a 404, which shows that it must not. A path without a wanted slash is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import quote

import orjson

from consumer.sandbox.pisano_links import check_link, link_body, link_recipients
from consumer.sandbox.settings import PisanoChannel, SandboxSettings
from consumer.sandbox.wire import Received, RefusalError, Reply, is_email, is_json, json_object

_ENDPOINTS: dict[tuple[str, str], PisanoChannel] = {
    ("sms_campaigns", "sms_sharings"): "sms",
    ("email_campaigns", "email_sharings"): "email",
    ("push_notification_campaigns", "push_notification_sharings"): "push",
}
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")

_BAD_REQUEST = "bad_request"
CODES: dict[str, tuple[int, str, str]] = {
    "13000": (400, _BAD_REQUEST, "An error occured"),
    "13001": (401, "unauthorized", "Wrong authentication token"),
    "13002": (404, "not_found", "Requested resource not found!"),
    "13005": (404, "not_found", "This node, nor any of their parent has any flow"),
    "13007": (403, "forbidden", "It's not allowed to update Pisano node"),
    "13010": (404, "not_found", "User not found"),
    "13011": (401, "unauthorized", "User is inactive"),
    "13013": (403, "forbidden", "Permission denied"),
    "13015": (400, _BAD_REQUEST, "Required field not present in params!"),
    "13016": (404, "not_found", "Token not found"),
    "13017": (400, _BAD_REQUEST, "Duplicate value"),
    "13024": (400, _BAD_REQUEST, "Multiple responses given for a non-multiple choice question"),
    "13028": (400, _BAD_REQUEST, "Invalid parameters"),
    "13030": (400, _BAD_REQUEST, "Invalid authentication token"),
    "13032": (409, "conflict", "Wrong credentials"),
    "13033": (400, _BAD_REQUEST, "Invalid SDK credentials"),
    "13034": (400, _BAD_REQUEST, "Invalid Flow"),
    "13035": (404, "not_found", "Node not found"),
    "13036": (403, "forbidden", "Account locked"),
    "13038": (400, _BAD_REQUEST, "Required customer identitiy keys not present in params!"),
}
"""Code → HTTP status, status word, message, as the pages print them (spelling included)."""

SUCCESS = orjson.dumps({"status": "ok"})


def error(code: str) -> tuple[int, bytes]:
    """Return HTTP status and body of a coded refusal; a code outside the pages' list is a 400."""
    status, word, message = CODES.get(code, (400, _BAD_REQUEST, "An error occured"))
    return status, orjson.dumps({"status": word, "code": int(code), "message": message})


@dataclass(frozen=True, slots=True)
class _Target:
    """A sharing endpoint: the campaign that the path names, and its channel."""

    channel: PisanoChannel
    campaign: str

    @property
    def array(self) -> str:
        return "emails" if self.channel == "email" else "phone_numbers"

    @property
    def maps(self) -> tuple[str, ...]:
        email = ("transactional_data",) if self.channel == "email" else ()
        return ("custom_attributes", "built_in_responses", *email)


class Pisano:
    """The account's side of a sharing call. Stateless: the journal records accepted calls."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.reconfigure(settings)

    def reconfigure(self, settings: SandboxSettings) -> None:
        """Take the settings of another account."""
        self._authorization = settings.pisano_authorization.replace(
            "{token}", settings.pisano_token
        )
        self._channels = {campaign.id: campaign.channel for campaign in settings.campaigns}
        self._quotas = {campaign.id: campaign.quota for campaign in settings.campaigns}
        self._accounts: dict[str, set[str]] = {}
        self._slashes: dict[str, bool] = {}
        for campaign in settings.campaigns:
            own = campaign.authorization
            header = self._authorization if own is None else own
            self._accounts.setdefault(campaign.id, set()).add(header)
            if campaign.trailing_slash is not None:
                self._slashes[campaign.id] = campaign.trailing_slash
        self._known = {self._authorization}.union(*self._accounts.values())
        self._slash = settings.pisano_trailing_slash
        self._most = settings.max_customers
        self._bad = settings.bad_recipients

    def quota_of(self, request: Received) -> str | None:
        """Return the quota of the campaign that a path names, if it has one of its own."""
        target = _parse_target(request.path.removesuffix("/"))
        return self._quotas.get(target.campaign) if target else None

    def answer(self, request: Received) -> Reply:
        """Answer one request, whatever it contains; never raises."""
        target, slash = _parse_target(request.path.removesuffix("/")), request.path.endswith("/")
        ends = self._slashes.get(target.campaign, self._slash) if target else self._slash
        if target and slash and not ends:
            return Reply(301, b"", headers={"location": quote(request.path.removesuffix("/"))})
        document = json_object(request.body)
        recipients = _named_recipients(document, target) if target and document is not None else ()
        campaign = target.campaign if target and target.campaign in self._channels else None
        try:
            self._check_call(request, target if slash == ends else None, document)
        except RefusalError as refused:
            status, body = error(refused.reason)
            return Reply(status, body, refused.reason, campaign, recipients)
        link = target is not None and target.channel == "generated_link"
        made = link_body(request.body) if link else SUCCESS
        return Reply(200, made, None, campaign, recipients, accepted=True)

    def _check_call(
        self, request: Received, target: _Target | None, document: dict[str, Any] | None
    ) -> None:
        if target is None or request.method != "POST":
            raise RefusalError("13002")
        accounts = self._accounts.get(target.campaign, self._known)
        if request.headers.get("authorization") not in accounts:
            raise RefusalError("13001")
        if not is_json(request.headers.get("content-type", "")) or document is None:
            raise RefusalError("13028")
        if self._channels.get(target.campaign) != target.channel:
            raise RefusalError("13002")
        if target.channel == "generated_link":
            check_link(document)
            recipients = set(link_recipients(document))
        else:
            recipients = self._recipients(document, target)
            _check_maps(document, target, recipients)
        if not self._bad.isdisjoint(recipients):
            raise RefusalError("13028")

    def _recipients(self, document: dict[str, Any], target: _Target) -> set[str]:
        """Return the array of recipients, checked."""
        listed = document.get(target.array)
        if listed is None:
            raise RefusalError("13015")
        if not isinstance(listed, list) or not 0 < len(listed) <= self._most:
            raise RefusalError("13028")
        if not _all_are(str, listed):
            raise RefusalError("13028")
        distinct = set(listed)
        if len(distinct) < len(listed):
            raise RefusalError("13017")
        well_formed = is_email if target.channel == "email" else _PHONE.fullmatch
        if not all(map(well_formed, listed)):
            raise RefusalError("13028")
        return distinct


def _parse_target(path: str) -> _Target | None:
    """Return what a path (without a slash at its end) names, or None if it is no endpoint."""
    match path.split("/"):
        case ["", "v1", group, campaign, sharing] if channel := _ENDPOINTS.get((group, sharing)):
            return _Target(channel, campaign)
        case ["", "external", "v1", "link_sharings", campaign, "generate_link"]:
            return _Target("generated_link", campaign)
    return None


def _named_recipients(document: dict[str, Any], target: _Target) -> tuple[str, ...]:
    """Return the request's readable recipients, for the journal, also of refused calls."""
    if target.channel == "generated_link":
        return link_recipients(document)
    listed = document.get(target.array)
    if not isinstance(listed, list):
        return ()
    return tuple(listed if _all_are(str, listed) else (r for r in listed if isinstance(r, str)))


def _check_maps(document: dict[str, Any], target: _Target, recipients: set[str]) -> None:
    """Check attributes and responses: recipient of this call → name → text, and no other keys."""
    if not document.keys() <= {target.array, *target.maps}:
        raise RefusalError("13028")
    if {"built_in_responses", "transactional_data"} <= document.keys():
        raise RefusalError("13028")
    for name in target.maps:
        by_recipient = document.get(name, {})
        if not isinstance(by_recipient, dict) or not by_recipient.keys() <= recipients:
            raise RefusalError("13028")
        if not _all_are(dict, by_recipient.values()):
            raise RefusalError("13028")
        texts = chain.from_iterable(map(dict.values, by_recipient.values()))
        if not _all_are(str, texts):
            raise RefusalError("13028")


def _all_are(kind: type, values: Iterable[object]) -> bool:
    """Tell whether all values are exactly of this kind; a set is much faster than a loop."""
    return set(map(type, values)) <= {kind}
