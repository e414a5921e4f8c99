"""Any other survey vendor that takes customers by HTTP, described by its config entry.

    type: http_batch
    base_url: https://surveys.example
    token: "${file:secrets/token}"
    headers: {X-Api-Key: "{token}"}
    path: /v2/surveys/{campaign}/invitations
    addresses: [phone, email]
    body: {people: $recipients}
    recipient: {mobile: $phone, mail: $email, reference: $id, attributes: $data.attributes}
    code: error.code
    success: {status: [200, 202]}
    bad_recipient: {code: [INVALID_PHONE]}

A body is data with places (see `templates.py`), never concatenated text. With `recipients: one` a
call has one customer, whose places stand in `body` and `path`. An answer without a rule
is read by its status. But a 2xx that `success` does not name is in doubt, and so is one with a
failure's code: it may have invited some recipients. Only if `success` names codes, the code and not
the status decides whether the call was accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

import orjson
from pydantic import JsonValue

from consumer.records.call import Answer, Call, Outcome, Token
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.invitation import CallParts
from consumer.vendors import protocol
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import (
    FOREIGN_SUCCESS,
    HUNDREDS,
    as_reference,
    decided_by_status,
    is_code_of,
    is_page,
    message_in,
    outcome,
    parse,
    row_of,
    row_of_status,
)
from consumer.vendors.client_credentials import FORM, basic, login_call, read_token
from consumer.vendors.http_batch import templates
from consumer.vendors.http_batch.account import HttpBatchAccount, data_names, path_names
from consumer.vendors.http_batch.answer_rules import BY_RULE, code_getter, value_getter
from consumer.vendors.http_batch.failed_entries import MULTI_STATUS, FailureReader, Failures
from consumer.vendors.http_batch.request import content_key, encoded_form, filled_path
from consumer.vendors.json_parts import parsed

CHANNELS: Final = (Channel.SMS, Channel.EMAIL, Channel.PUSH, Channel.INVITATION)
"""The channels of a campaign; the calls do not differ."""

UNNAMED: Final = Row(Kind.UNCLEAR, "A success by its status, but not by the rule `success`.")
"""A 2xx without a rule."""

PARTLY: Final = Row(
    Kind.UNCLEAR, "A success by its status with a failure's code: some may have been invited."
)
"""A 2xx with a code of another rule than `success`."""

NO_SESSION: Final = Row(Kind.SESSION, "The token is not valid any more.")
"""A 401 of an account with `oauth`."""

UNTOLD: Final = Row(
    Kind.UNCLEAR, "A success that does not say which entries failed: not where the config looks."
)
"""An accepted call of an account with `failed_entries` whose answer cannot be read for them."""

UNMATCHED: Final = Row(
    Kind.UNCLEAR, "A success with a failure that names no entry of the call: any may have failed."
)
"""An accepted call with a failure of an unknown entry: the entries that no failure names."""

ALL_FAILED: Final = Row(Kind.ENTRIES, "The vendor took the call and refused each entry.")
"""An accepted call whose every entry failed."""

OF_ENTRIES: Final = frozenset({400, 409, 422})
"""Statuses of a JSON answer without a code that concern the data sent. Others concern the path, the
account or the host, and gateways send them, too."""


class HttpBatch:
    """One `http_batch` account."""

    Account: ClassVar[type[protocol.Account]] = HttpBatchAccount
    CampaignOptions: ClassVar[type[protocol.CampaignOptions]] = protocol.CampaignOptions
    channels: ClassVar[Mapping[Channel, ChannelSpec]] = {
        channel: ChannelSpec(addresses=("phone", "email")) for channel in CHANNELS
    }

    def __init__(self, account: HttpBatchAccount) -> None:
        self._account = account
        self._headers = call_headers(account)
        rules = account.rules.items()
        self._by_code = {code: BY_RULE[name] for name, rule in rules for code in rule.code}
        self._by_status = {status: BY_RULE[name] for name, rule in rules for status in rule.status}
        taken = HUNDREDS[2].meaning
        self.codes: Mapping[str, str] = {
            **dict.fromkeys(account.success.code, taken),
            **{code: row.meaning for code, row in self._by_code.items()},
        }
        self._code_in = code_getter(account.code or "`null`", self.codes)
        self._reference_in = value_getter(account.reference or "`null`")
        rule = account.failed_entries
        self._failures = None if rule is None else FailureReader(rule, self.codes)

    @property
    def logs_in(self) -> bool:
        """Whether calls need a session: OAuth's client credentials."""
        return self._account.oauth is not None

    def spec(self, channel: Channel) -> ChannelSpec:  # noqa: ARG002 - the calls do not differ
        """Return what the templates take: any name of the data, as one value or as a map. A name in
        the path is one value, and required."""
        account, in_path = self._account, path_names(self._account)
        names = data_names(account)
        return ChannelSpec(
            account.addresses,
            fields=names | in_path,
            maps=names - in_path,
            required=in_path,
            most=1 if account.one_a_call else 0,
        )

    def build(
        self,
        campaign: protocol.VendorCampaign,
        invitations: Sequence[CallParts],
        token: str | None,
    ) -> Call:
        """Build the call with all entries, or with the one; an entry omits what its invitation
        lacks. Raises UnfitPathError if a value would lead to another path."""
        account = self._account
        given = [_values(invitation, campaign.id) for invitation in invitations]
        if account.one_a_call:
            (values,) = given
            body = templates.fill(account.body, values)
        else:
            entries = [templates.fill(account.recipient, values) for values in given]
            values = {"campaign": campaign.id}
            body = templates.fill(account.body, {**values, "recipients": entries})
        content = encoded_form(body) if account.encoding == "form" else orjson.dumps(body)
        path = filled_path(account.path, values)
        headers = self._headers_of(token)
        if account.idempotency_key is not None:
            ids = (invitation.id for invitation in invitations)
            headers[account.idempotency_key] = content_key(account.method, path, content, ids)
        return Call(
            account.method,
            path,
            headers,
            content,
            carries=orjson.dumps(values) if account.one_a_call else None,
            names=self._failures.names(invitations) if self._failures else (),
        )

    def _headers_of(self, token: str | None) -> dict[str, str]:
        """Return the headers with a session's token. Without one the answer, a 401, asks for it."""
        if not self.logs_in:
            return dict(self._headers)
        return {name: text.replace("{token}", token or "") for name, text in self._headers.items()}

    def login(self) -> Call:
        """Build the request for a token."""
        assert self._account.oauth is not None, "`logs_in` says whether"  # noqa: S101 - see there
        return login_call(self._account.oauth)

    def read_login(self, answer: Answer, now: float) -> Token | Outcome:
        """Return the token, or why there is none."""
        return read_token(answer, now)

    def read(self, answer: Answer) -> Outcome:
        """Read an answer whose call is not known: with `failed_entries` a failure names none."""
        return self._read(answer, ())

    def read_call(self, answer: Answer, call: Call) -> Outcome:
        """Read an answer by the rules: a code first, then the status; else like any vendor's.

        A 5xx, a 408, a 429 and a redirect keep their usual meaning. With `failed_entries` the
        outcome of an accepted call names the entries that failed.
        """
        return self._read(answer, call.names)

    def _read(self, answer: Answer, names: Sequence[frozenset[str]]) -> Outcome:
        document = parse(answer.body)
        code = self._code_in(document)
        row, failed = self._row(answer, code, document), dict[int, str | None]()
        if row.kind is Kind.ACCEPTED and self._failures is not None:
            row, failed = _of_entries(self._failures.read(answer, document, names), names, row)
        message = None if row.kind is Kind.ACCEPTED else message_in(document) or row.meaning
        read = replace(outcome(answer, row.kind, code, message), failed=failed)
        if row.kind is not Kind.ACCEPTED:
            return read
        return replace(read, reference=as_reference(self._reference_in(document)))

    def _row(self, answer: Answer, code: str | None, document: object) -> Row:
        if decided_by_status(answer.status):
            return row_of_status(answer.status)
        if answer.status in range(200, 300):
            return self._success(answer, code)
        ruled = self._by_code.get(code or "") or self._by_status.get(answer.status)
        if ruled is None and self.logs_in and answer.status == 401:
            return NO_SESSION
        told = answer.status in OF_ENTRIES and isinstance(document, dict | list)
        return ruled or row_of(answer, own=told or is_code_of(answer, code))

    def _success(self, answer: Answer, code: str | None) -> Row:
        """Return the meaning of a 2xx: divisible only if its code means that it is no success."""
        success = self._account.success
        if code in self._by_code:
            told = success.code and answer.status != MULTI_STATUS
            return self._by_code[code] if told else PARTLY
        if is_page(answer):
            return FOREIGN_SUCCESS
        named = answer.status in success.status and (not success.code or code in success.code)
        return row_of_status(answer.status) if named else UNNAMED


