"""Calls of a former config end by its account, and then its connections are closed."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from consumer.clock import Clock
from consumer.config.sections import Campaign
from consumer.http import calls as calls_module
from consumer.http.calls import Account, Answered, Calls, RetiredPools
from consumer.http.client import Exchange, VendorClient
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Call
from consumer.records.channel import Channel
from consumer.vendors.protocol import Vendor


class Client:
    """A connection pool that answers when it is told to."""

    def __init__(self) -> None:
        self.closed = False
        self.answer = asyncio.Event()

    async def close(self) -> None:
        self.closed = True

    async def exchange(self, _call: Call, *, fresh_until: float) -> Exchange:
        await self.answer.wait()
        return Exchange(fresh_until, failure="closed" if self.closed else "connect_error")


class Module:
    """A vendor module that can build anything."""

    codes = ()

    def build(self, *_: object) -> None: ...


def account(client: Client) -> Account:
    return Account(cast("Vendor", Module()), cast("VendorClient", client))


def calls(**accounts: Account) -> Calls:
    campaigns = {name: Campaign(vendor=name, channel=Channel.SMS, id="c") for name in accounts}
    return Calls(accounts, campaigns, asyncio.get_running_loop(), Clock())


def batch(campaign: str) -> Batch:
    return Batch("b", campaign, [], 0.0, SealReason.FULL, LaneCampaign(campaign, "v", Channel.SMS))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "LOOK_EVERY", 0.0)


async def turns() -> None:
    """Enough for whatever can go on by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_call_under_way_ends_before_its_pool_is_closed() -> None:
    async def run() -> None:
        former, kept = Client(), Client()
        shared = account(kept)
        both, held = calls(a=account(former), b=shared), RetiredPools()
        held.add(both)
        inbox = both.inbox()
        both.send(batch("a"), inbox)
        held.add(calls(b=shared))
        retiring = asyncio.create_task(held.retire(both, lambda: False))
        await turns()
        assert not former.closed
        former.answer.set()
        await asyncio.wait_for(retiring, 60.0)
        answered = inbox.get(block=False)
        assert isinstance(answered, Answered)
        assert (answered.vendor, answered.label) == ("a", "connect_error")
        assert (former.closed, kept.closed) == (True, False)
        await held.close()
        assert kept.closed

    asyncio.run(run())


def test_a_pool_stays_open_while_a_lane_may_still_use_it() -> None:
    async def run() -> None:
        client, held = Client(), RetiredPools()
        former = calls(a=account(client))
        held.add(former)
        users = [former]
        retiring = asyncio.create_task(held.retire(former, lambda: bool(users)))
        await turns()
        assert not client.closed
        users.clear()
        await asyncio.wait_for(retiring, 60.0)
        assert client.closed

    asyncio.run(run())


def test_a_pool_that_two_former_configs_share_is_closed_with_the_last() -> None:
    async def run() -> None:
        client, held = Client(), RetiredPools()
        shared = account(client)
        first, second = calls(a=shared), calls(a=shared)
        held.add(first)
        held.add(second)
        await held.retire(second, lambda: False)
        assert not client.closed
        await held.retire(first, lambda: False)
        assert client.closed

    asyncio.run(run())
