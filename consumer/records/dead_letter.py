"""Dead letter: a record that could not be processed, byte for byte, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumer.records.invitation import Source


class DeadLetterReason(StrEnum):
    """Why a record could not be read at all: a closed list."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> DeadLetterReason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    EMPTY = "empty", "The record has no value (a tombstone)."
    TOO_LARGE = "too_large", "The value is longer than `max_event_bytes` of its input."
    NOT_JSON = "not_json", "The value is not one well-formed UTF-8 JSON document."
    NOT_OBJECT = "not_object", "The JSON document is not an object."
    NOT_CLOUDEVENT = (
        "not_cloudevent",
        "The record has neither the content type of a CloudEvent nor headers `ce_…`.",
    )
    NO_SCHEMA_ID = "no_schema_id", "The record does not name a schema of the registry."
    UNKNOWN_SCHEMA = (
        "unknown_schema",
        "The registry has no usable schema of the record's id.",
    )
    NOT_ITS_SCHEMA = "not_its_schema", "The value does not fit the schema that the record names."
    NO_BODY = "no_body", "The envelope has no object at the input's `body`."
    NO_ID = "no_id", "The event's id is missing or null."
    BAD_ID = "bad_id", "The event's id is not 1 to 256 printable characters or an integer."
    NO_TIME = "no_time", "The event's time is missing or null."
    BAD_TIME = (
        "bad_time",
        "The event's time is not ISO 8601 with an offset, nor epoch time, or over a day ahead.",
    )
    TOO_MANY_ITEMS = "too_many_items", "The list at the route's `for_each` has too many items."
    BAD_INVITATION = "bad_invitation", "A record on a lane's topic is no invitation of ours."
    NO_INPUT = "no_input", "A replayed record does not say which input of the config it came from."
    BAD_UPLOAD = "bad_upload", "A record on the uploads topic is no row of `send-csv`."
    NO_ROUTE = "no_route", "An uploaded row names a route that the config lacks."
    NO_PERSON = "no_person", "A feed's record names no person: no number, and no valid address."
    BAD_SCOPE = "bad_scope", "A feed's opt-out has a scope that is no text, nor a list of some."
    INTERNAL = "internal_error", "Routing this record raised: a defect of ours, please report."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be read, as it came: bytes, headers and where it stood. `unreadable`
    names what of it the Kafka client could not say."""

    reason: DeadLetterReason
    message: str
    source: Source
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    unreadable: str = ""
