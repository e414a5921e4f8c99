"""One customer, or one campaign, that the vendor refuses or fails holds up no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from consumer.lane.account.circuit_breaker import PACES
from consumer.lane.state.commands import Batch
from consumer.records.call import Outcome
from tests.support.lanes import (
    ACCEPTED,
    EXPIRED_TOKEN,
    GATEWAY,
    NOW,
    REFUSED,
    SILENCE,
    VENDOR_ERROR,
    Driver,
    campaign,
    held,
    lane,
    settings,
)

BOTH = (campaign("a", max_batch=50), campaign("b", max_batch=50))
Judge = Callable[[Batch, float], Outcome]


def play(
    driver: Driver, judge: Judge, seconds: float, *, feed: str = "", since: float = NOW
) -> float:
    """Answer every call half a second after it left, for so long; a customer of campaign `feed`
    comes each second. Returns the end."""
    now, out = since, list[tuple[float, Batch]]()
    offset = 1 + max(
        (each.offset for batch in driver.batches for each in batch.invitations), default=-1
    )
    offset = max(offset, driver.lane.settled.frontier)
    out += [(now + 0.5, batch) for batch in driver.lane.in_flight.values()]
    fed = now
    while now < since + seconds:
        sent = driver.step(now)
        if feed and now >= fed + 1:
            sent += driver.read(held(offset, campaign=feed, arrived=now), now=now)
            offset, fed = offset + 1, now
        for vendor in [
            name for name, each in driver.lane.accounts.sessions.items() if each.logging_in
        ]:
            driver.lane.logged_in(vendor, now + 3600, now)
        out += [(now + 0.5, batch) for batch in sent]
        for _, batch in [each for each in out if each[0] <= now]:
            sent = driver.answer(batch, judge(batch, now), at=now)
            out += [(now + 0.5, each) for each in sent]
        out = [each for each in out if each[1].id in driver.lane.in_flight]
        now += 0.25
    return now


def refuses(bad: set[int], how: Outcome = REFUSED) -> Judge:
    """A vendor that refuses calls with these offsets."""
    return lambda batch, _now: (
        how if bad & {invitation.offset for invitation in batch.invitations} else ACCEPTED
    )


def sick(name: str, how: Outcome, until: float = 1e12) -> Judge:
    """A vendor that answers all calls of a campaign so, until it is mended."""
    return lambda batch, now: how if batch.campaign == name and now < until else ACCEPTED


def ended(driver: Driver) -> Counter[str]:
    return Counter(driver.reasons.values())


@pytest.mark.parametrize("how", [REFUSED, GATEWAY, EXPIRED_TOKEN], ids=["403", "gateway", "401"])
@pytest.mark.parametrize("bad", [0, 57, 199])
def test_a_customer_that_is_refused_alone_is_rejected_and_all_others_go(
    bad: int, how: Outcome
) -> None:
    """R0: a firewall refuses one customer of 200, while another campaign's calls pass."""
    of = settings(campaign("a", max_batch=300), campaign("b"))
    if how is EXPIRED_TOKEN:
        of = replace(of, logins=frozenset({"pisano"}))
    driver = Driver(lane(of))
    driver.read(*(held(n) for n in range(200)), *(held(n, campaign="b") for n in range(200, 300)))
    play(driver, refuses({bad}, how), 120, feed="b")
    assert driver.reasons[f"i{bad}"] == "vendor_rejected"
    assert {driver.reasons.get(f"i{n}") for n in range(300) if n != bad} == {"accepted"}
    assert len(driver.logins) <= 3


def test_a_lone_refused_customer_waits_while_no_other_call_proves_the_account() -> None:
    driver = Driver(lane(settings(*BOTH)))
    driver.read(held(0))
    now = play(driver, refuses({0}), 3600)
    assert driver.results == []
    assert driver.lane.accounts.refused("pisano")
    assert len(driver.batches) < 25
    (other,) = driver.read(held(1), now=now)
    driver.answer(other, ACCEPTED, at=now)
    assert not driver.lane.accounts.refused("pisano")


