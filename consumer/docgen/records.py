"""Schemas of the records that the program writes: each key's meaning and bounds.

The shapes come from the models; the descriptions and bounds are here, so that the models do not
load them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.docgen.parts import Schema, headers, listed, of, time_of
from consumer.kafka.records.fitting import PARTS
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import MESSAGE_LIMIT, RECORD_VERSION
from consumer.records.invitation import InvitationReader
from consumer.records.result import Reason, ResultReader, Status
from consumer.routing.link import LINK_LIMIT

_BITMAP: Final = "zlib, base64"
_SHARED: Final[Mapping[str, Schema]] = {
    "version": of("Version of this record; refuse one that you do not know."),
    "id": of("The invitation's identity: a hash of topic, partition, offset and route."),
    "event_id": of("The id of the event that made the invitation."),
    "event_time": time_of("When the transaction was completed, as the event says"),
    "routed_at": time_of("When the router read the event"),
    "route": of("The route that took the event."),
    "campaign": of("The campaign; null where none could be chosen."),
    "config_version": of("The routing config in force; it changes with the rules."),
    "source": of("Where the event stands."),
}
_KEYS: Final[Mapping[str, Mapping[str, Schema]]] = {
    "Source": {
        "topic": of("The input topic."),
        "partition": of("Its partition.", minimum=0),
        "offset": of("The record's offset.", minimum=0),
    },
    "Address": {
        "phone": of("E.164.", pattern=r"^\+[1-9][0-9]{1,14}$"),
        "email": of("An e-mail address.", format="email"),
    },
    "Invitation": {
        **_SHARED,
        "campaign": of("The campaign that sends it."),
        "expires_at": of("Epoch seconds after which it is not sent; null: never."),
        "pseudonym": of("Names the recipient: key id and HMAC-SHA-256 of the address."),
        "address": of("Where the recipient is reached.", minProperties=1),
        "data": of("The vendor's names → text, or a map of free names → text."),
        "attempt": of("Calls that it was in before it was put off.", minimum=0),
        "delays": of("How often it was put off.", minimum=0),
        "due_at": of("Epoch seconds until which it was put off."),
        "resend_of": of("The invitation that an operator sent again with this one."),
    },
    "Result": {
        **_SHARED,
        "status": {},
        "reason": {},
        "vendor": of("The vendor account; null where none was chosen."),
        "channel": of("The channel; null where none was chosen."),
        "batch": of("The call that carried it; null where there was none."),
        "attempt": of("Calls that it was tried in; 0: none.", minimum=0),
        "http_status": of("Of the vendor's answer.", minimum=100, maximum=999),
        "vendor_code": of("The vendor's own code in its answer."),
        "vendor_message": of("What the code or the answer says.", maxLength=MESSAGE_LIMIT),
        "recipient": of("The recipient's pseudonym; null where there is no address."),
        "sent_at": time_of("When the call was sent"),
        "answered_at": time_of("When its answer was complete"),
        "resend_of": of("The invitation that was sent again, where an operator decided so."),
        "fields": of(
            "What was missing or unfit before a call: keys of the route's data, `phone`, `email`."
        ),
        "link": of(
            "The personalised link. Holds personal data.", maxLength=LINK_LIMIT, format="uri"
        ),
    },
    "Checkpoint": {
        "version": _SHARED["version"],
        "lane": of("The quota whose lane this is."),
        "topic_id": of("Kafka's id of the invitations topic that the offsets count in."),
        "base": of("Every offset below is settled.", minimum=0),
        "done": of(f"Settled from `base` on: bit i is offset base + i ({_BITMAP})."),
        "in_flight": of("Batches whose intent is recorded and whose answer is not."),
        "permit_log": of("Epoch seconds of the latest calls' answers: the used permits."),
        "config_version": _SHARED["config_version"],
        "closed_until": of("Epoch seconds before which nothing is called, after a 429."),
        "permit_log_reach": of("Seconds that permit_log looks back.", minimum=0),
        "quota": of("The writer's limits, and the calls of large ones; null: not said."),
        "unknown_until": of("Calls before may have been as many as the limits allow."),
        "at": of("The writer's clock, epoch seconds; 0: not said."),
        "limits_part": of("The part of the limits in use; less than 1 after a 429."),
        "limits_since": of("When that part changed last: it grows again step by step."),
        "tried": of("Invitations that were in a call and wait for the next."),
        "owners": of("The last owners, oldest first."),
    },
    "LimitCalls": {
        "calls": of("Calls of the limit that are ours."),
        "period": of("Seconds of the limit, with the skew."),
        "cells": of(
            "Calls by 512ths of the period, up to whose ends they are rounded: steps from cell to "
            "cell, each followed by the calls in it; null: the limit goes by permit_log."
        ),
    },
    "Tried": {
        "attempt": of("Calls that they were in.", minimum=1),
        "first": of("The smallest of their offsets.", minimum=0),
        "offsets": of(f"Bit i is offset first + i ({_BITMAP})."),
    },
    "Owner": {
        "instance": of("The replica."),
        "config_version": _SHARED["config_version"],
        "at": of("Epoch seconds of the takeover."),
    },
    "InFlight": {
        "batch_id": of("The batch's id, as in `batch` of its results."),
        "campaign": of("The campaign whose window was sealed."),
        "attempt": of("1: the first call of all its invitations.", minimum=1),
        "sealed_at": of("Epoch seconds of the intent."),
        "first": of("The smallest offset of the batch.", minimum=0),
        "offsets": of(f"The batch: bit i is offset first + i ({_BITMAP})."),
    },
}


_SOMETIMES: Final[Mapping[str, frozenset[str]]] = {
    "Invitation": frozenset({"attempt", "delays", "due_at", "resend_of"}),
    "Result": frozenset({"resend_of", "link", "fields"}),
    "Checkpoint": frozenset(
        {
            "closed_until",
            "permit_log_reach",
            "quota",
            "unknown_until",
            "at",
            "limits_part",
            "limits_since",
            "tried",
            "owners",
        }
    ),
}
"""Keys of some records only: of delayed or resent invitations, or added by later versions."""


def _record(schema: Schema) -> Schema:
    """Describe and bound every key of a record's schema, and list the required ones."""
    for name, part in ((schema["title"], schema), *schema.get("$defs", {}).items()):
        for key, more in _KEYS.get(name, {}).items():
            part["properties"][key].update(more)
    optional = _SOMETIMES[schema["title"]]
    schema["required"] = [key for key in schema["properties"] if key not in optional]
    return schema


