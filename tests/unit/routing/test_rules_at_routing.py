"""The rules at routing: their order, and what an invitation and a result tell of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.rules import ALL_RULES
from consumer.records.result import Reason
from consumer.routing.endings import Endings
from consumer.routing.router import Router
from tests.unit.routing.test_router import (
    AT,
    EMAIL,
    PHONE,
    event,
    invitations,
    make_router,
    only_invitation,
    only_result,
    pseudonym,
    record,
    route,
    rule,
)

HOUR = 3600.0
ZONE = ["customer.zone", "'Europe/Istanbul'"]
NIGHT = {"times": ["21:00-09:00"]}
EVERY_RULE: dict[str, Any] = {
    "exclude": "excluded",
    "customer_since": "too_new",
    "holdout": "holdout",
    "sample": "not_sampled",
    "consent": "no_consent",
    "quiet_hours": "quiet_hours",
}
REFUSING: dict[str, Any] = {
    "customer_since": {"at": "customer.created", "at_least": "30d"},
    "holdout": {"rate": 1, "salt": "control"},
    "sample": {"rate": 0, "salt": "q4"},
    "consent": {"sms": "customer.consent.sms", "email": "customer.consent.email"},
    "quiet_hours": {"times": ["00:00-23:00"], "at_quiet": "drop"},
}


def with_rules(*names: str, **policy: object) -> Router:
    """A router whose rules of these names refuse every event."""
    policy |= {name: REFUSING[name] for name in names if name in REFUSING}
    if "quiet_hours" in policy or "send_at" in policy:
        policy.setdefault("timezone", ZONE)
    exclude = {"emails": [EMAIL], "phones": ["+90532*"]} if "exclude" in names else {}
    person = {"id": "customer.id"}
    inputs = {"pos": {"topics": ["pos"], "format": "json", "person": person}}
    return make_router(rule(policy=policy), exclude=exclude, inputs=inputs)


def customers(number: int, **more: object) -> list[bytes]:
    return [
        event(id=f"t{name}", customer={"id": name, "phone": PHONE, **more})
        for name in range(number)
    ]


@pytest.mark.parametrize("first", range(len(EVERY_RULE)))
def test_the_first_rule_that_refuses_gives_the_reason(first: int) -> None:
    """In the order that the docs publish: each one refuses, and those after it as well."""
    names = list(EVERY_RULE)[first:]
    result = only_result(route(with_rules(*names), event()))
    assert result["reason"] == EVERY_RULE[names[0]]
    assert result["status"] == "suppressed"


def test_expiry_comes_before_every_rule() -> None:
    old = route(with_rules(*EVERY_RULE), event(), now=AT + 72 * HOUR)
    assert only_result(old)["reason"] == "too_old"


def test_an_unmatched_event_is_asked_nothing() -> None:
    routed = route(with_rules(*EVERY_RULE), event(channel="web"))
    assert (routed.results, routed.counts) == ([], {("pos", "unmatched", ""): 1})


def test_results_of_rules_are_counted_by_reason() -> None:
    routed = route(with_rules("sample"), *customers(3))
    assert routed.counts == {("pos", "suppressed", "not_sampled"): 3}
    assert {result["bucket"] >= 0 for result in routed.results} == {True}


# ---- exclusion -------------------------------------------------------------------------------


def test_an_excluded_event_or_address_gets_no_survey() -> None:
    exclude = {"emails": ["*@ourcompany.example"], "match": {"customer": {"type": ["employee"]}}}
    inputs = {"pos": {"topics": ["pos"], "format": "json", "person": {"email": "customer.work"}}}
    router = make_router(rule(), exclude=exclude, inputs=inputs)
    excluded: Sequence[dict[str, object]] = (
        {"phone": PHONE, "type": "employee"},
        {"email": "Ada@OurCompany.example"},
        {"phone": PHONE, "email": "ada@ourcompany.example"},
        {"phone": PHONE, "work": "ada@ourcompany.example"},
    )
    for customer in excluded:
        assert only_result(route(router, event(customer=customer)))["reason"] == "excluded"
    assert only_invitation(route(router, event()))


@pytest.mark.parametrize(
    ("created", "reason"),
    [
        ("2026-10-23T15:37:07Z", None),
        ("2026-10-23T15:37:08Z", "too_new"),
        ("2026-10-22", None),
        ("2026-10-23", "too_new"),
        (None, "too_new"),
    ],
)
def test_a_customer_is_counted_back_from_the_transaction(
    created: str | None, reason: str | None
) -> None:
    """A date without a time counts from its end."""
    customer = {"phone": PHONE, "created": created}
    routed = route(with_rules("customer_since"), event(customer=customer), now=AT + 60 * HOUR)
    assert [result["reason"] for result in routed.results] == ([reason] if reason else [])


# ---- chance ----------------------------------------------------------------------------------


def test_a_sample_keeps_its_customers_in_each_replay_and_restart() -> None:
    def sampled(rate: float) -> set[str]:
        router = with_rules(sample={"rate": rate, "salt": "q4"})
        routed = route(router, *customers(400))
        assert len(routed.results) + len(routed.invitations) == 400
        return {invitation["event_id"] for invitation in invitations(routed)}

    assert sampled(0.3) == sampled(0.3)
    assert sampled(0.1) < sampled(0.3) < sampled(0.9) < sampled(1)
    assert 80 < len(sampled(0.3)) < 160


def test_a_holdout_is_the_same_customers_on_all_routes() -> None:
    """Also where a route samples by the event: the control group is one of persons."""
    policy = {"holdout": {"rate": 0.3, "salt": "control"}}
    rules = [rule("one", policy=policy), rule("two", policy=policy)]
    inputs = {"pos": {"topics": ["pos"], "format": "json", "routes": "all"}}
    inputs["pos"]["person"] = {"id": "customer.id"}  # type: ignore[assignment]
    routed = route(make_router(*rules, inputs=inputs), *customers(300))
    held_out = [(result["route"], result["event_id"]) for result in routed.results]
    groups = [{event_id for name, event_id in held_out if name == one} for one in ("one", "two")]
    assert groups[0] == groups[1]
    assert 50 < len(groups[0]) < 130
    assert {result["reason"] for result in routed.results} == {"holdout"}


def test_a_customer_without_a_person_is_dealt_by_the_event() -> None:
    """Rates hold, though nothing identifies the customers: all of them are one e-mail address."""
    router = with_rules(sample={"rate": 0.5, "salt": "q4", "by": "customer.none"})
    routed = route(router, *customers(400))
    assert 140 < len(routed.invitations) < 260


SPLIT = {"split": {"sms": 70, "email": 30}}


def test_a_split_deals_customers_by_weight_and_keeps_them() -> None:
    """All events of a customer take the same campaign."""
    inputs = {"pos": {"topics": ["pos"], "format": "json", "person": {"id": "customer.id"}}}
    router = make_router(rule(send=[SPLIT]), inputs=inputs)
    events = customers(400, email=EMAIL)
    once, again = (invitations(route(router, *events)) for _ in range(2))
    assert [made["campaign"] for made in once] == [made["campaign"] for made in again]
    counts = Counter(made["campaign"] for made in once)
    assert 230 < counts["sms"] < 330
    assert counts["sms"] + counts["email"] == 400


def test_a_split_is_dealt_anew_by_another_salt_and_by_another_route() -> None:
    def campaigns(name: str, **more: object) -> list[str]:
        router = make_router(rule(name, send=[{**SPLIT, "by": "event", **more}]))
        made = invitations(route(router, *customers(60, email=EMAIL)))
        return [each["campaign"] for each in made]

    assert campaigns("one") == campaigns("one", salt="one") == campaigns("two", salt="one")
    assert campaigns("one") != campaigns("two") != campaigns("one", salt="x") != campaigns("one")


def test_a_branch_that_cannot_reach_leaves_the_next_campaign_its_turn() -> None:
    router = make_router(rule(send=[{"split": {"sms": 1, "email": 1e6}}, "sms"]))
    assert only_invitation(route(router, event()))["campaign"] == "sms"
    alone = make_router(rule(send=[{"split": {"sms": 1, "email": 1e6}}]))
    result = only_result(route(alone, event()))
    assert (result["reason"], result["fields"]) == ("no_recipient", ["phone", "email"])


# ---- consent and address ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("customer", "ending"),
    [
        ({"phone": PHONE, "email": EMAIL, "consent": {"sms": True, "email": True}}, "sms"),
        ({"phone": PHONE, "email": EMAIL, "consent": {"sms": False, "email": True}}, "email"),
        ({"phone": PHONE, "email": EMAIL, "consent": {"sms": "true"}}, Reason.NO_CONSENT),
        ({"phone": PHONE, "email": EMAIL}, Reason.NO_CONSENT),
        ({"phone": PHONE, "consent": {"email": True}}, Reason.NO_CONSENT),
        ({"email": EMAIL, "consent": {"sms": True}}, Reason.NO_CONSENT),
        ({"consent": {"sms": True, "email": True}}, Reason.NO_RECIPIENT),
        ({"phone": "bad", "consent": {"sms": True}}, Reason.INVALID_RECIPIENT),
    ],
)
def test_a_channel_is_used_only_where_the_customer_agreed(
    customer: dict[str, object], ending: str
) -> None:
    routed = route(with_rules("consent"), event(customer=customer))
    if isinstance(ending, Reason):
        assert only_result(routed)["reason"] == ending
    else:
        assert only_invitation(routed)["campaign"] == ending


def test_the_campaign_without_consent_stands_in_the_result() -> None:
    result = only_result(route(with_rules("consent"), event()))
    assert (result["campaign"], result["channel"], result["recipient"]) == ("sms", "sms", None)


@pytest.mark.parametrize("policy", [{}, {"sample": {"rate": 1, "salt": "s"}}])
def test_a_rule_that_reads_other_addresses_changes_no_reason(policy: dict[str, object]) -> None:
    """A sample by person reads the e-mail address, which no campaign of this route uses."""
    router = make_router(rule(send=["sms"], policy=policy))
    result = only_result(route(router, event(customer={"email": "no address"})))
    assert (result["reason"], result["fields"]) == ("no_recipient", ["phone"])


# ---- due time --------------------------------------------------------------------------------


def istanbul(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}+03:00").timestamp()


def test_an_invitation_due_later_has_its_time_zone_and_due_time() -> None:
    """An event of 18:37 by the customer's clock."""
    router = with_rules(delay="3h", quiet_hours=NIGHT)
    routed = route(router, event())
    (encoded,) = routed.invitations
    invitation = only_invitation(routed)
    due = istanbul("2026-11-23T09:00")
    assert (encoded.due_at, invitation["eligible_from"], invitation["zone"]) == (
        due,
        due,
        "Europe/Istanbul",
    )
    assert invitation["timezone_from"] == "'Europe/Istanbul'"
    assert "due_at" not in invitation  # that is the delay topics' own