@pytest.mark.deep
@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(VENDOR_ERROR, id="13000"),
        pytest.param(REFUSED, id="403"),
        pytest.param(GATEWAY, id="404"),
    ],
)
def test_a_sick_campaign_stops_no_other_and_loses_no_customer(how: Outcome, few: bool) -> None:
    """D1: whole campaign `a` fails for ten minutes; then every customer of it is accepted."""
    driver = Driver(lane(settings(*BOTH)))
    number = 3 if few else 400
    driver.read(*(held(n) for n in range(number)))
    now = play(driver, sick("a", how), 600, feed="b")
    healthy = list(range(number, number + 598))
    assert {driver.reasons.get(f"i{n}") for n in healthy[:-10]} == {"accepted"}
    waited = [
        batch.sealed_at - each.arrived
        for batch in driver.batches
        for each in batch.invitations
        if batch.campaign == "b" and f"i{each.offset}" in driver.reasons
    ]
    assert max(waited) < 10
    assert sum(batch.campaign == "a" for batch in driver.batches) < 60
    for each in driver.put_off:
        back = msgspec.structs.replace(
            each.invitation, offset=driver.lane.settled.frontier, delays=1
        )
        driver.read(back, now=now + 700)
    play(driver, sick("a", how, until=0), 300, since=now + 700)
    assert set(driver.reasons.values()) == {"accepted"}


def test_one_stray_refusal_costs_a_call_and_no_silence() -> None:
    """D6: another customer is tried at once, and its acceptance proves the account."""
    driver = Driver(lane(settings(campaign("a", max_batch=5))))
    (first,) = driver.read(*(held(n) for n in range(5)))
    (probe,) = driver.answer(first, REFUSED)
    assert len(probe.invitations) == 1
    (rest,) = driver.answer(probe, ACCEPTED, at=NOW + 1)
    assert len(rest.invitations) == 4
    driver.answer(rest, ACCEPTED, at=NOW + 1)
    assert ended(driver) == {"accepted": 5}


def test_two_refusals_in_a_row_of_different_customers_silence_the_account() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=5))))
    (first,) = driver.read(*(held(n) for n in range(5)))
    (probe,) = driver.answer(first, REFUSED)
    assert driver.answer(probe, REFUSED) == []
    assert driver.lane.accounts.refused("pisano")
    assert driver.step(NOW + PACES["refused"][0] / 2 - 1) == []


def test_customers_on_trial_do_not_postpone_the_probe_of_another_customer() -> None:
    """Each of their refusals came sooner than the account's next probe, and put it off again."""
    driver = Driver(lane(settings(*BOTH)))
    bad = {0, 1, 2, 3}
    driver.read(*(held(n) for n in bad))
    now = play(driver, refuses(bad), 20, feed="b")
    assert len(list(driver.lane.settlement.trials)) > 1
    refused = driver.lane.settled.frontier
    bad |= {refused, refused + 1}
    driver.read(*(held(n, campaign="b", arrived=now) for n in (refused, refused + 1)), now=now)
    now = play(driver, refuses(bad), 7200, since=now)
    assert driver.lane.accounts.refused("pisano")
    last = driver.lane.settled.frontier
    driver.read(held(last, campaign="b", arrived=now), now=now)
    turns = 3  # of this customer and the two that wait beside it
    play(driver, refuses(bad), turns * PACES["refused"][1] + 1, since=now)
    assert last in driver.sent


def test_probes_of_a_refused_account_take_turns_over_customers_and_campaigns() -> None:
    driver = Driver(lane(settings(*BOTH)))
    driver.read(*(held(n) for n in range(4)), *(held(n, campaign="b") for n in range(4, 8)))
    play(driver, lambda *_: REFUSED, 7200)
    alone = [batch.invitations[0].offset for batch in driver.batches if len(batch.invitations) == 1]
    assert len(set(alone)) == 8
    names = [batch.campaign for batch in driver.batches if len(batch.invitations) == 1]
    assert {"a", "b"} == set(names[:4])
    assert driver.results == []


