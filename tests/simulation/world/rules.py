"""The config of the simulated application: loaded once, its lanes' numbers drawn by every seed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import cache
from typing import Any

from consumer.app import build_router, build_vendors, lane_settings
from consumer.config.load import load
from consumer.config.models import Config
from consumer.lane.limiter import Limit
from consumer.lane.settings import LaneSettings
from consumer.routing.router import Router
from consumer.vendors import Vendor

APPLICATION = "surveys"
LANES = ("cloud", "radar")
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


@cache
def config() -> Config:
    """The whole config."""
    return load(json.dumps(_document()))


@cache
def vendors() -> dict[str, Vendor]:
    """The vendor modules of the config's accounts."""
    return build_vendors(config())


@cache
def router() -> Router:
    """The compiled routes; pure, so that all worlds may share it."""
    return build_router(config(), vendors())


def lanes(rng: random.Random, *, sure: bool) -> dict[str, LaneSettings]:
    """Both lanes with numbers of this seed. `sure`: limits that the checker may hold against us.

    A short `call_timeout` and small batches: much happens within a few simulated minutes.
    """
    return {name: _lane(name, rng, sure=sure) for name in LANES}


def _lane(name: str, rng: random.Random, *, sure: bool) -> LaneSettings:
    usual = _usual(name)
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
        max_held=rng.choice([20, 60, 300, 300]),
        max_noted=rng.choice([30, 100, 1_000]),
        keep=rng.choice([0.0, 30.0, 1e6]),
        call_timeout=rng.choice([4.0, 10.0]),
    )


@cache
def _usual(name: str) -> LaneSettings:
    return lane_settings(config(), name)


def _document() -> dict[str, Any]:
    quota = {"limits": [], "first_start": "unused"}
    pisano = {"vendor": "pisano", "channel": "sms"}
    radar = {"vendor": "radar", "channel": "invitation"}
    return {
        "version": 1,
        "application_id": APPLICATION,
        "kafka": {"bootstrap.servers": "nowhere.example:9092"},
        "pseudonym": {"key_id": "k1", "key": "a-key-for-the-simulation"},
        "quotas": dict.fromkeys(LANES, quota),
        "vendors": {
            "pisano": {
                "type": "pisano",
                "base_url": "https://pisano.example",
                "token": "pisano-token",
                "quota": "cloud",
            },
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
            "b": {**pisano, "id": "camp-b"},
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
        "recipient": {"phone": "customer.phone"},
        "phone_region": "TR",
        "send": [campaign],
        "data": {"locationDisplayId": "'here'"} if radar else {},
        "policy": {"expire_after": f"{int(FLASH_EXPIRES)}s"} if name == "flash" else {},
    }
