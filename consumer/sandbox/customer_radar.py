"""Customer Radar's login and invitation endpoints, after the published page.

A session's token is valid for `token_ttl` seconds and is sent bare in `Authorization`. The page
promises 400 for whatever is missing or wrong; its error texts are not reproduced to the letter.
What the page does not describe (other keys, other types) is refused. It names no largest number of
entries, and does not forbid one customer twice, so neither is refused.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import orjson

from consumer.sandbox.settings import RadarProgramme, SandboxSettings
from consumer.sandbox.wire import Received, RefusalError, Reply, is_email, is_json, json_object

_MOBILE = re.compile(r"\+?[0-9]{6,15}")
_TEXTS = ("email", "mobile", "firstName", "lastName", "locationDisplayId", "pomDisplayId")
_ENTRY_KEYS = frozenset({*_TEXTS, "metadata"})
_FIRST_DATA = 10**17  # the smallest number of 18 digits


class Radar:
    """The client's account: its open sessions and the number of accepted calls."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._tokens: dict[str, float] = {}
        self._sent = 0
        self._credentials: dict[str, str] = {}
        self.reconfigure(settings)

    def reconfigure(self, settings: SandboxSettings) -> None:
        """Take the settings of another account; sessions end if users or passwords changed."""
        own = {settings.radar_username: settings.radar_password}
        credentials = settings.radar_users | own
        if credentials != self._credentials:
            self._tokens = {}
        self._settings, self._credentials = settings, credentials
        self._programmes = {programme.id: programme for programme in settings.radar_programmes}
        self._quotas = {each.id: each.quota for each in settings.radar_programmes if each.quota}

    def quota_of(self, request: Received) -> str | None:
        """Return the quota of the programme or the user that a body names, if it has its own."""
        by_user = self._settings.radar_user_quotas
        if not (self._quotas or by_user):
            return None  # a large body is not read twice in vain
        document = json_object(request.body) or {}
        programme, user = document.get("programmeDisplayId"), document.get("username")
        found = self._quotas.get(programme) if isinstance(programme, str) else None
        return found or (by_user.get(user) if isinstance(user, str) else None)

    def answer(self, request: Received) -> Reply:
        """Answer one request, whatever it contains; never raises."""
        document = json_object(request.body)
        entries = _entries(document)
        recipients = tuple(filter(None, map(_address, entries)))
        programme = (document or {}).get("programmeDisplayId")
        campaign = (
            programme if isinstance(programme, str) and programme in self._programmes else None
        )
        try:
            if request.method != "POST" or request.path not in {"/auth/login", "/invitation"}:
                raise RefusalError("Not Found", 404)  # noqa: TRY301 - one place makes the refusals
            if request.path == "/auth/login":
                return self._answer_login(request, document)
            self._check_call(request, document)
        except RefusalError as refused:
            status, body = error(refused.reason, refused.status)
            return Reply(status, body, f"{status}00", campaign, recipients)
        self._sent += 1
        body = success(_FIRST_DATA + self._sent)
        return Reply(200, body, "00000", campaign, recipients, accepted=True)

    def _answer_login(self, request: Received, document: dict[str, Any] | None) -> Reply:
        if not is_json(request.headers.get("content-type", "")) or document is None:
            raise RefusalError("The body must be a JSON object.")
        if document.keys() != {"username", "password"}:
            raise RefusalError("Exactly username and password are needed.")
        user, password = document["username"], document["password"]
        texts = isinstance(user, str) and isinstance(password, str)
        if not texts or password != self._credentials.get(user):
            raise RefusalError("Wrong username or password.", 401)
        token = secrets.token_urlsafe(48)
        expiration = request.at + self._settings.token_ttl
        live = {known: until for known, until in self._tokens.items() if until > request.at}
        self._tokens = {**live, token: expiration}
        body = {"token": token, "expiration": expiration, "userName": user}
        return Reply(200, orjson.dumps(body))

    def _check_call(self, request: Received, document: dict[str, Any] | None) -> None:
        token = request.headers.get("authorization", "")
        if self._tokens.get(token, 0.0) <= request.at:
            raise RefusalError("The token is unknown or has expired.", 401)
        if not is_json(request.headers.get("content-type", "")) or document is None:
            raise RefusalError("The body must be a JSON object.")
        if document.keys() != {"clientDisplayId", "programmeDisplayId", "sendData"}:
            raise RefusalError(
                "Exactly clientDisplayId, programmeDisplayId and sendData are needed."
            )
        wanted, given = document["programmeDisplayId"], document["sendData"]
        programme = self._programmes.get(wanted) if isinstance(wanted, str) else None
        client = (programme and programme.client) or self._settings.radar_client
        if programme is None or document["clientDisplayId"] != client:
            raise RefusalError("No Feedback code found for this client or programme.")
        if not isinstance(given, list) or not given:
            raise RefusalError("sendData must be an array with at least one entry.")
        for entry in given:
            _check_entry(entry, programme)
            if not self._settings.bad_recipients.isdisjoint(_addresses(entry)):
                raise RefusalError("An entry cannot be sent.")


