"""The config of the simulated application: loaded once, its lanes' numbers drawn by every seed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from consumer.config.load import load
from consumer.config.models import Config
from consumer.lane.state.settings import LaneSettings, Limit
from consumer.vendors.protocol import Vendor
from consumer.wiring.build import RouterConfig, build_vendors, lane_settings, router_rules
from tests.simulation.world.changes import MOVED, accepts_in_part, changed
from tests.simulation.world.contacts import with_contact_rules

APPLICATION = "surveys"
LANES = ("cloud", "radar")
SPARE = "spare"
"""A lane that the config has after the change `quota`."""

ALL_LANES = (*LANES, SPARE)

INPUTS = {"pos": 3, "crm": 1}
"""Input topic → partitions."""

FLASH_EXPIRES = 25.0
"""Seconds after the transaction at which route `flash` gives up."""

ROUTES: dict[str, tuple[tuple[str, str], ...]] = {
    "store": (("store", "a"),),
    "web": (("web", "b"),),
    "kiosk": (("kiosk", "again"),),
    "flash": (("flash", "a"),),
    "cafe": (("cafe", "visit"),),
    "hotel": (("hotel", "stay"),),
    "both": (("both-sms", "b"), ("both-visit", "visit")),
}
"""An event's channel → (route, campaign) of each invitation that it makes."""

CHANNELS = {"pos": ("store", "web", "kiosk", "flash", "cafe", "hotel"), "crm": ("both",)}
"""Input topic → channels that its routes know."""

RESENT = frozenset({"again", "stay"})
"""Campaigns whose doubtful calls are sent again."""

LANE_OF = {"a": "cloud", "b": "cloud", "again": "cloud", "visit": "radar", "stay": "radar"}


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process runs with: a config, and its lanes with the numbers of this seed."""

    config: Config
    vendors: Mapping[str, Vendor]
    router: RouterConfig
    lanes: Mapping[str, LaneSettings]


@cache
def config(change: str | None = None, *, partly: bool = False, contacts: bool = False) -> Config:
    """The whole config, after a change. `partly`: see `changes.accepts_in_part`; `contacts`: see
    `contacts.with_contact_rules`."""
    usual = accepts_in_part(_document()) if partly else _document()
    if contacts:
        usual = with_contact_rules(usual)
    return load(json.dumps(changed(usual, change)))


@cache
def vendors(change: str | None = None, *, partly: bool = False) -> dict[str, Vendor]:
    """The vendor modules of the config's accounts."""
    return build_vendors(config(change, partly=partly))


@cache
def _router(change: str | None, *, partly: bool, contacts: bool) -> RouterConfig:
    """The compiled routes; pure, so that all worlds may share them."""
    document = config(change, partly=partly, contacts=contacts)
    return router_rules(document, vendors(change, partly=partly))


def setup(
    change: str | None,
    drawn: Mapping[str, LaneSettings],
    *,
    partly: bool = False,
    contacts: bool = False,
) -> Setup:
    """A config with the numbers that were drawn for the lanes of the usual one."""
    known = {key: each for lane in drawn.values() for key, each in lane.campaigns.items()}
    lanes = {}
    document = config(change, partly=partly, contacts=contacts)
    for name in document.lanes:
        usual = _usual(name, change, partly=partly, contacts=contacts)
        campaigns = {
            key: replace(
                each,
                max_batch=known[key].max_batch,
                max_wait=known[key].max_wait,
                max_attempts=known[key].max_attempts,
            )
            for key, each in usual.campaigns.items()
        }
        lanes[name] = replace(
            drawn.get(name) or drawn["cloud"],
            name=name,
            campaigns=campaigns,
            config_version=usual.config_version,
            logins=usual.logins,
            contacts=usual.contacts,
        )
    router = _router(change, partly=partly, contacts=contacts)
    return Setup(document, vendors(change, partly=partly), router, lanes)


def lanes(rng: random.Random, *, sure: bool) -> dict[str, LaneSettings]:
    """Both lanes with numbers of this seed. `sure`: limits that the checker may hold against us.

    A short `call_timeout` and small batches: much happens within a few simulated minutes.
    """
    return {name: _lane(name, rng, sure=sure) for name in LANES}


