"""Changes: what records of results and of contacts change in the contact store.

accepted     sent, at the result's `sent_at`
unknown      it may have come: kept
the others, and what went to a tester: released
"""

from __future__ import annotations

from collections.abc import Callable

from consumer.policy.contacts.history import EVERYTHING, Answer, Facts, Suppression
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.settling import Answered, Change, Outcome, Settled, Suppressed
from consumer.records.contact_record import AnswerRecord, ContactRecord
from consumer.records.result import Result, Status

NamesOf = Callable[[str], tuple[str | None, str | None]]
"""Route → the names of its pace and of its `deduplicate`."""

TimeOf = Callable[[object], tuple[float, str] | None]
"""Reads RFC 3339."""

FactsOf = Callable[[str, str], Facts | None]
"""Route and campaign of an answer → what rules look at; None: not known, so it fills every rule."""


def _no_facts(_route: str, _campaign: str) -> None:
    return None


def change_of_result(
    result: Result, written_at: float, names_of: NamesOf, time_of: TimeOf
) -> Settled | None:
    """Return what a result changes; None for one that names no person, and has no other key.

    `written_at`: epoch seconds of its record, for one that does not say when it was sent. A result
    of before the contact rules counts by its recipient.
    """
    recipient = result["recipient"]
    persons = tuple(result.get("person") or ([recipient] if recipient else []))
    if not persons and not result.get("keys"):
        return None
    pace, duplicates = names_of(result["route"])
    routed_at, sent_at = time_of(result["routed_at"]), time_of(result["sent_at"])
    request = Request(
        result["id"],
        persons,
        routed_at[0] if routed_at else written_at,
        Facts(
            result["route"],
            result["campaign"] or "",
            result["channel"] or "",
            result["vendor"] or "",
            tuple(result.get("tags", ())),
        ),
        dict(result.get("keys", {})),
        contact=result.get("contact", "obey"),
        resend_of=result.get("resend_of"),
        pace=pace,
        duplicates=duplicates,
    )
    return Settled(request, _outcome(result), sent_at[0] if sent_at else written_at)


def _outcome(result: Result) -> Outcome:
    if result.get("redirected"):
        return "released"
    if result["status"] == Status.ACCEPTED:
        return "sent"
    return "unknown" if result["status"] == Status.UNKNOWN else "released"


def change_of_contact(record: ContactRecord, facts_of: FactsOf = _no_facts) -> Change:
    """Return what a contact record changes."""
    if isinstance(record, AnswerRecord):
        answer = Answer(record.at, facts_of(record.route, record.campaign))
        return Answered((record.person,), answer)
    suppression = Suppression(
        record.scope or EVERYTHING, record.at, record.reason, record.until, removed=record.removed
    )
    return Suppressed((record.person,), suppression)