def error(description: str, status: int = 400, code: str = "") -> tuple[int, bytes]:
    """Return status and body of a refusal; the page prints no codes, so 400 becomes `40000`."""
    return status, orjson.dumps({"code": code or f"{status}00", "description": description})


def success(number: int) -> bytes:
    """Return the body of an accepted call; `number` has 18 digits."""
    return orjson.dumps({"code": "00000", "description": "success", "data": f"{number:018d}"})


def _entries(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    given = (document or {}).get("sendData")
    return [e for e in given if isinstance(e, dict)] if isinstance(given, list) else []


def _addresses(entry: dict[str, Any]) -> list[str]:
    """List an entry's addresses, mobile first."""
    return [entry[kind] for kind in ("mobile", "email") if isinstance(entry.get(kind), str)]


def _address(entry: dict[str, Any]) -> str:
    """Return the address that represents the entry in the journal; "" if it has none."""
    return next(iter(_addresses(entry)), "")


def _check_entry(entry: object, programme: RadarProgramme) -> None:
    if not isinstance(entry, dict) or not entry.keys() <= _ENTRY_KEYS:
        raise RefusalError("An entry is no object, or has keys that are not known.")
    if not all(isinstance(entry[key], str) and entry[key] for key in _TEXTS if key in entry):
        raise RefusalError("The values of an entry must be texts that are not empty.")
    _check_reach(entry, programme)
    _check_place(entry, programme)
    metadata = entry.get("metadata", [])
    if not isinstance(metadata, list) or not all(map(_is_pair, metadata)):
        raise RefusalError("metadata must be an array of objects with the texts key and value.")


def _check_reach(entry: dict[str, Any], programme: RadarProgramme) -> None:
    if "email" not in entry and "mobile" not in entry:
        raise RefusalError("An entry needs email or mobile.")
    if "email" in entry and not is_email(entry["email"]):
        raise RefusalError("An email is not well formed.")
    if "mobile" in entry and not _MOBILE.fullmatch(entry["mobile"]):
        raise RefusalError("A mobile is not well formed.")
    if "mobile" not in entry and not programme.postmark:
        raise RefusalError("To send an email invitation, the programme must set Postmark ID first.")


def _check_place(entry: dict[str, Any], programme: RadarProgramme) -> None:
    """Check that the location is the programme's, and that one of several points is named."""
    location, pom = entry.get("locationDisplayId"), entry.get("pomDisplayId")
    if location is None:
        raise RefusalError("An entry needs locationDisplayId.")
    if programme.any_location and location not in programme.locations:
        return
    poms = programme.locations.get(location)
    if poms is None or (pom is not None and pom not in poms):
        raise RefusalError("No Feedback code found for this location or point of measure.")
    if pom is None and len(poms) > 1:
        raise RefusalError("The location has several points of measure: pomDisplayId is needed.")


def _is_pair(pair: object) -> bool:
    return (
        isinstance(pair, dict)
        and pair.keys() == {"key", "value"}
        and all(isinstance(text, str) for text in pair.values())
    )