def with_little_memory(drawn: Mapping[str, LaneSettings]) -> dict[str, LaneSettings]:
    """The same lanes, which are full soon: their readers are paused."""
    return {name: replace(lane, max_buffered=8, max_spilled=30) for name, lane in drawn.items()}


def _lane(name: str, rng: random.Random, *, sure: bool) -> LaneSettings:
    usual = _usual(name, None)
    smallest = rng.choice([1, 3, 8])
    campaigns = {
        key: replace(
            each,
            max_batch=rng.randint(smallest, smallest * 4),
            max_wait=rng.choice([5.0, 20.0, 60.0]),
            max_attempts=rng.randint(1, 4),
        )
        for key, each in usual.campaigns.items()
    }
    calls = rng.randint(3, 8)
    tight = (Limit(calls, 5.0), Limit(calls * rng.randint(2, 4), 30.0))
    return replace(
        usual,
        campaigns=campaigns,
        limits=tight if sure or rng.random() < 0.3 else (),
        skew=rng.choice([0.0, 2.0]),
        share=rng.choice([0.7, 1.0]),
        first_start_full=rng.random() < 0.3,
        max_in_flight=rng.randint(1, 6),
        linger=rng.choice([0.2, 1.0, 3.0]),
        max_buffered=rng.choice([20, 60, 300, 300]),
        max_spilled=rng.choice([30, 100, 1_000]),
        keep=rng.choice([0.0, 30.0, 1e6]),
        call_timeout=rng.choice([4.0, 10.0]),
    )


@cache
def _usual(
    name: str, change: str | None, *, partly: bool = False, contacts: bool = False
) -> LaneSettings:
    return lane_settings(config(change, partly=partly, contacts=contacts), name)


def _document() -> dict[str, Any]:
    quota = {"limits": [], "first_start": "unused"}
    account = {"type": "pisano", "base_url": "https://pisano.example", "quota": "cloud"}
    pisano = {"vendor": "pisano", "channel": "sms"}
    radar = {"vendor": "radar", "channel": "invitation"}
    return {
        "version": 1,
        "application_id": APPLICATION,
        "kafka": {"bootstrap.servers": "nowhere.example:9092"},
        "pseudonym": {"key_id": "k1", "key": "a-key-for-the-simulation"},
        "quotas": dict.fromkeys(LANES, quota),
        "vendors": {
            "pisano": {**account, "token": "pisano-token"},
            MOVED: {**account, "token": "another-token"},
            "radar": {
                "type": "customer_radar",
                "base_url": "https://radar.example",
                "username": "acme",
                "password": "radar-password",
                "client": "client-1",
                "quota": "radar",
            },
        },
        "campaigns": {
            "a": {**pisano, "id": "camp-a"},
            "b": {"vendor": MOVED, "channel": "sms", "id": "camp-b"},
            "again": {**pisano, "id": "camp-again", "in_doubt": "resend"},
            "visit": {**radar, "id": "camp-visit"},
            "stay": {**radar, "id": "camp-stay", "in_doubt": "resend"},
        },
        "inputs": {
            "pos": {"topics": ["pos"], "format": "json"},
            "crm": {"topics": ["crm"], "format": "json", "routes": "all"},
        },
        "routes": [
            _route(name, channel, campaign)
            for channel, made in ROUTES.items()
            for name, campaign in made
        ],
    }


def _route(name: str, channel: str, campaign: str) -> dict[str, Any]:
    radar = LANE_OF[campaign] == "radar"
    return {
        "name": name,
        "input": "crm" if channel in CHANNELS["crm"] else "pos",
        "match": {"channel": [channel]},
        "recipient": {"phone": "customer.phone"}
        | ({"email": "customer.email"} if campaign == "b" else {}),
        "phone_region": "TR",
        "send": [campaign],
        "data": {"locationDisplayId": "'here'"} if radar else {},
        "policy": {"expire_after": f"{int(FLASH_EXPIRES)}s"} if name == "flash" else {},
    }