def test_an_invitation_whose_due_time_has_come_keeps_it_and_goes_at_once() -> None:
    """A replay tells the same due time, and burns no objective of waiting."""
    router = with_rules(delay="2h")
    early, late = route(router, event()), route(router, event(), now=AT + 5 * HOUR)
    assert [made.due_at for made in (*early.invitations, *late.invitations)] == [AT + 2 * HOUR, 0]
    due = [invitation["eligible_from"] for out in (early, late) for invitation in invitations(out)]
    assert due == [AT + 2 * HOUR] * 2


def test_without_a_schedule_an_invitation_has_no_due_time() -> None:
    invitation = only_invitation(route(make_router(), event()))
    assert not {"eligible_from", "zone", "timezone", "priority", "bucket"} & invitation.keys()


def test_what_expires_before_it_is_due_ends_with_its_due_time() -> None:
    router = with_rules(delay="3h", expire_after="5h", quiet_hours=NIGHT)
    result = only_result(route(router, event()))
    assert (result["status"], result["reason"]) == ("expired", "expired_in_quiet_hours")
    assert (result["due_at"], result["timezone"]) == ("2026-11-23T06:00:00.000Z", "Europe/Istanbul")
    assert (result["campaign"], result["recipient"]) == ("sms", pseudonym(PHONE))


