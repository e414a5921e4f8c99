"""Pisano's Link Sharings API: one call for each customer, whose answer holds the customer's link.

Source: the vendor's page on it, which names path and body. It does not print an answer: the
account's `link_at` says where the link is, else it is the answer's one https link. Such a call
invites no customer, for the company delivers the link. So it may always be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import orjson
from msgspec import Raw
from pydantic import JsonValue

from consumer.records.call import Answer, Call, Outcome, Verdict
from consumer.records.channel import ChannelSpec
from consumer.records.invitation import CallParts
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import as_link, links_in, outcome, parse
from consumer.vendors.json_parts import Json, named_object, parsed

SPEC: Final = ChannelSpec(
    addresses=("phone", "email"),
    maps=frozenset({"custom_attributes", "built_in_responses"}),
    most=1,
    repeatable=True,
)
"""What a `generated_link` needs of a customer: an address, by which the vendor finds the person."""

NO_LINK: Final = Row(
    Kind.CAMPAIGN, "A link call's answer holds no link, or several: `link_at` says which."
)
"""A success without the link. No customer was invited, so the campaign waits until it is mended."""

_PATH: Final = "/external/v1/link_sharings/"
_CUSTOMER: Final = ("name", "external_id", "email", "phone_number")
"""The fields of a customer: the page allows no others."""

_NOTHING: Final = Raw(b"{}")


def link_call(
    campaign: str, options: Mapping[str, JsonValue], invitation: CallParts
) -> tuple[str, bytes]:
    """Return path and body of POST /external/v1/link_sharings/<id>/generate_link.

    The customer's name and external id are those of `custom_attributes`; other attributes do not
    travel.
    """
    address, data = invitation.address, invitation.data
    given = dict(parsed(data.get("custom_attributes", _NOTHING)))
    for kind, name in (("email", "email"), ("phone", "phone_number")):
        if kind in address:
            given[name] = parsed(address[kind])
    customer = {name: given[name] for name in _CUSTOMER if name in given}
    body: dict[str, Json] = {"customer": orjson.dumps(customer)}
    responses = data.get("built_in_responses", _NOTHING)
    if responses != _NOTHING:
        body["built_in_responses"] = responses
    if options:
        body["options"] = orjson.dumps(options)
    return f"{_PATH}{quote(campaign, safe='')}/generate_link", named_object(body)


def is_link_call(call: Call) -> bool:
    """Tell whether a call asked for a link."""
    return call.path.startswith(_PATH)


def read_link(answer: Answer, read: Outcome, link_at: Callable[[object], object] | None) -> Outcome:
    """Return the outcome of a link call, whose answer was `read` as any other's."""
    if read.verdict is not Verdict.ACCEPTED:
        return read
    document = parse(answer.body)
    found = links_in(document) if link_at is None else [as_link(link_at(document))]
    if len(found) != 1 or found[0] is None:
        return outcome(answer, NO_LINK.kind, read.code, NO_LINK.meaning)
    return replace(read, link=found[0])
