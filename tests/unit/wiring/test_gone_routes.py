"""Routes that were renamed or removed: what their invitations obey by another config."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumer.config import Config
from consumer.policy.route_timing import HeldBack
from consumer.wiring.build import lane_settings
from consumer.wiring.contacts import contact_request, route_contacts
from tests.support.lanes import campaign, written
from tests.unit.config.support import VALID, load_text

ISTANBUL = ZoneInfo("Europe/Istanbul")
POLICIES = """
policies:
  unused:
    timezone: ["'Europe/Istanbul'"]
    quiet_hours: {times: ["20:00-22:00"]}
  dropping:
    timezone: ["'Europe/Istanbul'"]
    quiet_hours: {times: ["12:00-13:00"], at_quiet: drop}
"""
OWN = "policy: {expire_after: 72h}"
NIGHT = """policy: {timezone: ["'Europe/Istanbul'"], quiet_hours: {times: ["21:00-09:00"]}}"""


def config_of(folder: Path, *, policies: str = POLICIES, own: str = NIGHT) -> Config:
    return load_text(VALID.replace(OWN, own) + policies, folder)


def at(time: str) -> float:
    return dt.datetime.fromisoformat(f"2026-11-20T{time}").replace(tzinfo=ISTANBUL).timestamp()


@pytest.mark.parametrize("lane", ["pisano-cloud", "radar"])
@pytest.mark.parametrize(
    ("now", "until"),
    [("11:59", None), ("12:30", "13:00"), ("19:59", None), ("20:30", "22:00"), ("08:00", "09:00")],
)
def test_a_gone_route_obeys_the_quiet_hours_of_every_policy_on_every_lane(
    tmp_path: Path, lane: str, now: str, until: str | None
) -> None:
    """Also of a policy that no route has, of another lane's route, and of one that drops."""
    timing = lane_settings(config_of(tmp_path), lane).timing_of("renamed")
    assert timing is not None
    expected = None if until is None else HeldBack(until=at(until))
    assert timing.quiet(at(now), "", "k", None) == expected


def test_a_route_of_the_config_obeys_its_own_policy_on_every_lane(tmp_path: Path) -> None:
    """A route that sends to another lane by now may have left invitations on this one."""
    config = config_of(tmp_path)
    for lane in ("pisano-cloud", "radar"):
        night = lane_settings(config, lane).timing_of("store-purchase")
        none = lane_settings(config, lane).timing_of("web-visit")
        assert night is not None
        assert none is not None
        assert night.quiet(at("20:30"), "", "k", None) is None
        assert night.quiet(at("23:00"), "", "k", None) is not None
        assert none.quiet(at("23:00"), "", "k", None) is None


def test_without_quiet_hours_in_the_config_a_gone_route_has_none(tmp_path: Path) -> None:
    timing = lane_settings(config_of(tmp_path, policies="", own=OWN), "radar").timing_of("renamed")
    assert timing is not None
    assert timing.quiet(at("23:00"), "", "k", None) is None


def test_a_gone_route_obeys_contact_rules_and_has_neither_pace_nor_duplicates(
    tmp_path: Path,
) -> None:
    """Its tags, persons and `contact` stand in the invitation; `pace` and `deduplicate` stood in
    its policy."""
    pace = "pace: {at_most: 9, every: month, timezone: UTC}"
    rules = f"policy: {{{pace}, deduplicate: {{by: id, within: 7d}}}}"
    store = "contacts: {store: {type: sqlite, path: contacts.sqlite}}\n"
    config = config_of(tmp_path, policies=store, own=rules)
    part: dict[str, Any] = {"tags": ["nps"], "person": ["k1:p"], "contact": "exempt"}
    known, gone = (
        contact_request(written(1, route=name, **part), campaign("a"), route_contacts(config))
        for name in ("store-purchase", "renamed")
    )
    for asked in (known, gone):
        assert (asked.facts.tags, asked.persons, asked.contact) == (("nps",), ("k1:p",), "exempt")
    assert (known.pace, known.duplicates) == ("route store-purchase", "route store-purchase")
    assert (gone.pace, gone.duplicates) == (None, None)
