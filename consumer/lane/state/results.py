"""Results: the one final record of an invitation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import orjson
from msgspec import Struct

from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Outcome
from consumer.records.fields import RECORD_VERSION, rfc3339
from consumer.records.invitation import decode_identity
from consumer.records.result import EncodedResult, Reason


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What all invitations of one call share. Times are RFC 3339."""

    batch: str | None = None
    sent_at: str | None = None
    answered_at: str | None = None
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    reference: str | None = None

    @classmethod
    def from_call(
        cls, batch: str, outcome: Outcome, sent_at: float, answered_at: float
    ) -> CallFacts:
        """Return the facts of a call that was made."""
        return cls(
            batch=batch,
            sent_at=rfc3339(sent_at),
            answered_at=rfc3339(answered_at),
            http_status=outcome.http_status,
            code=outcome.code,
            message=outcome.message,
            reference=outcome.reference,
        )


NO_CALL = CallFacts()
NO_DETAILS: Mapping[str, str] = MappingProxyType({})


class EndedInvitation(Struct, frozen=True, gc=False):
    """An invitation whose result the next commit publishes. `attempt`: calls that it was tried in;
    `rules`: None if the config lacks its campaign. `details`: keys of its result alone."""

    pending: PendingInvitation
    reason: Reason
    rules: LaneCampaign | None
    attempt: int
    facts: CallFacts = NO_CALL
    details: Mapping[str, str] = NO_DETAILS


def encode_results(ended: Iterable[EndedInvitation]) -> Iterator[EncodedResult]:
    """Yield the final record of each invitation: its own part as it is, and what a call's
    invitations share, encoded once for neighbours that share it."""
    encoded = b""
    last: EndedInvitation | None = None
    for one in ended:
        if last is None or not _share(one, last):
            encoded = b"," + orjson.dumps(_shared(one))[1:]
        last, pending = one, one.pending
        part = bytes(pending.result_part())
        identity = decode_identity(part)
        own = [part[:-1], b',"recipient":', orjson.dumps(pending.recipient)]
        if pending.eligible_from:
            own.append(b',"due_at":"%b"' % rfc3339(pending.eligible_from).encode())
        if one.details:
            own.append(b"," + orjson.dumps(dict(one.details))[1:-1])
        value = b"".join((*own, encoded))
        at, traceparent = one.facts.answered_at, identity.traceparent
        yield EncodedResult(identity.id, identity.event_id, at, value, traceparent)


def _share(one: EndedInvitation, other: EndedInvitation) -> bool:
    return (
        one.facts is other.facts
        and one.attempt == other.attempt
        and one.reason is other.reason
        and one.rules is other.rules
        and one.pending.campaign == other.pending.campaign
    )


def _shared(ended: EndedInvitation) -> dict[str, object]:
    reason, rules, facts = ended.reason, ended.rules, ended.facts
    named = {} if facts.reference is None else {"vendor_reference": facts.reference}
    return {
        **named,
        "version": RECORD_VERSION,
        "status": reason.status,
        "reason": reason,
        "campaign": ended.pending.campaign,
        "vendor": rules.vendor if rules else None,
        "channel": rules.channel if rules else None,
        "batch": facts.batch,
        "attempt": ended.attempt,
        "http_status": facts.http_status,
        "vendor_code": facts.code,
        "vendor_message": facts.message,
        "sent_at": facts.sent_at,
        "answered_at": facts.answered_at,
    }
