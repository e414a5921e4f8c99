"""Links that Pisano makes: a call for each customer, over HTTP to the double, until the result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.config import load
from consumer.records.invitation import Invitation
from consumer.records.result import Status
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import PisanoCampaign, SandboxSettings
from tests.contract.test_answers import faults
from tests.support.caller import Caller, calling
from tests.support.lanes import invitation

CHANNEL = "9f3f1d4e-70c5-4a43-8a52-1d1f6f0b7c11"
BEARER = "Bearer of-an-authorized-app"


def document(url: str, **account: Any) -> dict[str, Any]:
    quota = {"limits": [], "first_start": "unused", "linger": "0s"}
    return {
        "version": 1,
        "application_id": "links",
        "kafka": {"bootstrap.servers": "nowhere.example:9092"},
        "pseudonym": {"key_id": "k1", "key": "a-key-for-the-contract"},
        "quotas": {"cloud": quota},
        "vendors": {
            "pisano": {
                "type": "pisano",
                "base_url": url,
                "token": "of-an-authorized-app",
                "authorization": "Bearer {token}",
                "quota": "cloud",
                **account,
            }
        },
        "campaigns": {
            "link": {
                "vendor": "pisano",
                "channel": "generated_link",
                "id": CHANNEL,
                "link_options": {"short_link": True},
            }
        },
        "inputs": {"pos": {"topics": ["pos"], "format": "json"}},
        "routes": [
            {
                "name": "receipt",
                "input": "pos",
                "recipient": {"phone": "phone"},
                "phone_region": "TR",
                "send": ["link"],
                "data": {"custom_attributes": {"name": "name"}},
            }
        ],
    }


def customers(number: int) -> list[Invitation]:
    made = []
    for n in range(number):
        one = invitation(n, f"r{n}", "link")
        one["address"] = {"phone": f"+9053212{n:05d}"}
        one["data"] = {"custom_attributes": {"name": "Ada", "tier": "gold"}}
        made.append(one)
    return made


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    campaign = PisanoCampaign(id=CHANNEL, channel="generated_link", authorization=BEARER)
    with SandboxServer(SandboxSettings(campaigns=[campaign])) as url:
        yield url


@contextmanager
def lane(url: str, **account: Any) -> Iterator[Caller]:
    with calling(load(json.dumps(document(url, **account))), "cloud") as caller:
        yield caller


def test_each_customer_gets_a_link_of_the_vendors_in_the_result(sandbox: str) -> None:
    with lane(sandbox) as caller, capture_logs() as logs:
        caller.invite(customers(3))
        caller.settle()

    told = [(result["status"], result["reason"].value) for result in caller.results]
    links = [result.get("link", "") for result in caller.results]
    assert told == [(Status.ACCEPTED, "link_made")] * 3
    assert len(set(links)) == caller.made == 3
    assert all(link.startswith("https://survey.sandbox.example/") for link in links)
    assert not [log for log in logs if "survey.sandbox" in repr(log) or "+905" in repr(log)]


def test_what_is_in_doubt_is_asked_for_again_for_no_customer_was_invited(sandbox: str) -> None:
    with lane(sandbox) as caller:
        faults(sandbox, {"error_500": 1.0})
        caller.invite(customers(1))
        caller.settle()
        assert caller.results == []
        faults(sandbox, {})
        caller.skip(3600)
        caller.settle()

    assert [result["reason"].value for result in caller.results] == ["link_made"]


def test_a_wrong_place_of_the_link_has_the_campaign_wait(sandbox: str) -> None:
    with lane(sandbox, link_at="short_link") as caller:
        caller.invite(customers(2))
        caller.settle()

        assert caller.results == []
        assert caller.lane.parked_campaigns() == ["link"]
