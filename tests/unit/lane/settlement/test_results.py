"""From an invitation and what became of it to its one result."""

from __future__ import annotations

import orjson
import pytest

from consumer.lane.state.results import CallFacts
from consumer.records.call import Outcome, Verdict
from consumer.records.invitation import Invitation
from consumer.records.result import Reason, ResultReader
from tests.support.lanes import NOW, campaign, held, result_of

OUTCOME = Outcome(Verdict.REJECTED, 400, code="E7", message="no such campaign")


def test_a_result_tells_the_call_and_its_answer() -> None:
    facts = CallFacts.from_call("cloud.1.1", OUTCOME, NOW, NOW + 0.25)
    result = result_of(held(7, "p7").invitation, Reason.VENDOR_REJECTED, campaign("a"), 2, facts)
    assert result == {
        "version": 1,
        "id": "i7",
        "event_id": "e7",
        "status": "rejected",
        "reason": "vendor_rejected",
        "route": "store",
        "campaign": "a",
        "vendor": "pisano",
        "channel": "sms",
        "batch": "cloud.1.1",
        "attempt": 2,
        "http_status": 400,
        "vendor_code": "E7",
        "vendor_message": "no such campaign",
        "recipient": "p7",
        "event_time": "2026-11-22T10:00:00.000Z",
        "routed_at": "2026-11-22T10:00:01.000Z",
        "sent_at": "2025-11-22T08:26:40.000Z",
        "answered_at": "2025-11-22T08:26:40.250Z",
        "config_version": "c1",
        "source": {"topic": "pos", "partition": 0, "offset": 7},
    }


def test_a_result_without_a_call_says_nothing_of_one() -> None:
    """Nor of a vendor, when the config knows the campaign no more."""
    result = result_of(held(7).invitation, Reason.EXPIRED_WAITING, None, 0)
    absent = {"vendor", "channel", "batch", "http_status", "vendor_code", "vendor_message"}
    assert {key for key, value in result.items() if value is None} == absent | {
        "sent_at",
        "answered_at",
    }


@pytest.mark.parametrize("reason", Reason)
def test_every_result_is_readable_and_carries_no_address(reason: Reason) -> None:
    written = orjson.dumps(result_of(held(7).invitation, reason, campaign("a"), 1))
    assert ResultReader.validate_json(written)["status"] is reason.status
    assert b"+90" not in written


def test_the_result_of_a_resend_names_the_invitation_that_was_sent_again() -> None:
    again: Invitation = {**held(7, "p7").invitation, "resend_of": "i3"}
    result = result_of(again, Reason.ACCEPTED, None, 1)
    assert result["resend_of"] == "i3"
    assert ResultReader.validate_json(orjson.dumps(result)) == result
