"""Any vendor that takes a batch of recipients by HTTP, as its account describes its calls.

Everything that the account does not describe is refused: another method or path, a header that is
missing or differs, a key that its templates lack, an address that is none, a recipient named twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import orjson

from consumer.sandbox.body_shape import Place, Places, ShapeError, compare
from consumer.sandbox.settings import BatchAccount, BatchAnswer, SandboxSettings
from consumer.sandbox.wire import Received, Reply, is_email, is_json

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_DATA = "data."
_PRIVATE = frozenset({"authorization", "cookie"})


class BatchVendors:
    """All accounts of this kind; an account is known by method and path of its calls."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._sent = 0
        self.reconfigure(settings)

    def reconfigure(self, settings: SandboxSettings) -> None:
        """Take the settings of other accounts."""
        self._bad = settings.bad_recipients
        self._accounts = [(_path_pattern(one), one) for one in settings.batch_accounts]

    def knows(self, path: str) -> bool:
        """Tell whether a path is that of some account's calls."""
        return any(pattern.fullmatch(path) for pattern, _ in self._accounts)

    def quota_of(self, request: Received) -> str | None:
        """Return the quota that a request counts against."""
        found = self._account_of(request)
        return found[0].quota if found else None

    def answer(self, request: Received) -> Reply:
        """Answer one request, whatever it contains; never raises."""
        found = self._account_of(request)
        if found is None:
            return _reply(404, None, BatchAnswer(status=404), "no such path")
        account, named = found
        campaign = named or _campaign_in(account, request)
        known = campaign if campaign in account.campaigns else None
        recipients: tuple[str, ...] = ()
        try:
            document = _checked_document(account, request)
            if known is None:
                return _reply(0, account, account.campaign_error, "no such campaign")
            recipients = _recipients(account, document, known)
        except _HeaderError as refused:
            refusal = account.credentials if refused.private else BatchAnswer(status=400)
            return _reply(0, account, refusal, str(refused), known)
        except ShapeError as refused:
            return _reply(0, account, BatchAnswer(status=400), str(refused), known)
        if not self._bad.isdisjoint(recipients):
            return _reply(0, account, account.bad_recipient, "a bad recipient", known, recipients)
        return self._accept(account, known, recipients)

    def _accept(self, account: BatchAccount, campaign: str, recipients: tuple[str, ...]) -> Reply:
        self._sent += 1
        body = _coded(account, account.success)
        _put(body, account.reference_at, f"sandbox-{self._sent}")
        status, code = account.success.status, account.success.code
        return Reply(status, orjson.dumps(body), code, campaign, recipients, accepted=True)

    def _account_of(self, request: Received) -> tuple[BatchAccount, str | None] | None:
        """Return the account of a call, and the campaign that the path names. Of accounts with one
        path the one counts whose headers the request has."""
        found = [
            (account, unquote(parts["campaign"]) if "campaign" in parts else None)
            for pattern, account in self._accounts
            if request.method == account.method and (match := pattern.fullmatch(request.path))
            for parts in [match.groupdict()]
        ]
        fitting = (each for each in found if _wrong_header(each[0], request) is None)
        return next(fitting, found[0] if found else None)


class _HeaderError(Exception):
    def __init__(self, name: str, *, private: bool) -> None:
        self.private = private
        super().__init__(f"header {name}: expected the account's own value")


def _path_pattern(account: BatchAccount) -> re.Pattern[str]:
    parts = account.path.split("{campaign}")
    named = re.escape(parts[0])
    for index, part in enumerate(parts[1:]):
        named += ("(?P<campaign>[^/]+)" if index == 0 else "(?P=campaign)") + re.escape(part)
    return re.compile(f"(?:{re.escape(account.base_path)})?{named}")


def _wrong_header(account: BatchAccount, request: Received) -> str | None:
    return next(
        (
            name
            for name, value in account.headers.items()
            if request.headers.get(name.lower()) != value
        ),
        None,
    )


def _checked_document(account: BatchAccount, request: Received) -> Any:
    wrong = _wrong_header(account, request)
    if wrong is not None:
        private = wrong.lower() in {*_PRIVATE, *map(str.lower, account.private_headers)}
        raise _HeaderError(wrong, private=private)
    described = {name.lower() for name in account.headers}
    typed = "content-type" in described or is_json(request.headers.get("content-type", ""))
    if not typed:
        raise _HeaderError("content-type", private=False)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise ShapeError("body", "JSON") from None


def _campaign_in(account: BatchAccount, request: Received) -> str | None:
    """Return the campaign that the body names; the account's first one if its calls name none."""
    try:
        document = orjson.loads(request.body)
        found = compare(account.body, document, _anything)
        listed = found.get("recipients")
        if "campaign" not in found and isinstance(listed, list) and listed:
            found = compare(account.recipient, listed[0], _anything)
    except (orjson.JSONDecodeError, ShapeError):
        found = {}
    campaign = found.get("campaign")
    if isinstance(campaign, str):
        return campaign
    return next(iter(account.campaigns), None)


def _anything(_name: str) -> Place:
    return Place(lambda _value: True, "any value", optional=True)


def _recipients(account: BatchAccount, document: Any, campaign: str) -> tuple[str, ...]:
    """Return the addresses of a call, one for each entry. Raises ShapeError."""
    found = compare(account.body, document, _places_of_call(campaign))
    entries = found["recipients"]
    places = _places_of_entry(campaign)
    addresses = []
    for index, entry in enumerate(entries):
        path = f"$recipients[{index}]"
        given = compare(account.recipient, entry, places, path)
        address = given.get("phone") or given.get("email")
        if address is None:
            raise ShapeError(path, "a phone number or an e-mail address")
        addresses.append(address)
    if len(set(addresses)) < len(addresses):
        raise ShapeError("$recipients", "each recipient once")
    return tuple(addresses)


def _places_of_call(campaign: str) -> Places:
    places = {
        "recipients": Place(lambda value: isinstance(value, list) and bool(value), "entries"),
        "campaign": Place(lambda value: value == campaign, "the campaign's id"),
    }
    return places.get


def _places_of_entry(campaign: str) -> Places:
    places = {
        "phone": Place(_is_phone, "a phone number as +905321234567", optional=True),
        "email": Place(_is_email, "an e-mail address", optional=True),
        "id": Place(lambda value: isinstance(value, str) and bool(value), "an id"),
        "campaign": Place(lambda value: value == campaign, "the campaign's id"),
    }

    def place(name: str) -> Place | None:
        return _anything(name) if name.startswith(_DATA) else places.get(name)

    return place


def _is_phone(value: Any) -> bool:
    return isinstance(value, str) and _PHONE.fullmatch(value) is not None


def _is_email(value: Any) -> bool:
    return isinstance(value, str) and is_email(value)


def _coded(account: BatchAccount | None, answer: BatchAnswer) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if account is not None and answer.code is not None:
        _put(body, account.code_at, answer.code)
    return body


def _put(body: dict[str, Any], at: Sequence[str], value: str) -> None:
    """Put a value where the path `at` leads; nowhere if it is empty."""
    if not at:
        return
    *parents, last = at
    for key in parents:
        inner = body.setdefault(key, {})
        body = inner if isinstance(inner, dict) else {}
    body[last] = value


def _reply(
    status: int,
    account: BatchAccount | None,
    answer: BatchAnswer,
    message: str,
    campaign: str | None = None,
    recipients: tuple[str, ...] = (),
) -> Reply:
    body: Mapping[str, Any] = {"message": message, **_coded(account, answer)}
    shown = orjson.dumps(body)
    return Reply(status or answer.status, shown, answer.code, campaign, recipients)