STATUSES: Final[Mapping[Status, str]] = {
    Status.ACCEPTED: "The vendor took it, or its link was made.",
    Status.REJECTED: "Refused for good: by the vendor, or before a call for what the event holds.",
    Status.SUPPRESSED: "Held back on purpose by a rule.",
    Status.EXPIRED: "Too late for a survey; none was sent.",
    Status.FAILED: "Tried as often as the campaign allows, and not taken.",
    Status.UNKNOWN: "In doubt: the vendor may or may not have acted.",
}


def reasons_of(status: Status) -> list[Reason]:
    """List the reasons of this status, in their own order."""
    return [reason for reason in Reason if reason.status is status]


def invitation() -> Schema:
    """Return the schema of `<application_id>.invitations.<lane>`."""
    return _record(InvitationReader.json_schema(mode="serialization"))


def checkpoint() -> Schema:
    """Return the schema of `<application_id>.checkpoints.<lane>`, without the claims."""
    return _record(Checkpoint.model_json_schema(mode="serialization"))


def result() -> Schema:
    """Return the schema of `<application_id>.results`: each reason with its own status only."""
    schema = _record(ResultReader.json_schema(mode="serialization"))
    reasons = {each: each.meaning for each in Reason}
    for name, values in (("Status", listed(STATUSES)), ("Reason", listed(reasons))):
        del schema["$defs"][name]["enum"]
        schema["$defs"][name] |= values
    schema["allOf"] = [
        {
            "if": {
                "properties": {"reason": {"enum": [str(each) for each in reasons_of(status)]}},
                "required": ["reason"],
            },
            "then": {"properties": {"status": {"const": str(status)}}},
        }
        for status in Status
        if reasons_of(status)
    ]
    made = {"properties": {"reason": {"const": str(Reason.LINK_MADE)}}, "required": ["reason"]}
    linked: Schema = {"required": ["link"]}
    schema["allOf"].append({"if": made, "then": linked, "else": {"not": linked}})
    return schema


_DEAD_LETTER: Final[Mapping[str, Schema]] = {
    "version": of("Version of these headers.", const=str(RECORD_VERSION)),
    "reason": of("Why it could not be read.")
    | listed({each: each.meaning for each in DeadLetterReason}),
    "message": of("What was expected; it repeats nothing of the record."),
    "topic": of("The topic that the record stood in."),
    "partition": of("Its partition.", pattern="^[0-9]+$"),
    "offset": of("Its offset.", pattern="^[0-9]+$"),
    "timestamp": of("Its timestamp, epoch milliseconds.", pattern="^-?[0-9]+$"),
    "at": time_of("When it became a dead letter"),
    "config_version": of("The routing config in force."),
}
_SIZE: Final = "^[0-9]+$"
_HASH: Final = "^[0-9a-f]{64}$"
_SOMETIMES_IN_HEADERS: Final[Mapping[str, Schema]] = {
    "unreadable": of("What of the record the Kafka client could not say."),
    **{
        f"{part}_{what}": of(meaning.format(part), pattern=pattern)
        for part in PARTS
        for what, meaning, pattern in (
            ("bytes", "The {} was too large to be kept: its size in bytes.", _SIZE),
            ("sha256", "The {} was too large to be kept: its SHA-256.", _HASH),
        )
    },
}


def dead_letter() -> Schema:
    """Return the schema of `<application_id>.dead-letters`: record and headers as a JSON object."""
    base64 = {"type": ["string", "null"], "contentEncoding": "base64"}
    all_of = {**_DEAD_LETTER, **_SOMETIMES_IN_HEADERS}
    ours = {f"dead_letter.{name}": each for name, each in all_of.items()}
    properties = {
        "key": {"description": "The original key, base64.", **base64},
        "value": {"description": "The original bytes, base64.", **base64},
        "headers": of("The original headers, and ours.") | headers(ours),
    }
    for name in ("version", *_SOMETIMES_IN_HEADERS):  # the first ones had no version
        properties["headers"]["required"].remove(f"dead_letter.{name}")
    description = (
        "A record that could not be read, shown as JSON. On Kafka it has the original key and "
        "value, byte for byte, and the original headers with ours behind them. What Kafka could "
        "not take goes without its largest parts (key, value, headers), with their size and hash."
    )
    required = list(properties)
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
    }
