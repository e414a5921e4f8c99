"""The public API: what a plugin may import, and what keeps its form within a major version.

A plugin is a package of its own that the program finds by entry points (docs/plugins.md). All other
modules of `consumer` may change with any release. Nothing here loads plugins, so that a plugin may
import it while it is loaded (`make lint` checks it).

| group of entry points | object |
|---|---|
| `survey_dispatcher.vendors` | a class that satisfies `Vendor`, and `LoginVendor` if it logs in |
| `survey_dispatcher.formats` | a `PayloadDecoder` |
| `survey_dispatcher.rules` | a `RuleFactory`: options → predicate of a `Candidate` |
| `survey_dispatcher.stores` | a `StoreFactory`: options, application id, clock → `ContactStore` |
"""

from __future__ import annotations

from consumer.contacts.store import ABSENT, ContactStore, StoredValue, StoreFactory, StoreReading
from consumer.errors import EventError, StoreUnavailable
from consumer.policy.candidate import Candidate
from consumer.policy.own_rules import Predicate, RuleFactory
from consumer.records.call import Answer, Call, Outcome, Token, Verdict
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.records.invitation import CallParts
from consumer.routing.decoding.payload import Payload, PayloadDecoder, decode_json
from consumer.routing.expressions import compile_value
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import (
    as_code,
    as_reference,
    decided_by_status,
    message_in,
    outcome,
    parse,
    row_of_status,
)
from consumer.vendors.json_parts import json_list, json_object, named_object, parsed
from consumer.vendors.protocol import (
    Account,
    CallReader,
    CampaignOptions,
    LoginVendor,
    Vendor,
    VendorCampaign,
    checked_token,
)

__all__ = [
    "ABSENT",
    "Account",
    "Answer",
    "Call",
    "CallParts",
    "CallReader",
    "CampaignOptions",
    "Candidate",
    "Channel",
    "ChannelSpec",
    "ContactStore",
    "DeadLetterReason",
    "EventError",
    "InputRecord",
    "Kind",
    "LoginVendor",
    "Outcome",
    "Payload",
    "PayloadDecoder",
    "Predicate",
    "Row",
    "RuleFactory",
    "StoreFactory",
    "StoreReading",
    "StoreUnavailable",
    "StoredValue",
    "Token",
    "Vendor",
    "VendorCampaign",
    "Verdict",
    "as_code",
    "as_reference",
    "checked_token",
    "compile_value",
    "decided_by_status",
    "decode_json",
    "json_list",
    "json_object",
    "message_in",
    "named_object",
    "outcome",
    "parse",
    "parsed",
    "row_of_status",
]
