"""What is delayed stands beside what waits in the lane, in any process that knows both."""

from __future__ import annotations

from dataclasses import replace

from consumer.observability.status.delayed import with_delayed
from consumer.observability.status.status import CampaignStatus, LaneStatus, StatusSnapshot

LANE = LaneStatus(
    "cloud",
    "here",
    waiting=5,
    campaigns=[CampaignStatus("park", 0, 0.0, parked=True), CampaignStatus("sms", 5, 9.0)],
)
NOW = StatusSnapshot(
    10.0,
    lanes=[LANE, LaneStatus("radar")],
    delayed={"1m": 9, "10m": 0},
    delayed_campaigns={"cloud": {"park": 6, "sms": 1, "web": 2}, "radar": {"visit": 4}},
)


def test_waiting_has_what_is_delayed_and_each_part_is_told_apart() -> None:
    cloud, radar = with_delayed(NOW).lanes
    assert (cloud.waiting, cloud.in_lane, cloud.delayed) == (14, 5, 9)
    assert [(each.name, each.waiting, each.in_lane, each.delayed) for each in cloud.campaigns] == [
        ("park", 6, 0, 6),
        ("sms", 6, 5, 1),
        ("web", 2, 0, 2),
    ]
    assert (radar.waiting, radar.delayed, radar.campaigns) == (4, 4, ())


def test_it_says_the_same_however_often_it_is_put_together() -> None:
    once = with_delayed(NOW)
    assert with_delayed(once) == once


def test_a_process_that_reads_no_delay_topic_does_not_claim_that_none_waits() -> None:
    elsewhere = replace(NOW, delayed={}, delayed_campaigns={})
    assert with_delayed(elsewhere) == elsewhere
    assert elsewhere.lanes[0].delayed is None


def test_of_a_lane_with_more_campaigns_than_are_shown_none_is_counted_twice() -> None:
    crowded = replace(NOW, lanes=[replace(LANE, campaigns_more=3)])
    (cloud,) = with_delayed(crowded).lanes
    assert [each.name for each in cloud.campaigns] == ["park", "sms"]
    assert (cloud.campaigns_more, cloud.waiting) == (3, 14)
