"""The seam for a contact history: whose decision counts, and what each rule says of it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from consumer.config.load import load
from consumer.contacts.book import ContactBook
from consumer.contacts.memory import MemoryStore
from consumer.operations.explain.contact_answers import AskContacts
from consumer.operations.explain.explainer import Explainer
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.shapes import Explanation, RuleAnswer
from consumer.policy.contacts.explaining import RuleCheck
from consumer.policy.contacts.request import GRANTED, Decision, Request, Verdict
from consumer.records.input_record import InputRecord
from consumer.records.result import Reason
from consumer.wiring.contacts import build_contact_rules
from tests.unit.operations.explain.cases import FOLDER

CONFIG = load(FOLDER / "configs" / "contacts.yaml", env={})
NOW = 1_795_435_200.0
LATER = NOW + 86_400


def explain(ask: AskContacts, kind: str = "care") -> Explanation:
    customer = {"id": "c-1", "phone": "+905321234567"}
    event = {"id": "1", "time": "2026-11-23T10:00:00Z", "kind": kind, "customer": customer}
    record = InputRecord("pos", 0, 0, orjson.dumps(event))
    return Explainer(CONFIG, Masking(), ask).explain(record, NOW, 1)


def rules_of(told: Explanation) -> dict[str, RuleAnswer]:
    return {rule["rule"]: rule for rule in told["rules"]}


def deciding(decision: Decision, *checks: RuleCheck) -> AskContacts:
    def ask(_request: Request) -> tuple[Decision, Sequence[RuleCheck]]:
        return decision, checks

    return ask


def test_an_empty_history_grants_all() -> None:
    book = ContactBook(MemoryStore(lambda: NOW), build_contact_rules(CONFIG))
    told = explain(book.explain)
    assert told["decision"] == "invite"
    assert all(rule["holds"] for rule in told["rules"])
    assert rules_of(told)["pace"]["detail"] == "at most 200 each month"


def test_the_book_is_asked_about_the_invitation_as_its_lane_has_it() -> None:
    asked: list[Request] = []

    def ask(request: Request) -> tuple[Decision, Sequence[RuleCheck]]:
        asked.append(request)
        return GRANTED, ()

    explain(ask)
    (request,) = asked
    assert (request.facts.route, request.facts.channel, request.facts.tags) == (
        "care",
        "sms",
        ("care",),
    )
    assert len(request.persons) == 2  # the customer's number and the phone, as pseudonyms
    assert all(person.startswith("k1:") for person in request.persons)


def test_a_full_rule_is_the_reason_and_says_from_when_on_it_has_room() -> None:
    full = RuleCheck("month", "full", LATER, "of-another-invitation")
    refused = Decision(Verdict.REFUSED, Reason.CONTACT_LIMIT, "month", LATER)
    told = explain(deciding(refused, RuleCheck("everyone", "replaced"), full))
    assert (told["decision"], told["reason"]) == ("suppressed", "contact_limit")
    rule = rules_of(told)["contact_rules.month"]
    assert (rule["holds"], rule["eligible_at"]) == (False, "2026-11-24T12:00:00.000Z")
    assert rule["detail"].endswith("blocked by of-another-invitation")
    assert rules_of(told)["contact_rules.everyone"]["holds"] is True
    assert rules_of(told)["pace"]["holds"] is None  # behind the one that refused


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        (Reason.OPTED_OUT, "suppressions"),
        (Reason.BOUNCED, "suppressions"),
        (Reason.DUPLICATE, "deduplicate"),
        (Reason.PACE_MET, "pace"),
    ],
)
def test_a_rule_without_a_state_is_known_by_the_decision(reason: Reason, rule: str) -> None:
    told = explain(deciding(Decision(Verdict.REFUSED, reason, eligible_at=LATER)))
    assert (told["decision"], told["reason"]) == ("suppressed", reason)
    assert rules_of(told)[rule]["holds"] is False
    assert rules_of(told)[rule]["eligible_at"] == "2026-11-24T12:00:00.000Z"


def test_what_waits_for_room_is_invited_later() -> None:
    told = explain(deciding(Decision(Verdict.WAIT, rule="answered", eligible_at=LATER)))
    assert (told["decision"], told["reason"]) == ("invite", None)
    assert "waits" in told["meaning"]


def test_shadow_comes_behind_the_contact_rules() -> None:
    refused = Decision(Verdict.REFUSED, Reason.OPTED_OUT)
    assert explain(deciding(refused), "shadow")["reason"] == "opted_out"
    assert explain(deciding(GRANTED), "shadow")["reason"] == "shadow"