@given(st.integers(0, 10**6), st.integers(0, 200))
def test_a_replay_routes_alike(at: int, later: int) -> None:
    """Whatever the hour: only the times of routing differ."""
    router = with_rules(
        sample={"rate": 0.5, "salt": "s"}, quiet_hours=NIGHT, delay="2h", spread="30m"
    )
    value = event(time=int(AT) + at, id=f"t{at}", customer={"id": at, "phone": PHONE})
    once = router.route([record(value)], AT + at)
    again = router.route([record(value)], AT + at + later * 60)
    assert len(once.invitations) + len(once.results) == 1

    def told(out: Any) -> list[dict[str, object]]:
        made: list[Any] = [*map(dict, invitations(out)), *out.results]
        return [{key: value for key, value in one.items() if key != "routed_at"} for one in made]

    assert told(once) == told(again)


# ---- modes -----------------------------------------------------------------------------------

TESTER, TESTER_MAIL = "+905330000001", "tester@ourcompany.example"
DATA = {
    "custom_attributes": {
        "phone": "customer.phone",
        "text": "join(' ', ['call', customer.phone, 'or', customer.email])",
        "name": "customer.name",
    }
}


def redirected(**changes: object) -> Router:
    testers = {"phone": TESTER, "email": TESTER_MAIL}
    return make_router(rule(mode="redirect", testers=testers, data=DATA) | changes)


