"""A campaign held back by its own circuit breaker is shown and said, once, and so is its end."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.http.calls import Answered
from consumer.http.failure_words import reason_of
from consumer.lane.account.circuit_breaker import TRIPS
from consumer.lane.state.commands import Batch
from consumer.observability.metrics.metrics import Metrics
from consumer.records.call import Outcome
from consumer.records.fields import rfc3339
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_traces import LaneTraces
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    GATEWAY,
    NOW,
    PARKED,
    REFUSED,
    VENDOR_ERROR,
    Driver,
    campaign,
    held,
    lane,
    settings,
)

BOTH = settings(campaign("a", max_batch=5), campaign("b", max_batch=5))
Logs = Sequence[MutableMapping[str, Any]]


@dataclass
class Watched:
    """A lane whose answers are reported, one after another, a second apart."""

    driver: Driver = field(default_factory=lambda: Driver(lane(BOTH)))
    now: float = NOW

    def __post_init__(self) -> None:
        self.report = LaneReport(
            self.driver.lane, Metrics().lane("cloud"), LaneTraces(None, "cloud")
        )
        self._out: list[Batch] = []

    def invite(self, name: str, *offsets: int, expires_at: float | None = None) -> None:
        many = [held(n, campaign=name, expires_at=expires_at) for n in offsets]
        self._out += self.driver.read(*many, now=self.now)

    def answer(self, name: str, outcome: Outcome) -> None:
        """The oldest call of the campaign, which leaves when its breaker lets it."""
        while (batch := self._of(name)) is None:
            self.now += 1
            self._out += self.driver.step(self.now)
        self.now += 1
        self._out.remove(batch)
        lane = self.driver.lane
        lane.answered(batch.id, outcome, sent_at=batch.sealed_at, at=self.now)
        label = str(outcome.http_status)
        reason = reason_of(None, None, outcome)
        answered = Answered(batch, "pisano", outcome, self.now, self.now, label, None, reason)
        self.report.answered(answered, 0.1)
        self._out += self.driver.step(self.now)

    def held_back(self) -> dict[str, int]:
        """Campaigns that their breaker holds back → unsettled invitations, as once a second."""
        shown = self.driver.lane.snapshot(self.now)
        self.report.log_circuits(shown)
        return {
            name: campaign.unsettled
            for name, campaign in shown.campaigns.items()
            if campaign.circuit_open
        }

    def _of(self, name: str) -> Batch | None:
        return next((each for each in self._out if each.campaign == name), None)


def told(logs: Logs) -> list[tuple[str, str]]:
    return [(log["event"], log["campaign"]) for log in logs if "campaign_circuit" in log["event"]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as found:
        yield found


def sick(how: Outcome = VENDOR_ERROR, times: int = TRIPS) -> Watched:
    """Campaign `a` fails so many times, while calls of `b` are accepted; 4 of `a` wait."""
    watched = Watched()
    watched.invite("a", *range(4))
    for number in range(times):
        watched.invite("b", 100 + number)
        watched.answer("b", ACCEPTED)
        watched.answer("a", how)
    return watched


def test_a_campaign_with_trouble_of_its_own_is_said_once_with_code_number_and_command(
    logs: Logs,
) -> None:
    watched = sick(times=TRIPS + 2)
    assert told(logs) == [("campaign_circuit_opened", "a")]
    (line,) = [log for log in logs if log["event"] == "campaign_circuit_opened"]
    assert (line["lane"], line["answer"], line["code"]) == ("cloud", "500", "E0")
    assert line["waiting"] == 4
    assert "`survey-dispatcher campaigns retry a`" in line["hint"]
    assert watched.held_back() == {"a": 4}


def test_its_end_is_said_once_the_vendor_accepts(logs: Logs) -> None:
    watched = sick()
    watched.answer("a", ACCEPTED)
    assert told(logs)[-1] == ("campaign_circuit_closed", "a")
    assert watched.held_back() == {}
    watched.answer("a", ACCEPTED)
    assert len(told(logs)) == 2


@pytest.mark.parametrize("how", [REFUSED, GATEWAY], ids=["403", "gateway"])
def test_a_campaign_that_is_refused_while_others_pass_is_shown(how: Outcome, logs: Logs) -> None:
    watched = sick(how, times=1)
    watched.invite("b", 200)
    watched.answer("b", ACCEPTED)
    assert watched.held_back() == {"a": 4}
    assert told(logs) == [("campaign_circuit_opened", "a")]


def test_a_probe_that_is_out_does_not_hide_a_campaign_of_one_customer(logs: Logs) -> None:
    watched = Watched()
    watched.invite("a", 0)
    for number in range(TRIPS):
        watched.invite("b", 100 + number)
        watched.answer("b", ACCEPTED)
        watched.answer("a", VENDOR_ERROR)
    while not watched.driver.lane.in_flight:
        watched.now += 1
        watched.driver.step(watched.now)
    assert watched.driver.lane.windows["a"].count == 0
    assert watched.held_back() == {"a": 1}
    assert len(told(logs)) == 1


def test_a_parked_campaign_is_shown_as_parked_alone(logs: Logs) -> None:
    watched = sick()
    watched.answer("a", PARKED)
    assert watched.held_back() == {}
    closed = [log["why"] for log in logs if log["event"] == "campaign_circuit_closed"]
    assert closed == ["parked"]


def test_an_outage_of_the_account_is_said_of_the_account_alone(logs: Logs) -> None:
    watched = Watched()
    watched.invite("a", *range(40))
    for _ in range(TRIPS + 2):
        watched.answer("a", VENDOR_ERROR)
    assert watched.held_back() == {}
    assert told(logs) == []
    assert "circuit_opened" in {log["event"] for log in logs}


def test_where_nothing_waits_any_more_nothing_is_held_back(logs: Logs) -> None:
    """The last customer of a sick campaign expired: its breaker is open, and no alert follows."""
    watched = Watched()
    watched.invite("a", 0, expires_at=NOW + 3000)
    for number in range(TRIPS):
        watched.invite("b", 100 + number)
        watched.answer("b", ACCEPTED)
        watched.answer("a", VENDOR_ERROR)
    assert watched.held_back() == {"a": 1}
    watched.now = NOW + 4000
    watched.driver.lane.settlement.sweep(watched.now)
    assert watched.held_back() == {}
    closed = [log["why"] for log in logs if log["event"] == "campaign_circuit_closed"]
    assert closed == ["nothing_waits"]


# -- parked campaigns -----------------------------------------------------------------------------


def parks(logs: Logs) -> list[MutableMapping[str, Any]]:
    return [log for log in logs if log["event"] in {"campaign_parked", "campaign_unparked"}]


def test_a_parked_campaign_says_why_and_when_it_is_tried_and_that_it_sends_again(
    logs: Logs,
) -> None:
    watched = Watched()
    watched.invite("a", 0)
    watched.answer("a", PARKED)
    (line,) = parks(logs)
    assert line["event"] == "campaign_parked"
    assert line["tries_at"] == rfc3339(watched.now + 60)
    assert line["reason"] == "HTTP 400: campaign not usable"
    assert "`survey-dispatcher campaigns retry a`" in line["hint"]
    parked_at = watched.now
    watched.now += 100
    watched.invite("a", 1, 2)
    watched.answer("a", ACCEPTED)
    assert [line["event"] for line in parks(logs)] == ["campaign_parked", "campaign_unparked"]
    unparked = parks(logs)[1]
    assert unparked["parked_at"] == rfc3339(parked_at)
    assert unparked["seconds"] == watched.now - parked_at
    watched.invite("a", 3)
    watched.answer("a", ACCEPTED)
    assert len(parks(logs)) == 2


def test_a_campaign_that_its_customers_refusals_park_is_said_too(logs: Logs) -> None:
    """No answer blames the campaign, but each customer that is called alone is refused."""
    watched = Watched()
    watched.invite("a", *range(5))
    while not watched.driver.lane.parked_campaigns():
        watched.answer("a", BAD_RECIPIENT)
    assert [line["event"] for line in parks(logs)] == ["campaign_parked"]


def test_an_account_that_is_refused_says_why_and_after_how_long_it_recovered(logs: Logs) -> None:
    watched = Watched()
    watched.invite("a", 0)
    watched.answer("a", REFUSED)
    watched.invite("b", 1)
    watched.answer("b", REFUSED)
    (line,) = [log for log in logs if log["event"] == "credentials_refused"]
    assert line["reason"] == "HTTP 401: token not accepted"
    trouble = watched.report.troubles["pisano"]
    assert (trouble.since, trouble.why) == (watched.now, "HTTP 401: token not accepted")
    watched.answer("a", ACCEPTED)
    (line,) = [log for log in logs if log["event"] == "vendor_recovered"]
    assert line["seconds"] == watched.now - trouble.since
    assert watched.report.troubles == {}
