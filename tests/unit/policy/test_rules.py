"""The table of rules: which reason a checkpoint gives, and that router and lane ask theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.policy.expiry import Expiring
from consumer.policy.rules import ALL_RULES, PolicyRules, Rule, first_refusal
from consumer.records.input_record import InputRecord
from consumer.records.result import Reason
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.payload import decode_json
from consumer.routing.endings import Endings
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.route import Route
from consumer.routing.router import RoutedInput, Router
from tests.support.lanes import ACCEPTED, NOW, Driver, held, lane, settings
from tests.support.lanes import VENDOR_ERROR as TROUBLE

LATE = held(1, expires_at=NOW)


def refuses(reason: Reason) -> Rule:
    """A rule that refuses everything from `NOW` on."""
    return lambda _subject, now: reason if now >= NOW else None


def test_expiry_is_a_rule_of_every_checkpoint() -> None:
    checkpoints = [ALL_RULES.at_routing, ALL_RULES.at_intake, ALL_RULES.at_sealing]
    reasons = [first_refusal(rules, LATE, NOW) for rules in checkpoints]
    assert reasons == [Reason.TOO_OLD, Reason.EXPIRED_WAITING, Reason.EXPIRED_WAITING]


def test_the_first_rule_that_refuses_gives_the_reason() -> None:
    asked: list[float] = []

    def passes(_subject: Expiring, now: float) -> None:
        asked.append(now)

    rules = passes, refuses(Reason.INVALID_DATA), refuses(Reason.NO_RECIPIENT)
    assert first_refusal(rules, LATE, NOW) is Reason.INVALID_DATA
    assert first_refusal(rules, LATE, NOW - 1) is None
    assert asked == [NOW, NOW - 1]


def test_a_router_asks_the_rules_that_it_was_given() -> None:
    rules = replace(ALL_RULES, at_routing=(refuses(Reason.INVALID_DATA),))
    route = Route("all", compile_pattern({}), {}, [])
    router = Router(
        {"pos": RoutedInput(EventDecoder(decode_json, "id", "time", 99), [route])},
        Endings(str, "v1"),
        rules,
    )
    routed = router.route([InputRecord("pos", 0, 1, b'{"id": 1, "time": 1763800000}')], NOW)
    assert [result["reason"] for result in routed.results] == [Reason.INVALID_DATA]


@pytest.mark.parametrize("checkpoint", ["at_intake", "at_sealing"])
def test_a_lane_asks_the_rules_of_its_settings_before_a_call(checkpoint: str) -> None:
    rules = PolicyRules(**{checkpoint: (refuses(Reason.INVALID_DATA),)})
    driver = Driver(lane(settings(policy=rules)))
    assert driver.read(held(1)) == []
    driver.step(NOW + 2)
    assert (driver.reasons, driver.sent) == ({"i1": "invalid_data"}, [])


def test_a_lane_asks_again_before_a_retry() -> None:
    """Also by the rules of a config that came while the invitation was in flight."""
    driver = Driver(lane(settings()))
    (batch,) = driver.read(held(1))
    rules = replace(ALL_RULES, at_sealing=(refuses(Reason.INVALID_DATA),))
    driver.lane.reconfigure(replace(settings(), policy=rules), NOW + 3)
    driver.answer(batch, TROUBLE, NOW + 3)
    driver.step(NOW + 600)
    assert driver.reasons == {"i1": "invalid_data"}
    assert driver.sent == [1]


def test_a_lane_without_refusals_calls() -> None:
    driver = Driver(lane(settings()))
    (batch,) = driver.read(held(1))
    driver.answer(batch, ACCEPTED, NOW + 3)
    assert driver.reasons == {"i1": "accepted"}
