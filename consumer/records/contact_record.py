"""Contact record: what other systems and operators say of a person, on `<app>.contacts`.

The topic is compacted and kept for ever. A key is one fact, so the last word on it stays:

    suppression|<pseudonym>|<reason>|<scope>     opted out, bounced, erased; or allowed again
    answer|<pseudonym>|<milliseconds>            an answer to a survey

A record with an older `at` than one before it may come later: whoever reads keeps the newer.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from consumer.errors import UnreadableRecord
from consumer.records.fields import LAST_MOMENT, LONGEST_NAME

CONTACT_VERSION: Literal[1] = 1

_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
_Moment = Annotated[float, Meta(ge=0, le=LAST_MOMENT)]
_Text = Annotated[str, Meta(max_length=LONGEST_NAME)]


class SuppressionRecord(
    Struct, tag_field="kind", tag="suppression", omit_defaults=True, kw_only=True
):
    """A person wants no surveys, or cannot have any; or that ends (`removed`).

    `scope`: a channel, tag or campaign; empty: everything. `at`, `until`: epoch seconds. `source`:
    the feed, or the command that an operator gave.
    """

    version: Literal[1]
    person: _Name
    at: _Moment
    reason: Literal["opted_out", "bounced", "erased"] = "opted_out"
    scope: _Text = ""
    until: _Moment | None = None
    removed: bool = False
    source: _Text = ""

    @property
    def key(self) -> str:
        """The record's key: the last word on it stays."""
        return f"suppression|{self.person}|{self.reason}|{self.scope}"


class AnswerRecord(Struct, tag_field="kind", tag="answer", omit_defaults=True, kw_only=True):
    """A person answered a survey. `route`, `campaign`: empty if the feed does not say."""

    version: Literal[1]
    person: _Name
    at: _Moment
    route: _Text = ""
    campaign: _Text = ""
    source: _Text = ""

    @property
    def key(self) -> str:
        """The record's key: the same answer read again."""
        return f"answer|{self.person}|{round(self.at * 1000)}"


ContactRecord = SuppressionRecord | AnswerRecord

_decoder = msgspec.json.Decoder(ContactRecord)


def encode_contact_record(record: ContactRecord) -> bytes:
    """Return the record's value."""
    return msgspec.json.encode(record)


def read_contact_record(value: bytes | None) -> ContactRecord:
    """Return a record. Raises UnreadableRecord."""
    try:
        record: ContactRecord = _decoder.decode(value or b"")
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableRecord("not a contact record of this version") from None
    return record
