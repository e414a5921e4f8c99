"""Any vendor that takes invitations by HTTP, as its account describes its calls.

Everything that the account does not describe is refused: another method or path, a header that is
missing or differs, a key that its templates lack, an address that is none, a recipient named twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from consumer.sandbox.batch_form import form_document
from consumer.sandbox.batch_login import BatchLogins
from consumer.sandbox.body_shape import Place, Places, ShapeError, compare
from consumer.sandbox.settings import (
    BatchAccount,
    BatchAnswer,
    BatchFailures,
    SandboxSettings,
)
from consumer.sandbox.wire import Received, Reply, is_email, is_json

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PLACE = re.compile(r"\{([^{}]*)\}")
_DATA = "data."
_TOKEN = "{token}"  # noqa: S105 - where a token stands
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Account:
    """An account, the pattern of its path, and the places that the pattern's groups stand for."""

    settings: BatchAccount
    pattern: re.Pattern[str]
    places: tuple[str, ...]

    def path_values(self, target: str) -> dict[str, str] | None:
        """Return place → value as a path has them; None for another path."""
        found = self.pattern.fullmatch(target)
        return dict(zip(self.places, map(unquote, found.groups()), strict=True)) if found else None


class _Entry(NamedTuple):
    """One recipient of a call; `id` is None where the templates have no place for it."""

    address: str
    id: str | None


class _HeaderError(Exception):
    def __init__(self, name: str, *, private: bool) -> None:
        self.private = private
        super().__init__(f"header {name}: expected the account's own value")


class BatchVendors:
    """All accounts of this kind; an account is known by method and path of its calls."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._sent = 0
        self._logins = BatchLogins(settings.token_ttl)
        self.reconfigure(settings)

    def reconfigure(self, settings: SandboxSettings) -> None:
        """Take the settings of other accounts."""
        self._bad = settings.bad_recipients
        self._accounts = [_described(account) for account in settings.batch_accounts]

    def knows(self, target: str) -> bool:
        """Tell whether a path is that of some account's calls or login."""
        known = any(account.path_values(target) is not None for account in self._accounts)
        return known or self._login_at(target) is not None

    def quota_of(self, request: Received) -> str | None:
        """Return the quota that a request counts against; a login counts against its account's."""
        account = self._login_at(request.target) or self._account_of(request)
        return account.settings.quota if account else None

    def answer(self, request: Received) -> Reply:
        """Answer one request, whatever it contains; never raises."""
        asked = self._login_at(request.target)
        if asked is not None and asked.settings.login is not None:
            return self._logins.answer(asked.settings.login, request)
        found = self._account_of(request)
        if found is None:
            return _reply(None, BatchAnswer(status=404), "no such path")
        account = found.settings
        try:
            self._check_headers(account, request)
            return self._answer_call(account, request, found.path_values(request.target) or {})
        except _HeaderError as refused:
            refusal = account.credentials if refused.private else BatchAnswer(status=400)
            return _reply(account, refusal, str(refused))
        except ShapeError as refused:
            return _reply(account, BatchAnswer(status=400), str(refused))

    def _answer_call(
        self, account: BatchAccount, request: Received, in_path: Mapping[str, str]
    ) -> Reply:
        document = _document(account, request)
        campaign = _campaign_of(account, document, in_path)
        if campaign is None or campaign not in account.campaigns:
            return _reply(account, account.campaign_error, "no such campaign")
        entries = _entries(account, document, campaign, in_path)
        bad = [at for at, entry in enumerate(entries) if entry.address in self._bad]
        recipients = tuple(entry.address for entry in entries)
        if bad and (account.failures is None or len(bad) == len(entries)):
            return _reply(account, account.bad_recipient, "a bad recipient", campaign, recipients)
        return self._accept(account, campaign, entries, bad)

    def _accept(
        self, account: BatchAccount, campaign: str, entries: Sequence[_Entry], bad: Sequence[int]
    ) -> Reply:
        """Accept the entries that are not `bad`, whose numbers are listed as the account says."""
        self._sent += 1
        status, code = account.success.status, account.success.code
        body = _coded(account, account.success)
        _put(body, account.reference_at, f"sandbox-{self._sent}")
        if account.failures is not None:
            status = account.failures.status if bad else status
            failed = [_failure(account.failures, entries[at], at) for at in bad]
            _put(body, account.failures.list_at, failed)
        taken = tuple(entry.address for at, entry in enumerate(entries) if at not in bad)
        return Reply(status, orjson.dumps(body), code, campaign, taken, accepted=True)

    def _login_at(self, target: str) -> _Account | None:
        logins = ((one, one.settings.login) for one in self._accounts)
        return next((one for one, login in logins if login and login.path == target), None)

    def _account_of(self, request: Received) -> _Account | None:
        """Return the account of a call; of those with one path that whose headers the call has."""
        found = [
            account
            for account in self._accounts
            if request.method == account.settings.method
            and account.path_values(request.target) is not None
        ]
        fitting = (
            account for account in found if not any(self._wrong_headers(account.settings, request))
        )
        return next(fitting, found[0] if found else None)

    def _wrong_headers(self, account: BatchAccount, request: Received) -> Iterator[str]:
        """Yield the names of headers that a request lacks, or has with another value."""
        tokens = self._logins.tokens_of(account.login, request.at) if account.login else []
        for name, value in account.headers.items():
            given = request.headers.get(name.lower())
            values = [value.replace(_TOKEN, token) for token in tokens] if account.login else []
            if given not in (values if _TOKEN in value and account.login else [value]):
                yield name
        for name in account.other_headers:
            if not request.headers.get(name.lower()):
                yield name

    def _check_headers(self, account: BatchAccount, request: Received) -> None:
        for name in self._wrong_headers(account, request):
            private = name.lower() in map(str.lower, account.private_headers)
            raise _HeaderError(name, private=private)
        if "content-type" in map(str.lower, account.headers):
            return
        given = request.headers.get("content-type", "")
        typed = given.partition(";")[0].strip() == _FORM
        if not (typed if account.encoding == "form" else is_json(given)):
            raise _HeaderError("content-type", private=False)