@pytest.mark.parametrize("phone", [PHONE, "0532 123 45 67", "05321234567", 5321234567])
def test_a_redirected_survey_has_nothing_of_the_customers_address(phone: object) -> None:
    customer = {"phone": phone, "email": "Canary.Person@Example.com", "name": "Ada"}
    routed = route(redirected(), event(customer=customer))
    invitation = only_invitation(routed)
    assert invitation["address"] == {"phone": TESTER}
    assert invitation["pseudonym"] == routed.invitations[0].key == pseudonym(TESTER)
    assert invitation["redirected"] is True
    text = routed.invitations[0].value.decode()
    assert not any(part in text for part in (str(phone), PHONE, EMAIL, "Canary.Person"))
    attributes = invitation["data"]["custom_attributes"]
    assert isinstance(attributes, dict)
    assert attributes["name"] == "Ada"
    assert attributes["phone"] == TESTER


def test_a_redirected_survey_takes_the_testers_address_that_its_channel_uses() -> None:
    email = only_invitation(route(redirected(), event(customer={"email": EMAIL})))
    assert (email["campaign"], email["address"]) == ("email", {"email": TESTER_MAIL})
    both = redirected(send=["visit"], data={"locationDisplayId": "customer.email"})
    visit = only_invitation(route(both, event(customer={"phone": PHONE, "email": EMAIL})))
    assert visit["address"] == {"phone": TESTER, "email": TESTER_MAIL}
    assert EMAIL not in str(visit)


def test_a_redirected_route_obeys_every_rule_for_its_customer() -> None:
    """The testers' own address would be excluded."""
    exclude = {"emails": ["*@ourcompany.example"]}
    testers = {"phone": TESTER, "email": TESTER_MAIL}
    router = make_router(rule(mode="redirect", testers=testers), exclude=exclude)
    assert only_invitation(route(router, event(customer={"email": EMAIL})))
    staff = only_result(route(router, event(customer={"email": "ada@ourcompany.example"})))
    assert staff["reason"] == "excluded"


def test_short_texts_of_an_event_are_no_addresses() -> None:
    router = redirected(data={"custom_attributes": {"floor": "customer.floor"}})
    routed = route(router, event(customer={"phone": PHONE, "email": "4", "floor": "4"}))
    assert only_invitation(routed)["data"] == {"custom_attributes": {"floor": "4"}}


