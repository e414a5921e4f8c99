"""Pauses by command in a lane: what they hold back, and what returns when they end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.state.settings import LaneCampaign, LaneSettings
from consumer.policy.pauses import Pauses
from consumer.policy.route_timing import RouteTiming
from consumer.records.pause import Pausable, PauseKind
from tests.support.lanes import (
    ACCEPTED,
    NOW,
    PARKED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
    written,
)

NONE = Pauses()
ALL = Pauses(everything=True)
A = Pauses(campaigns=frozenset("a"))
TWO = (
    campaign("a", routes=("store", "web")),
    campaign("b", routes=("web",), vendor="radar"),
)


def away(driver: Driver) -> list[int]:
    """Offsets that were delayed."""
    return [each.invitation.offset for each in driver.put_off]


def test_nothing_of_a_paused_campaign_is_called_and_others_go_on() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.lane.pause(A)
    (batch,) = driver.read(held(1), held(2, campaign="b"))
    assert batch.campaign == "b"
    assert away(driver) == [1]


def test_a_pause_holds_a_route_a_vendor_or_everything() -> None:
    for pauses, sent in (
        (Pauses(routes=frozenset({"store"})), [3]),
        (Pauses(vendors=frozenset({"pisano"})), [2]),
        (Pauses(vendors=frozenset({"radar"})), [1, 3]),
        (ALL, []),
        (NONE, [1, 2, 3]),
    ):
        driver = Driver(lane(settings(*TWO)))
        driver.lane.pause(pauses)
        driver.read(written(1), written(2, "b"), written(3, route="web"))
        if sent == [3]:  # both others are of the route `store`
            assert away(driver) == [1, 2]
        assert sorted(driver.sent) == sent
        assert sorted([*away(driver), *driver.sent]) == [1, 2, 3]


def test_what_waits_in_a_window_is_held_back_when_it_would_be_called() -> None:
    """Without a permit for it: the others have them all."""
    driver = Driver(lane(limited(*TWO, calls=2)))
    first = driver.read(held(1), held(2, campaign="b"))
    assert driver.read(held(3), held(4, campaign="b")) == []
    driver.lane.pause(A)
    for batch in first:
        driver.answer(batch, ACCEPTED)
    driver.step(NOW + 21)
    assert driver.sent[2:] == [4]
    assert away(driver) == [3]
    assert driver.lane.limiter.share_left(NOW + 21) > 0


def test_a_retry_of_a_paused_campaign_waits_too() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(held(1))
    driver.lane.pause(A)
    driver.answer(batch, TROUBLE)
    assert driver.step(driver.lane.wake_at) == []
    driver.step(NOW + 60)
    assert (driver.sent, away(driver)) == ([1], [1])


def test_an_answer_to_a_call_before_the_pause_counts() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(held(1))
    driver.lane.pause(ALL)
    driver.answer(batch, ACCEPTED)
    assert driver.reasons == {"i1": "accepted"}


def test_a_paused_invitation_that_expires_says_so() -> None:
    driver = Driver(lane())
    driver.lane.pause(A)
    driver.read(held(1, expires_at=NOW))
    assert driver.reasons == {"i1": "expired_paused"}


def test_a_large_window_leaves_in_several_commits() -> None:
    """As much as a commit carries, and one window's batch at most."""
    driver = Driver(lane(limited(campaign("a", max_batch=10), calls=1)))
    (first,) = driver.read(held(0))
    driver.lane.outbox.commit_size = 20
    driver.read(*(held(n) for n in range(1, 101)))
    driver.lane.pause(A)
    driver.answer(first, ACCEPTED)
    for _ in range(5):
        driver.step(NOW + 21)
    assert sorted(away(driver)) == list(range(1, 101))
    assert max(len(commit.delayed) for commit in driver.commits) == 20
    assert driver.sent == [0]


def test_a_returned_invitation_that_is_not_due_yet_waits_again_and_is_not_sent_early() -> None:
    """A resume and `campaigns retry` return all that is delayed."""
    driver = Driver(lane())
    driver.lane.retry_campaign("a", NOW)
    assert driver.read(written(1, eligible_from=NOW + 7200)) == []
    (delayed,) = driver.put_off
    assert (delayed.due_at, delayed.step) == (NOW + 7200, "1h")
    (batch,) = driver.read(written(2, eligible_from=NOW))
    assert [pending.offset for pending in batch.invitations] == [2]


def test_a_retried_campaign_is_called_at_once_but_for_what_is_not_due_yet() -> None:
    driver = Driver(lane())
    driver.answer(driver.read(held(0))[0], PARKED)
    driver.lane.retry_campaign("a", NOW + 1)
    early = written(1, eligible_from=NOW + 600)
    (batch,) = driver.read(early, held(2), now=NOW + 1)
    assert [pending.offset for pending in batch.invitations] == [2]
    assert [(each.invitation.offset, each.due_at) for each in driver.put_off[1:]] == [
        (1, NOW + 600)
    ]