def _described(account: BatchAccount) -> _Account:
    parts = _PLACE.split(account.path)
    values = "([^/?]+)".join(map(re.escape, parts[::2]))
    pattern = re.compile(f"(?:{re.escape(account.base_path)})?{values}")
    return _Account(account, pattern, tuple(parts[1::2]))


def _document(account: BatchAccount, request: Received) -> Any:
    """Return the body. Raises ShapeError."""
    form = account.encoding == "form"
    try:
        return form_document(request.body) if form else orjson.loads(request.body)
    except (ValueError, TypeError):
        raise ShapeError("body", "a form" if form else "JSON") from None


def _campaign_of(account: BatchAccount, document: Any, in_path: Mapping[str, str]) -> str | None:
    """Return the campaign that a call names; the account's first one if its calls name none."""
    try:
        found = {**_compared(account, document, _anything), **in_path}
        listed = found.get("recipients")
        if "campaign" not in found and isinstance(listed, list) and listed:
            found = compare(account.recipient, listed[0], _anything)
    except ShapeError:
        found = dict(in_path)
    campaign = found.get("campaign")
    return campaign if isinstance(campaign, str) else next(iter(account.campaigns), None)


def _compared(account: BatchAccount, document: Any, places: Places) -> dict[str, Any]:
    return compare(account.body, document, places, texts=account.encoding == "form")


def _anything(_name: str) -> Place:
    return Place(lambda _value: True, "any value", optional=True)


def _failure(rule: BatchFailures, entry: _Entry, at: int) -> dict[str, Any]:
    failure: dict[str, Any] = {}
    names = {"index": rule.first + at, "address": entry.address, "id": entry.id}
    _put(failure, rule.name_at, names[rule.named_by])
    _put(failure, rule.code_at, rule.code)
    return failure


def _entries(
    account: BatchAccount, document: Any, campaign: str, in_path: Mapping[str, str]
) -> list[_Entry]:
    """Return the recipients of a call. Raises ShapeError."""
    places = _places_of_entry(campaign)
    if account.recipient is None:
        for name, value in in_path.items():
            compare(f"${name}", value, places, f"path {{{name}}}")
        return [_entry({**_compared(account, document, places), **in_path}, "body")]
    listed = compare(account.body, document, _places_of_call(campaign)).get("recipients", [])
    paths = [f"$recipients[{index}]" for index in range(len(listed))]
    entries = [
        _entry(compare(account.recipient, given, places, path), path)
        for given, path in zip(listed, paths, strict=True)
    ]
    if len({entry.address for entry in entries}) < len(entries):
        raise ShapeError("$recipients", "each recipient once")
    return entries


def _entry(given: Mapping[str, Any], path: str) -> _Entry:
    address = given.get("phone") or given.get("email")
    if not isinstance(address, str):
        raise ShapeError(path, "a phone number or an e-mail address")
    return _Entry(address, given.get("id"))


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


def _put(body: dict[str, Any], at: Sequence[str], value: Any) -> None:
    """Put a value where the path `at` leads; nowhere if it is empty."""
    if not at:
        return
    *parents, last = at
    for key in parents:
        inner = body.setdefault(key, {})
        body = inner if isinstance(inner, dict) else {}
    body[last] = value


def _reply(
    account: BatchAccount | None,
    answer: BatchAnswer,
    message: str,
    campaign: str | None = None,
    recipients: tuple[str, ...] = (),
) -> Reply:
    body = orjson.dumps({"message": message, **_coded(account, answer)})
    return Reply(answer.status, body, answer.code, campaign, recipients)