def test_calls_of_one_customer_that_a_gateway_answers_reject_no_customer() -> None:
    """Case 6: traffic of one customer a call, and a gateway that knows no path answers all."""
    driver = Driver(lane(settings(campaign("a"))))
    now = NOW
    for n in range(10):
        driver.read(held(n), now=now)
        now = play(driver, lambda *_: GATEWAY, 30, since=now)
    assert driver.results == []
    driver.lane.reconfigure(settings(campaign("a")), now, relogin={"pisano"})
    play(driver, lambda *_: ACCEPTED, 700, since=now)
    assert ended(driver)["accepted"] + len(driver.put_off) == 10


def test_a_campaign_in_doubt_loses_one_customer_a_probe_not_a_batch() -> None:
    """5xx: three batches open its breaker, and then single customers try."""
    driver = Driver(lane(settings(*BOTH)))
    driver.read(*(held(n) for n in range(400)))
    play(driver, sick("a", SILENCE), 600, feed="b")
    sizes = [len(batch.invitations) for batch in driver.batches if batch.campaign == "a"]
    assert sizes[8:] == [1] * len(sizes[8:])  # eight full calls left at once
    assert len(sizes) < 30


def test_a_token_that_was_fetched_for_a_refusal_is_not_fetched_again_for_the_next() -> None:
    of = settings(campaign("a", max_batch=10), logins=frozenset({"pisano"}))
    driver = Driver(lane(of))
    driver.read(*(held(n) for n in range(40)))
    play(driver, refuses({3, 13, 23}, EXPIRED_TOKEN), 60, feed="a")
    assert len(driver.logins) <= 3
    assert not driver.lane.accounts.refused("pisano")


@pytest.mark.parametrize("reload", [True, False], ids=["reload", "retry"])
@pytest.mark.parametrize(
    ("how", "number"),
    [(VENDOR_ERROR, 40), (SILENCE, 500), (REFUSED, 1)],
    ids=["13000", "5xx", "403 of one"],
)
def test_a_sick_campaign_that_was_mended_is_tried_at_once_by_a_reload_and_by_retry(
    how: Outcome, number: int, reload: bool
) -> None:
    """Case 24, a campaign that its breaker holds back: its next probe was up to a minute away."""
    of = settings(*BOTH, max_in_flight=4)
    driver = Driver(lane(of))
    driver.read(*(held(n) for n in range(number)))
    now = play(driver, sick("a", how), 300, feed="b")
    while driver.lane.in_flight:  # a probe that is out waits for its own answer
        now = play(driver, sick("a", how), 1, since=now)
    assert driver.step(now) == []
    if reload:
        driver.lane.reconfigure(of, now)
    else:
        driver.lane.retry_campaign("a", now)
    (probe,) = driver.step(now)
    assert (probe.campaign, len(probe.invitations)) == ("a", 1)
    driver.answer(probe, ACCEPTED, at=now)
    assert driver.lane.windows["a"].count == 0  # the others follow, together


def test_a_reload_tries_each_of_many_sick_campaigns_once_and_healthy_ones_as_before() -> None:
    names = [f"s{n}" for n in range(5)]
    of = settings(campaign("b", max_batch=50), *(campaign(name) for name in names))
    driver = Driver(lane(of))
    driver.read(*(held(n, campaign=names[n % 5]) for n in range(50)))

    def judge(batch: Batch, _now: float) -> Outcome:
        return ACCEPTED if batch.campaign == "b" else VENDOR_ERROR

    now = play(driver, judge, 300, feed="b")
    while driver.lane.in_flight:
        now = play(driver, judge, 1, since=now)
    before = len(driver.batches)
    driver.lane.reconfigure(of, now)
    now = play(driver, judge, 3.5, feed="b", since=now)
    tried = Counter(each.campaign for each in driver.batches[before:])
    assert [tried[name] for name in names] == [1] * 5
    assert tried["b"] >= 2