def test_a_resume_names_the_campaigns_of_which_something_may_go_now() -> None:
    machine = lane(settings(*TWO))
    web = Pauses(routes=frozenset({"web"}))
    steps: list[tuple[Pauses, list[str]]] = [
        (ALL, []),
        (replace(A, everything=True), []),
        (A, ["b"]),
        (replace(A, routes=frozenset({"web"})), []),
        (web, ["a"]),  # its route `store` may go
        (NONE, ["a", "b"]),
        (Pauses(vendors=frozenset({"radar"}), campaigns=frozenset("b")), []),
        (Pauses(vendors=frozenset({"radar"})), []),
        (NONE, ["b"]),
        (Pauses(routes=frozenset({"store"})), []),
        (Pauses(routes=frozenset({"unknown"})), ["a"]),
    ]
    for pauses, resumed in steps:
        assert machine.pause(pauses) == resumed


def of_config(
    paused: LaneSettings, campaigns: frozenset[str], routes: frozenset[str]
) -> LaneSettings:
    changed = {
        name: replace(each, paused=name in campaigns) for name, each in paused.campaigns.items()
    }
    timings = {route: RouteTiming(paused=True) for route in routes}
    return replace(paused, campaigns=changed, routes=timings)


def test_a_resume_by_command_lifts_no_pause_of_the_config_and_the_other_way_round() -> None:
    paused = of_config(settings(*TWO), frozenset("a"), frozenset({"web"}))
    driver = Driver(lane(paused))
    driver.lane.pause(A)
    assert driver.lane.pause(NONE) == []
    driver.read(held(1), written(2, "b", route="web"))
    driver.lane.pause(A)
    assert driver.lane.reconfigure(settings(*TWO), NOW) == ["b"]
    driver.read(held(3))
    assert (driver.sent, away(driver)) == ([], [1, 2, 3])
    assert driver.lane.pause(NONE) == ["a"]
    driver.read(held(4))
    assert driver.sent == [4]


def test_a_campaign_that_left_the_config_resumes_nothing() -> None:
    machine = lane(of_config(settings(*TWO), frozenset("a"), frozenset()))
    assert machine.reconfigure(settings(TWO[1]), NOW) == []


CAMPAIGNS = st.frozensets(st.sampled_from("ab"))
ROUTES = st.frozensets(st.sampled_from(["store", "web"]))
BY_COMMAND = st.builds(
    Pauses.of,
    st.lists(
        st.builds(
            Pausable, st.sampled_from(PauseKind), st.sampled_from([*"ab", "store", "web", "radar"])
        ),
        max_size=3,
    ),
)
CONFIGS = st.builds(of_config, st.just(settings(*TWO)), CAMPAIGNS, ROUTES)


def goes(of: LaneSettings, pauses: Pauses, name: LaneCampaign, route: str) -> bool:
    """Whether an invitation is called, tried out."""
    driver = Driver(lane(of))
    driver.lane.pause(pauses)
    driver.read(written(1, name.name, route=route))
    return driver.sent == [1]


@given(CONFIGS, BY_COMMAND, CONFIGS, BY_COMMAND)
def test_what_may_go_again_is_what_was_held_back_and_is_no_longer(
    config: LaneSettings, pauses: Pauses, later: LaneSettings, new: Pauses
) -> None:
    """Whatever config and commands pause, before and after."""
    machine = lane(config)
    machine.pause(pauses)
    before = machine.settlement.hold_back.paused_parts()
    machine.reconfigure(later, NOW)
    machine.pause(new)
    resumed = machine.settlement.hold_back.resumed_since(before)
    assert resumed == [
        each.name
        for each in TWO
        if any(
            goes(later, new, each, route) and not goes(config, pauses, each, route)
            for route in (*each.routes, "of a former config")
        )
    ]


def test_what_a_command_pauses_is_delayed_for_longer_than_what_the_config_pauses() -> None:
    """A resume returns the one; a restart with another config does not return the other."""
    by_command, by_config = Driver(lane()), Driver(lane(settings(campaign("a", paused=True))))
    for driver in (by_command, by_config):
        driver.lane.pause(A if driver is by_command else NONE)
        driver.read(held(1))
    assert [each.step for each in by_command.put_off] == ["1h"]
    assert [each.step for each in by_config.put_off] == ["1m"]


def test_what_is_delayed_when_it_is_read_takes_no_turn_from_the_others() -> None:
    """Also where a slow Kafka takes one record a commit."""
    driver = Driver(lane(settings(*TWO)))
    driver.lane.pause(A)
    driver.lane.outbox.commit_size = 1
    driver.read(held(1), held(2), held(3, campaign="b"))
    assert driver.sent == [3]
    assert away(driver) == [1, 2]