def _of_entries(
    failures: Failures | None, names: Sequence[frozenset[str]], accepted: Row
) -> tuple[Row, dict[int, str | None]]:
    """Return what an accepted call means for the entries that no failure names, and the failed."""
    if failures is None:
        return UNTOLD, {}
    failed = dict(failures.failed)
    if failed and len(failed) == len(names):
        return ALL_FAILED, failed
    return UNMATCHED if failures.unmatched else accepted, failed


def call_headers(account: HttpBatchAccount) -> dict[str, str]:
    """Return the headers of every call; with `oauth`, {token} stands in them."""
    headers = dict(account.headers)
    if account.token is not None:
        token = account.token.get_secret_value()
        headers = {name: text.replace("{token}", token) for name, text in headers.items()}
    if account.basic_auth is not None:
        headers["Authorization"] = basic(account.basic_auth.get_secret_value())
    if account.oauth is not None and not any("{token}" in text for text in headers.values()):
        headers["Authorization"] = "Bearer {token}"
    if "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = FORM if account.encoding == "form" else "application/json"
    return headers


def _values(invitation: CallParts, campaign: str) -> dict[str, JsonValue]:
    values: dict[str, JsonValue] = {
        f"{templates.DATA}{name}": parsed(value) for name, value in invitation.data.items()
    }
    values |= {kind: parsed(text) for kind, text in invitation.address.items()}
    return {**values, "id": invitation.id, "campaign": campaign}
