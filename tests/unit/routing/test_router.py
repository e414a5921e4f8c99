"""The router: which invitation, result or dead letter an event becomes, and what it may tell."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import logging
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.load import load
from consumer.policy.rules import ALL_RULES
from consumer.records.channel import ChannelSpec
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.records.invitation import Invitation, RecordReader, Source
from consumer.records.readers import read_invitation
from consumer.records.result import Reason, Result, ResultReader, Status
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.payload import decode_json
from consumer.routing.endings import INVITATION_LIMIT, Endings
from consumer.routing.expressions import compile_value
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.recipients.recipients import PhoneNormaliser
from consumer.routing.route import Body, Getter, Kind, Normaliser, Route, Target
from consumer.routing.routed import Routed
from consumer.routing.router import BEAT_EVERY, RoutedInput, Router
from consumer.wiring.build import build_router, build_vendors

PHONE, EMAIL, NAME = "+905321234567", "canary.person@example.com", "Canary Surname"
CANARIES = (PHONE, "5321234567", EMAIL, "canary.person", NAME, "Canary")
KEY = "a-key-for-tests-only"
TIME = "2026-11-22T15:37:07Z"
AT = 1_795_361_827.0  # the same
NOW = AT + 60
ID = "f8b57607cca6766253113f30af8d47da"
"""Of pos, partition 3, offset 7, route `store`: a release must not change it, results name it."""
LINK = "https://survey.example/s?name={name}&to={phone}&mail={email}&of={event_id}&who={pseudonym}"
BASE: dict[str, Any] = {
    "version": 1,
    "application_id": "surveys",
    "kafka": {"bootstrap.servers": "localhost:9092"},
    "pseudonym": {"key_id": "k1", "key": KEY},
    "quotas": {"cloud": {"limits": ["20/5s"]}, "radar": {"limits": ["1/1s"]}},
    "vendors": {
        "pisano-tr": {
            "type": "pisano",
            "base_url": "https://pisano.example",
            "token": "t",
            "quota": "cloud",
        },
        "radar": {
            "type": "customer_radar",
            "base_url": "https://radar.example",
            "username": "u",
            "password": "p",
            "client": "c",
            "quota": "radar",
        },
    },
    "campaigns": {
        "sms": {"vendor": "pisano-tr", "channel": "sms", "id": "a"},
        "email": {"vendor": "pisano-tr", "channel": "email", "id": "b"},
        "visit": {"vendor": "radar", "channel": "invitation", "id": "c"},
        "link": {"vendor": "pisano-tr", "channel": "link", "id": "d", "link": LINK},
    },
}


def pseudonym(address: str) -> str:
    digest = hmac.digest(KEY.encode(), address.encode(), "sha256")
    return f"k1:{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def rule(name: str = "store", **changes: object) -> dict[str, object]:
    """A route as a user writes it."""
    return {
        "name": name,
        "input": "pos",
        "match": {"channel": "pos"},
        "recipient": {"phone": "customer.phone", "email": "customer.email"},
        "phone_region": "TR",
        "send": ["sms", "email"],
    } | changes


def make_router(*rules: dict[str, object], take: str = "first", **changes: object) -> Router:
    inputs = {"pos": {"topics": ["pos", "pos-old"], "format": "json", "routes": take}}
    document = {**BASE, "inputs": inputs, "routes": rules or [rule()]} | changes
    text = orjson.dumps(document).decode()
    config = load(text, env={})
    return build_router(config, build_vendors(config))


def event(**changes: object) -> bytes:
    sound = {"id": "t-1", "time": TIME, "channel": "pos", "customer": {"phone": PHONE}}
    return orjson.dumps(sound | changes)


def record(value: bytes | None = None, **changes: Any) -> InputRecord:
    return msgspec.structs.replace(InputRecord("pos", 3, 7, value), **changes)


def route(router: Router, *values: bytes | None, now: float = NOW) -> Routed:
    return router.route([record(value, offset=7 + at) for at, value in enumerate(values)], now)


def invitations(routed: Routed) -> list[Invitation]:
    """As the sender reads them; each is exactly what the model says."""
    found = [RecordReader.validate_json(each.value, strict=True) for each in routed.invitations]
    assert [orjson.loads(invitation.value) for invitation in routed.invitations] == found
    return [read_invitation(made.value) for made in routed.invitations]


def only_invitation(routed: Routed) -> Invitation:
    (invitation,) = invitations(routed)
    assert (routed.results, routed.dead_letters) == ([], [])
    return invitation


def only_result(routed: Routed) -> Result:
    (result,) = routed.results
    assert (routed.invitations, routed.dead_letters) == ([], [])
    assert ResultReader.validate_json(orjson.dumps(result)) == result
    assert result.keys() <= Result.__annotations__.keys()
    return result


# ---- invitations ---------------------------------------------------------------------------


def test_an_invitation_has_its_recipient_campaign_and_source() -> None:
    attributes = {"custom_attributes": {"name": "customer.name", "none": "nothing"}}
    routed = route(make_router(rule(data=attributes)), event(customer={"phone": PHONE, "name": 7}))
    invitation = only_invitation(routed)
    version = invitation["config_version"]
    assert len(version) == 12
    assert invitation == {
        "version": 2,
        "id": ID,
        "event_id": "t-1",
        "event_time": TIME,
        "routed_at": "2026-11-22T15:38:07.000Z",
        "expires_at": AT + 72 * 3600,
        "event_at": AT,
        "route": "store",
        "campaign": "sms",
        "pseudonym": pseudonym(PHONE),
        "address": {"phone": PHONE},
        "data": {"custom_attributes": {"name": "7"}},
        "config_version": version,
        "source": {"topic": "pos", "partition": 3, "offset": 7},
    }
    (encoded,) = routed.invitations
    assert (encoded.lane, encoded.campaign, encoded.key) == (
        "cloud",
        "sms",
        invitation["pseudonym"],
    )
    assert routed.counts == {("pos", "routed", ""): 1}


def test_an_invitation_goes_to_the_lane_of_its_campaign() -> None:
    data = {"locationDisplayId": "'x'"}
    routed = route(make_router(rule(send=["visit"], data=data)), event())
    assert [(each.lane, each.campaign) for each in routed.invitations] == [("radar", "visit")]


@pytest.mark.parametrize(
    ("customer", "campaign", "address"),
    [
        ({"phone": PHONE, "email": EMAIL}, "sms", {"phone": PHONE}),
        ({"phone": "05321234567"}, "sms", {"phone": PHONE}),
        ({"phone": "bad", "email": EMAIL}, "email", {"email": EMAIL}),
        ({"email": EMAIL}, "email", {"email": EMAIL}),
    ],
)
def test_the_first_campaign_that_can_reach_is_taken_with_the_addresses_it_needs(
    customer: dict[str, str], campaign: str, address: dict[str, str]
) -> None:
    invitation = only_invitation(route(make_router(), event(customer=customer)))
    assert (invitation["campaign"], invitation["address"]) == (campaign, address)
    assert invitation["pseudonym"] == pseudonym(next(iter(address.values())))


def test_all_valid_addresses_travel_where_the_channel_takes_several() -> None:
    router = make_router(rule(send=["visit"], data={"locationDisplayId": "'x'"}))
    both = only_invitation(route(router, event(customer={"phone": PHONE, "email": EMAIL})))
    assert both["address"] == {"email": EMAIL, "phone": PHONE}
    assert both["pseudonym"] == pseudonym(PHONE)
    one = only_invitation(route(router, event(customer={"phone": PHONE, "email": "bad"})))
    assert one["address"] == {"phone": PHONE}


def test_data_is_limited_to_what_the_campaign_takes() -> None:
    data = {"locationDisplayId": "'x'", "firstName": "name", "custom_attributes": {"n": "name"}}
    router = make_router(rule(send=["sms", "visit"], data=data))
    sms, visit = invitations(
        route(router, event(name="N"), event(name="N", customer={"email": EMAIL}))
    )
    assert sms["data"] == {"custom_attributes": {"n": "N"}}
    assert visit["data"] == {"locationDisplayId": "x", "firstName": "N"}


# ---- matching ------------------------------------------------------------------------------

TWO = (rule("one"), rule("web", match={"channel": "web"}), rule("two", send=["email", "sms"]))


@pytest.mark.parametrize(("take", "expected"), [("first", ["one"]), ("all", ["one", "two"])])
def test_an_event_takes_the_first_route_or_all_that_match(take: str, expected: list[str]) -> None:
    routed = route(make_router(*TWO, take=take), event())
    assert [invitation["route"] for invitation in invitations(routed)] == expected
    assert routed.counts == {("pos", "routed", ""): len(expected)}


def test_first_takes_the_first_route_that_matches_even_if_it_cannot_reach() -> None:
    first = rule("one", recipient={"email": "customer.email"}, send=["email"])
    assert only_result(route(make_router(first, rule("two")), event()))["route"] == "one"


def test_all_settles_each_matching_route_by_itself() -> None:
    second = rule("two", recipient={"email": "customer.email"}, send=["email"])
    routed = route(make_router(rule("one"), second, take="all"), event())
    assert [invitation["route"] for invitation in invitations(routed)] == ["one"]
    assert [(each["route"], each["reason"]) for each in routed.results] == [("two", "no_recipient")]
    assert routed.counts == {("pos", "routed", ""): 1, ("pos", "rejected", "no_recipient"): 1}


@pytest.mark.parametrize("take", ["first", "all"])
def test_an_event_that_no_route_is_for_is_counted(take: str) -> None:
    routed = route(make_router(take=take), event(channel="web"), event(channel="app"))
    assert routed == Routed(counts=Counter({("pos", "unmatched", ""): 2}))


@pytest.mark.parametrize("take", ["first", "all"])
@pytest.mark.parametrize(
    "value",
    [b"{}", b'{"type": "stock-count"}', event(channel="web", id=None), event(channel=1, time="x")],
)
def test_a_record_that_no_route_matches_is_unmatched_whatever_it_lacks(
    take: str, value: bytes
) -> None:
    routed = route(make_router(*TWO[:1], take=take), value)
    assert routed == Routed(counts=Counter({("pos", "unmatched", ""): 1}))


@pytest.mark.parametrize("take", ["first", "all"])
def test_a_record_that_a_route_matches_needs_an_id_and_a_time(take: str) -> None:
    routed = route(make_router(take=take), event(id=None), event(time=None))
    assert [letter.reason for letter in routed.dead_letters] == ["no_id", "no_time"]


@pytest.mark.parametrize("ahead", [86_400, 86_401, 250_000_000_000])
def test_an_event_of_the_far_future_is_a_dead_letter_and_never_invited(ahead: int) -> None:
    at = dt.datetime.fromtimestamp(NOW, dt.UTC) + dt.timedelta(seconds=ahead)
    routed = route(make_router(), event(time=at.isoformat()))
    expected = ("routed", "") if ahead == 86_400 else ("dead_letter", "bad_time")
    assert routed.counts == {("pos", *expected): 1}


def test_times_are_read_as_the_input_says() -> None:
    keys = {"time_unit": "s", "timezone": "Europe/Istanbul"}
    inputs = {"pos": {"topics": ["pos"], "format": "json", "event": keys}}
    router = make_router(inputs=inputs)
    local = only_invitation(route(router, event(time="2026-11-22 18:37:07")))
    assert (local["event_time"], local["expires_at"]) == (TIME, AT + 72 * 3600)
    assert only_invitation(route(router, event(time=int(AT))))["expires_at"] == AT + 72 * 3600
    assert route(router, event(time=int(AT) * 1000)).dead_letters[0].reason == "bad_time"


def test_counts_are_by_topic() -> None:
    router = make_router()
    routed = router.route([record(event()), record(b"x", topic="pos-old")], NOW)
    assert routed.counts == {("pos", "routed", ""): 1, ("pos-old", "dead_letter", "not_json"): 1}


def test_no_records_make_nothing() -> None:
    assert make_router().route([], NOW) == Routed()


def test_a_long_poll_shows_that_it_is_alive() -> None:
    beats: list[int] = []
    router = make_router()
    many = [record(b"x", offset=offset) for offset in range(3 * BEAT_EVERY + 1)]
    router.route(many, NOW, lambda: beats.append(1))
    assert len(beats) == 4


# ---- results -------------------------------------------------------------------------------


def test_a_result_names_the_route_and_repeats_the_event() -> None:
    routed = route(make_router(), event(customer={}))
    result = only_result(routed)
    version = result["config_version"]
    assert len(version) == 12
    assert result == {
        "version": 1,
        "id": ID,
        "event_id": "t-1",
        "status": Status.REJECTED,
        "reason": Reason.NO_RECIPIENT,
        "route": "store",
        "campaign": None,
        "vendor": None,
        "channel": None,
        "batch": None,
        "attempt": 0,
        "http_status": None,
        "vendor_code": None,
        "vendor_message": None,
        "recipient": None,
        "event_time": TIME,
        "routed_at": "2026-11-22T15:38:07.000Z",
        "sent_at": None,
        "answered_at": None,
        "config_version": version,
        "source": {"topic": "pos", "partition": 3, "offset": 7},
        "fields": ["phone", "email"],
    }


@pytest.mark.parametrize(
    ("customer", "reason", "fields"),
    [
        (None, Reason.NO_RECIPIENT, ["phone", "email"]),
        ({"phone": None, "email": ""}, Reason.NO_RECIPIENT, ["phone", "email"]),
        ({"mobile": PHONE}, Reason.NO_RECIPIENT, ["phone", "email"]),
        ({"phone": "bad"}, Reason.INVALID_RECIPIENT, ["phone"]),
        ({"phone": "+902161234567"}, Reason.INVALID_RECIPIENT, ["phone"]),
        ({"phone": "bad", "email": "bad"}, Reason.INVALID_RECIPIENT, ["phone", "email"]),
        ({"email": "bad"}, Reason.INVALID_RECIPIENT, ["email"]),
    ],
)
def test_no_address_is_not_an_invalid_address(
    customer: object, reason: Reason, fields: list[str]
) -> None:
    routed = route(make_router(), event(customer=customer))
    result = only_result(routed)
    assert result["fields"] == fields
    assert (result["status"], result["reason"]) == (Status.REJECTED, reason)
    assert result["campaign"] is None
    assert routed.counts == {("pos", "rejected", reason): 1}


def test_an_address_that_no_campaign_of_the_route_uses_is_none() -> None:
    router = make_router(rule(send=["sms"]))
    result = only_result(route(router, event(customer={"email": EMAIL})))
    assert (result["reason"], result["fields"]) == (Reason.NO_RECIPIENT, ["phone"])


HOUR = make_router(rule(policy={"expire_after": "1h"}))


@given(st.integers(-10, 10))
def test_an_event_expires_when_its_age_is_expire_after(away: int) -> None:
    routed = route(HOUR, event(), now=AT + 3600 + away)
    expected = ("expired", "too_old") if away >= 0 else ("routed", "")
    assert routed.counts == {("pos", *expected): 1}


def test_too_old_is_said_whatever_the_recipient() -> None:
    result = only_result(route(HOUR, event(customer={}), now=AT + 3600))
    assert (result["status"], result["reason"]) == (Status.EXPIRED, Reason.TOO_OLD)


def test_expiry_is_counted_from_the_transaction_in_its_own_offset() -> None:
    local = dt.datetime.fromtimestamp(AT, dt.timezone(dt.timedelta(hours=3))).isoformat()
    invitation = only_invitation(route(HOUR, event(time=local)))
    assert (invitation["event_time"], invitation["expires_at"]) == (local, AT + 3600)


def test_a_required_field_that_is_missing_is_invalid_data_of_that_campaign() -> None:
    router = make_router(rule(send=["visit", "sms"], data={"locationDisplayId": "store"}))
    result = only_result(route(router, event()))
    assert (result["status"], result["reason"]) == (Status.REJECTED, Reason.INVALID_DATA)
    assert (result["campaign"], result["vendor"]) == ("visit", "radar")
    assert result["channel"] == "invitation"
    assert result["fields"] == ["locationDisplayId"]
    assert result["recipient"] == pseudonym(PHONE)


def test_all_that_lacks_is_named_in_the_configs_words() -> None:
    campaign = {**BASE["campaigns"]["visit"], "required": ["metadata.tier", "firstName"]}
    campaigns = {**BASE["campaigns"], "visit": campaign}
    data = {"locationDisplayId": "a", "firstName": "b", "metadata": {"tier": "c", "n": "amount"}}
    router = make_router(rule(send=["visit"], data=data), campaigns=campaigns)
    result = only_result(route(router, event(a=" ", customer={"email": EMAIL})))
    assert result["fields"] == ["firstName", "locationDisplayId", "metadata.tier"]
    assert result["recipient"] == pseudonym(EMAIL)


def test_an_invitation_over_256_kib_is_invalid_data() -> None:
    router = make_router(rule(data={"custom_attributes": {"note": "note"}}))
    spare = INVITATION_LIMIT - len(route(router, event(note="")).invitations[0].value)
    fits = route(router, event(note="x" * spare))
    assert len(fits.invitations[0].value) == INVITATION_LIMIT == 262_144
    result = only_result(route(router, event(note="x" * (spare + 1))))
    assert (result["reason"], result["campaign"]) == (Reason.INVALID_DATA, "sms")
    assert result["fields"] == ["custom_attributes.note"]
    assert result["recipient"] == pseudonym(PHONE)


# ---- links ---------------------------------------------------------------------------------

LINKS = make_router(rule(send=["link"], data={"name": "customer.name"}))


def test_a_link_is_a_result_at_once_and_no_invitation() -> None:
    routed = route(LINKS, event(customer={"phone": "05321234567", "name": "Ada & Co"}))
    result = only_result(routed)
    recipient_id = pseudonym(PHONE)
    assert result == {
        "version": 1,
        "id": ID,
        "event_id": "t-1",
        "status": Status.ACCEPTED,
        "reason": Reason.LINK_MADE,
        "route": "store",
        "campaign": "link",
        "vendor": "pisano-tr",
        "channel": "link",
        "batch": None,
        "attempt": 0,
        "http_status": None,
        "vendor_code": None,
        "vendor_message": None,
        "recipient": recipient_id,
        "event_time": TIME,
        "routed_at": "2026-11-22T15:38:07.000Z",
        "sent_at": None,
        "answered_at": None,
        "config_version": result["config_version"],
        "source": {"topic": "pos", "partition": 3, "offset": 7},
        "link": (
            "https://survey.example/s?name=Ada%20%26%20Co&to=%2B905321234567&of=t-1"
            f"&who={recipient_id.replace(':', '%3A')}"
        ),
    }
    assert routed.counts == {("pos", "accepted", "link_made"): 1}


@pytest.mark.parametrize(
    ("customer", "query", "named"),
    [
        ({"email": EMAIL}, "?mail=canary.person%40example.com&of=t-1&who=", EMAIL),
        ({"phone": "bad", "email": EMAIL}, "?mail=canary.person%40example.com&of=t-1&who=", EMAIL),
        ({"phone": "bad"}, "?of=t-1", None),
        ({}, "?of=t-1", None),
        (None, "?of=t-1", None),
    ],
)
def test_a_link_needs_no_address(customer: object, query: str, named: str | None) -> None:
    """The company delivers it, by what it knows of the event."""
    result = only_result(route(LINKS, event(customer=customer)))
    assert result["link"].startswith(f"https://survey.example/s{query}")
    assert result["recipient"] == (pseudonym(named) if named else None)


def test_a_link_reaches_recipients_without_an_address() -> None:
    router = make_router(rule(send=["sms", "link"], data={"name": "customer.name"}))
    assert only_invitation(route(router, event()))["campaign"] == "sms"
    assert only_result(route(router, event(customer={})))["campaign"] == "link"


def test_a_link_is_not_made_too_late() -> None:
    assert only_result(route(LINKS, event(), now=AT + 72 * 3600))["reason"] is Reason.TOO_OLD


def test_a_link_that_cannot_be_made_is_invalid_data() -> None:
    result = only_result(route(LINKS, event(customer={"phone": PHONE, "name": "x" * 8_000})))
    assert (result["status"], result["reason"]) == (Status.REJECTED, Reason.INVALID_DATA)
    assert (result["campaign"], result["channel"]) == ("link", "link")
    assert (result["fields"], "link" in result) == (["name"], False)
    assert result["recipient"] == pseudonym(PHONE)


@pytest.mark.parametrize(
    ("customer", "fields"),
    [({}, ["name"]), ({"name": ".."}, ["name"]), ({"name": "x" * 9_000, "id": "1"}, ["name"])],
)
def test_a_link_that_cannot_be_made_names_why(customer: dict[str, str], fields: list[str]) -> None:
    template = "https://survey.example/{name}/x?id={id}#{event_id}"
    campaigns = {**BASE["campaigns"], "link": {**BASE["campaigns"]["link"], "link": template}}
    data = {"name": "customer.name", "id": "customer.id"}
    router = make_router(rule(send=["link"], data=data), campaigns=campaigns)
    result = only_result(route(router, event(customer=customer)))
    assert (result["reason"], result["fields"]) == (Reason.INVALID_DATA, fields)
    assert result["recipient"] is None


def test_the_customer_is_in_the_link_and_nowhere_else() -> None:
    routed = route(LINKS, event(customer=CUSTOMER))
    made = routed.results[0].pop("link")
    assert [canary for canary in (PHONE[1:], "canary.person", "Canary") if canary in made] != []
    assert not [canary for canary in CANARIES if canary in shown(routed)]


# ---- validation before the call ------------------------------------------------------------


def test_a_point_of_measure_that_the_location_does_not_have_is_invalid_data() -> None:
    """The account lists them for locations with several, which cannot be called without one."""
    account = {**BASE["vendors"]["radar"], "points_of_measure": {"mall": ["door", "till"]}}
    vendors = {**BASE["vendors"], "radar": account}
    data = {"locationDisplayId": "place", "pomDisplayId": "point"}
    router = make_router(rule(send=["visit"], data=data), vendors=vendors)
    assert only_invitation(route(router, event(place="mall", point="till")))["data"] == {
        "locationDisplayId": "mall",
        "pomDisplayId": "till",
    }
    assert only_invitation(route(router, event(place="kiosk")))["data"] == {
        "locationDisplayId": "kiosk"
    }
    for wrong in ({}, {"point": ""}, {"point": "roof"}):
        result = only_result(route(router, event(place="mall", **wrong)))
        assert (result["reason"], result["campaign"]) == (Reason.INVALID_DATA, "visit")
        assert result["fields"] == ["pomDisplayId"]


def test_a_recipient_without_required_data_is_never_called() -> None:
    """One such recipient would have the vendor refuse a whole call."""
    campaign = {**BASE["campaigns"]["sms"], "required": ["custom_attributes.external_id"]}
    campaigns = {**BASE["campaigns"], "sms": campaign}
    data = {"custom_attributes": {"external_id": "customer.id"}}
    router = make_router(rule(data=data), campaigns=campaigns)
    assert only_invitation(route(router, event(customer={"phone": PHONE, "id": 1})))
    result = only_result(route(router, event(customer={"phone": PHONE, "id": ""})))
    assert (result["reason"], result["campaign"]) == (Reason.INVALID_DATA, "sms")


# ---- identity ------------------------------------------------------------------------------


def test_the_same_records_make_the_same_again_in_another_process() -> None:
    values = [event(), event(customer={}), event(customer={"phone": "bad"}), b"x", event(channel=1)]
    assert route(make_router(*TWO, take="all"), *values) == route(
        make_router(*TWO, take="all"), *values
    )


def test_an_invitation_keeps_its_id_when_time_and_rules_change() -> None:
    changed = make_router(rule(send=["email"], policy={"expire_after": "1h"}))
    first = only_invitation(route(make_router(), event()))
    later = only_invitation(route(changed, event(customer={"email": EMAIL}), now=NOW + 60))
    refused = only_result(route(changed, event(customer={}), now=NOW + 120))
    assert first["id"] == later["id"] == refused["id"]
    assert first["config_version"] != later["config_version"]


TOPICS, SMALL = st.sampled_from(["pos", "pos-old"]), st.integers(0, 120)
BOTH = make_router(*TWO, take="all")


@given(st.sets(st.tuples(TOPICS, SMALL, SMALL), max_size=8))
def test_ids_are_distinct_by_topic_partition_offset_and_route(
    places: set[tuple[str, int, int]],
) -> None:
    routed = BOTH.route([InputRecord(*place, event()) for place in places], NOW)
    assert len({invitation["id"] for invitation in invitations(routed)}) == 2 * len(places)


# ---- dead letters --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff broken", event(id=None)])
def test_a_dead_letter_is_the_record_as_it_came(value: bytes | None) -> None:
    headers = [("trace", b"\x00\xff"), ("trace", None), ("", b"")]
    envelope = RecordEnvelope(b"\xfe", headers, 1_795_361_827_123, "2 headers")
    came = record(value, read_envelope=lambda: envelope)
    (letter,) = make_router().route([came], NOW).dead_letters
    assert (letter.value, letter.key, letter.timestamp) == (value, b"\xfe", 1_795_361_827_123)
    assert (letter.headers, letter.unreadable) == (headers, "2 headers")
    assert letter.source == Source(topic="pos", partition=3, offset=7)


def failing_router(*getters: Getter) -> Router:
    """All routes match; each has a required field, which one of the getters reads."""
    phones: dict[Kind, tuple[Getter, Normaliser]] = {
        "phone": (compile_value("customer.phone"), PhoneNormaliser("TR"))
    }
    spec = ChannelSpec(("phone",), required=frozenset({"f"}))
    targets = [Target("sms", "cloud", "v", "sms", spec, [("f", getter)]) for getter in getters]
    pattern = compile_pattern({"channel": "pos"})
    routes = [Route(f"r{at}", pattern, phones, [each]) for at, each in enumerate(targets)]
    return Router(
        {"pos": RoutedInput(EventDecoder(decode_json, "id", "time", 999), routes, True)},
        Endings(str, "v1"),
        ALL_RULES,
    )


def defect(body: Body) -> object:
    """A defect of ours whose text would give the customer away."""
    if body.get("poison"):
        raise RuntimeError(f"cannot take {body}")
    return "fine"


def test_a_defect_costs_one_record_and_the_rest_goes_on() -> None:
    routed = route(failing_router(defect), event(), event(poison=1), event())
    assert [invitation["source"]["offset"] for invitation in invitations(routed)] == [7, 9]
    (letter,) = routed.dead_letters
    assert letter.reason is DeadLetterReason.INTERNAL
    assert re.fullmatch(r"RuntimeError at test_router\.py:\d+", letter.message)
    assert (letter.value, letter.source["offset"]) == (event(poison=1), 8)
    assert routed.counts == {("pos", "routed", ""): 2, ("pos", "dead_letter", "internal_error"): 1}


@pytest.mark.parametrize("first", ["fine", None], ids=["invited", "rejected"])
def test_a_record_whose_second_route_meets_a_defect_is_a_dead_letter_as_a_whole(
    first: str | None,
) -> None:
    """Half of it sent now would be sent again when the dead letter is replayed."""
    router = failing_router(lambda _: first, defect)
    sound, whole = route(router, event()), route(router, event(), event(poison=1))
    assert (whole.invitations, whole.results) == (sound.invitations, sound.results)
    assert [letter.source["offset"] for letter in whole.dead_letters] == [8]
    assert whole.counts == {**sound.counts, ("pos", "dead_letter", "internal_error"): 1}
    alone = route(router, event(poison=1))
    assert dict(alone.counts) == {("pos", "dead_letter", "internal_error"): 1}


def test_a_record_of_a_topic_that_no_input_has_is_a_dead_letter_with_that_place() -> None:
    """A replayed one may name any topic: that comes back with the letter, but is never a label."""
    router = Router({}, Endings(lambda _text: "", "c1"), ALL_RULES)
    routed = router.route([InputRecord("left", 3, 7, b"{}")], NOW)
    (letter,) = routed.dead_letters
    assert letter.reason is DeadLetterReason.NO_INPUT
    assert letter.source == {"topic": "left", "partition": 3, "offset": 7}
    assert routed.counts == {("other", "dead_letter", "no_input"): 1}


# ---- privacy -------------------------------------------------------------------------------

CUSTOMER = {"phone": PHONE, "email": EMAIL, "name": NAME}
FAILING: Mapping[str, tuple[bytes, str]] = {
    "not JSON": (event(customer=CUSTOMER)[:-1], "not_json"),
    "not an object": (orjson.dumps([CUSTOMER]), "not_object"),
    "too large": (event(customer=CUSTOMER, note="x" * 2**20), "too_large"),
    "no id": (event(customer=CUSTOMER, id=None), "no_id"),
    "bad id": (event(customer=CUSTOMER, id=[PHONE, EMAIL, NAME]), "bad_id"),
    "bad id text": (event(customer=CUSTOMER, id=f"{PHONE}\n"), "bad_id"),
    "no time": (event(customer=CUSTOMER, time=None), "no_time"),
    "bad time": (event(customer=CUSTOMER, time=f"{NAME} {EMAIL}"), "bad_time"),
    "unmatched": (event(customer=CUSTOMER, channel=NAME), ""),
    "too old": (event(customer=CUSTOMER, time="2026-01-01T00:00:00Z"), "too_old"),
    "no recipient": (event(customer={"mobile": PHONE, "mail": EMAIL}), "no_recipient"),
    "invalid phone": (event(customer={"phone": f"{PHONE}{PHONE}"}), "invalid_recipient"),
    "invalid e-mail": (event(customer={"email": f"{NAME} <{EMAIL}>"}), "invalid_recipient"),
    "required missing": (event(customer=CUSTOMER), "invalid_data"),
    "oversized": (event(customer=CUSTOMER, place=f"{PHONE}{NAME}" * 20_000), "invalid_data"),
}
VISIT = make_router(
    rule(send=["visit"], data={"locationDisplayId": "place", "firstName": "customer.name"})
)


def shown(routed: Routed) -> str:
    """All that leaves the router, but for the dead letters' bytes and the invitations."""
    messages = [
        f"{letter.reason} {letter.message} {letter.source}" for letter in routed.dead_letters
    ]
    return f"{orjson.dumps(routed.results).decode()} {messages} {routed.counts!r}"


@pytest.mark.parametrize("kind", FAILING)
def test_what_fails_tells_nothing_of_the_customer(
    kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    value, reason = FAILING[kind]
    with caplog.at_level(logging.DEBUG):
        routed = route(VISIT, value)
    assert [at[2] for at in routed.counts] == [reason]
    assert routed.invitations == []
    assert not [canary for canary in CANARIES if canary in shown(routed)]
    assert (caplog.text, *capsys.readouterr()) == ("", "", "")


def test_a_defect_of_ours_tells_nothing_of_the_customer() -> None:
    routed = route(failing_router(defect), event(customer=CUSTOMER, poison=1))
    assert routed.counts == {("pos", "dead_letter", "internal_error"): 1}
    assert not [canary for canary in CANARIES if canary in shown(routed)]


def test_an_invitation_has_an_address_and_data_and_nothing_else_of_the_customer() -> None:
    routed = route(VISIT, event(customer=CUSTOMER, place="x"))
    (encoded,) = routed.invitations
    rest = {
        key: value
        for key, value in only_invitation(routed).items()
        if key not in {"address", "data"}
    }
    text = f"{encoded.key} {encoded.lane} {encoded.campaign} {rest} {shown(routed)}"
    assert not [canary for canary in CANARIES if canary in text]
