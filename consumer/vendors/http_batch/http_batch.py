"""Any other survey vendor that takes a batch as one JSON POST, described by its config entry.

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

A body is data with places (see `templates.py`), never concatenated text. An answer without a rule
is read by its status. But a 2xx that `success` does not name is in doubt, and so is one with a
failure's code: it may have invited some recipients. Only if `success` names codes, the code and not
the status decides whether the call was accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final
from urllib.parse import quote

import orjson
from pydantic import JsonValue

from consumer.records.call import Answer, Call, Outcome
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.invitation import CallParts
from consumer.vendors import protocol
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import (
    FOREIGN_SUCCESS,
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
from consumer.vendors.http_batch import templates
from consumer.vendors.http_batch.account import HttpBatchAccount, data_names
from consumer.vendors.http_batch.answer_rules import BY_RULE, code_getter, value_getter
from consumer.vendors.json_parts import parsed

CHANNELS: Final = (Channel.SMS, Channel.EMAIL, Channel.PUSH, Channel.INVITATION)
"""The channels of a campaign; the calls do not differ."""

UNNAMED: Final = Row(Kind.UNCLEAR, "A success by its status, but not by the rule `success`.")
"""A 2xx without a rule."""

PARTLY: Final = Row(
    Kind.UNCLEAR, "A success by its status with a failure's code: some may have been invited."
)
"""A 2xx with a code of another rule than `success`."""

MULTI_STATUS: Final = 207
"""The status of an answer in which each entry has a status of its own."""

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
        self._headers = _headers(account)
        rules = account.rules.items()
        self._by_code = {code: BY_RULE[name] for name, rule in rules for code in rule.code}
        self._by_status = {status: BY_RULE[name] for name, rule in rules for status in rule.status}
        self.codes = frozenset(self._by_code).union(account.success.code)
        self._code_in = code_getter(account.code or "`null`", self.codes)
        self._reference_in = value_getter(account.reference or "`null`")

    def spec(self, channel: Channel) -> ChannelSpec:  # noqa: ARG002 - the calls do not differ
        """Return what the templates take: any name of the data, as one value or as a map."""
        names = data_names(self._account.recipient)
        return ChannelSpec(self._account.addresses, names, names)

    def build(
        self,
        campaign: protocol.VendorCampaign,
        invitations: Sequence[CallParts],
        token: str | None,  # noqa: ARG002 - the interface is shared with vendors that log in
    ) -> Call:
        """Build the POST with all entries; an entry omits what its invitation lacks."""
        template, name = self._account.recipient, campaign.id
        given = (_values(invitation, name) for invitation in invitations)
        entries = [templates.fill(template, values) for values in given]
        body = templates.fill(self._account.body, {"recipients": entries, "campaign": name})
        path = self._account.path.replace("{campaign}", quote(name, safe=""))
        return Call("POST", path, self._headers, orjson.dumps(body))

    def read(self, answer: Answer) -> Outcome:
        """Read an answer by the rules: a code first, then the status; else like any vendor's.

        A 5xx, a 408, a 429 and a redirect keep their usual meaning.
        """
        document = parse(answer.body)
        code = self._code_in(document)
        row = self._row(answer, code, document)
        message = None if row.kind is Kind.ACCEPTED else message_in(document) or row.meaning
        read = outcome(answer, row.kind, code, message)
        if row.kind is not Kind.ACCEPTED:
            return read
        return replace(read, reference=as_reference(self._reference_in(document)))

    def _row(self, answer: Answer, code: str | None, document: object) -> Row:
        if decided_by_status(answer.status):
            return row_of_status(answer.status)
        if answer.status in range(200, 300):
            return self._success(answer, code)
        ruled = self._by_code.get(code or "") or self._by_status.get(answer.status)
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


def _headers(account: HttpBatchAccount) -> dict[str, str]:
    token = account.token.get_secret_value() if account.token else ""
    headers = {name: text.replace("{token}", token) for name, text in account.headers.items()}
    if "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    return headers


def _values(invitation: CallParts, campaign: str) -> dict[str, JsonValue]:
    values: dict[str, JsonValue] = {
        f"{templates.DATA}{name}": parsed(value) for name, value in invitation.data.items()
    }
    values |= {kind: parsed(text) for kind, text in invitation.address.items()}
    return {**values, "id": invitation.id, "campaign": campaign}