@pytest.mark.parametrize("mode", ["shadow", "live"])
def test_an_invitation_says_whether_it_was_made_in_shadow(mode: str) -> None:
    made = only_invitation(route(make_router(rule(mode=mode)), event(customer={"phone": PHONE})))
    assert made.get("shadow") is (True if mode == "shadow" else None)


# ---- what contact rules count by ---------------------------------------------------------------


def test_an_invitation_tells_under_what_its_contacts_are_counted() -> None:
    inputs = {
        "pos": {
            "topics": ["pos"],
            "format": "json",
            "person": {"id": "customer.id", "email": "customer.email"},
        }
    }
    router = make_router(rule(tags=["nps", "store"], priority=60), inputs=inputs)
    (own,) = router.inputs["pos"].routes
    counted = replace(own, counted_by=[("store.id", lambda body: body.get("store"))])
    known = {"pos": replace(router.inputs["pos"], routes=[counted])}
    counting = Router(known, Endings(pseudonym, "v1", counts_contacts=True), ALL_RULES)
    customer = {"id": 7, "phone": PHONE, "email": EMAIL}
    (made,) = invitations(route(counting, event(customer=customer, store=7)))
    assert made["person"] == [pseudonym(text) for text in ("id:7", EMAIL, PHONE)]
    assert (made["tags"], made["keys"], made["priority"]) == (
        ["nps", "store"],
        {"store.id": "7"},
        60,
    )
    assert PHONE not in orjson.dumps({**made, "address": None}).decode()
    (without,) = invitations(route(router, event(customer=customer)))
    assert not {"person", "tags", "keys"} & without.keys()
    plain = replace(router.inputs["pos"], routes=[replace(own, tags=())])
    untagged = Router({"pos": plain}, Endings(pseudonym, "v1", counts_contacts=True), ALL_RULES)
    (alone,) = invitations(route(untagged, event(customer=customer)))
    assert {"person", "tags", "keys"} & alone.keys() == {"person"}
    exempt = replace(router.inputs["pos"], routes=[replace(own, contact="exempt")])
    passing = Router({"pos": exempt}, Endings(pseudonym, "v1", counts_contacts=True), ALL_RULES)
    (counts_only,) = invitations(route(passing, event(customer=customer)))
    assert (counts_only["contact"], "contact" in made) == ("exempt", False)


def test_invitations_of_an_input_with_set_times_wait_for_the_next_one() -> None:
    """Also a late event's: an input is read at set times only. With a delay, too."""
    schedule = {"cron": ["0 10 * * *"], "timezone": "Europe/Istanbul"}
    inputs = {"pos": {"topics": ["pos"], "format": "json", "schedule": schedule}}
    ten = dt.datetime(2026, 11, 23, 7, tzinfo=dt.UTC).timestamp()  # AT is the day before, 18:37
    made = only_invitation(route(make_router(rule(), inputs=inputs), event()))
    assert made["eligible_from"] == ten
    late = route(make_router(rule(), inputs=inputs), event(), now=AT + 24 * HOUR)
    assert only_invitation(late)["eligible_from"] == ten + 24 * HOUR
    delayed = make_router(rule(policy={"delay": "20h"}), inputs=inputs)
    assert only_invitation(route(delayed, event()))["eligible_from"] == ten + 24 * HOUR


def test_an_event_that_expires_before_the_next_set_time_ends() -> None:
    schedule = {"cron": ["0 10 * * *"], "timezone": "Europe/Istanbul"}
    inputs = {"pos": {"topics": ["pos"], "format": "json", "schedule": schedule}}
    router = make_router(rule(policy={"expire_after": "12h"}), inputs=inputs)
    result = only_result(route(router, event()))
    assert result["reason"] == Reason.EXPIRED_IN_QUIET_HOURS
    assert str(result["due_at"]).startswith("2026-11-23T07:00")
