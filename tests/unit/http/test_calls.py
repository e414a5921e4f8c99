"""A call's answer on its way to the lane: nothing of the customers, and no standstill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from consumer.clock import Clock
from consumer.config.sections import Campaign
from consumer.http.calls import Account, Answered, Calls
from consumer.http.client import Exchange, VendorClient
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Answer, Call
from consumer.records.invitation import Invitation
from consumer.vendors.echo import PART
from tests.contract.vendor_rows import ROWS, invitation

NOW = 1_000.0
CLOCK = Clock(lambda: NOW, lambda: 0.0)


class Client(VendorClient):
    """A vendor that answers each call at once."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.size = 0

    async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:  # noqa: ARG002 - as it is
        self.size = len(call.body)
        return Exchange(NOW, NOW, self._answer)


ROW = ROWS["pisano"]


def calls_by(client: Client, clock: Clock = CLOCK) -> Calls:
    """Calls of campaign `c` through this client."""
    account = Account(ROW.vendor("https://a.test"), client)
    campaign = Campaign(vendor="v", channel=ROW.campaign.channel, id=ROW.campaign.id)
    return Calls({"v": account}, {"c": campaign}, asyncio.get_running_loop(), clock)


def batch_of(many: Sequence[Invitation]) -> Batch:
    """A sealed batch of these."""
    held = [PendingInvitation.of(n, made, NOW) for n, made in enumerate(many)]
    return Batch("b", "c", held, NOW, SealReason.FULL, LaneCampaign("c", "v", ROW.campaign.channel))


def answered(answer: Answer, customers: int) -> tuple[Answered, int, int]:
    """A call of so many, its bytes, and how often other work got its turn meanwhile."""
    data = {"custom_attributes": {"name": "Ada Yılmaz", "note": "x" * 400}}
    many = [invitation(f"+9053212{n:05d}", data) for n in range(customers)]  # type: ignore[arg-type]

    async def run() -> tuple[Answered, int, int]:
        client = Client(answer)
        calls = calls_by(client)
        inbox, turns = calls.inbox(), 0
        sent = asyncio.wrap_future(calls.send(batch_of(many), inbox))
        while not sent.done():
            turns += 1
            await asyncio.sleep(0)
        event = inbox.get(block=False)
        assert isinstance(event, Answered)
        return event, client.size, turns

    return asyncio.run(run())


REFUSAL = orjson.dumps({"code": "yilmaz1990", "message": "Ada Yılmaz of +905321200001 is bad"})


@pytest.mark.parametrize("customers", [1, 2_000])
def test_an_answer_reaches_the_lane_without_its_customers(customers: int) -> None:
    event, _, _ = answered(Answer(400, {}, REFUSAL), customers)

    assert (event.outcome.code, event.outcome.message) == (None, "[…] of […] is bad")
    assert event.known_code is None


@pytest.mark.parametrize(("code", "known"), [("13028", "13028"), ("40000", None)])
def test_an_event_names_a_code_only_if_the_vendor_knows_it(code: str, known: str | None) -> None:
    event, _, _ = answered(Answer(400, {}, orjson.dumps({"code": code})), 1)
    assert (event.outcome.code, event.known_code) == (code, known)


def test_other_calls_go_on_while_a_large_one_is_looked_through() -> None:
    """The loop turns while the words are looked up; without a text it need not be done at all."""
    _, size, turns = answered(Answer(400, {}, REFUSAL), 2_000)
    accepted, _, least = answered(Answer(200, {}, b"{}"), 2_000)

    assert size > 10 * PART
    assert turns > least + 5
    assert accepted.outcome == replace(accepted.outcome, code=None, message=None)


@pytest.mark.parametrize(("fresh_from", "until"), [(None, NOW + 5), (NOW + 60, NOW + 65)])
def test_freshness_counts_from_before_the_commit_of_the_intent(
    fresh_from: float | None, until: float
) -> None:
    """A commit that a quota of Kafka makes last a minute must not make every call too old."""
    asked = list[float]()

    class Asked(Client):
        async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:
            asked.append(fresh_until)
            return await super().exchange(call, fresh_until=fresh_until)

    async def run() -> None:
        calls = calls_by(Asked(Answer(200, {}, b"{}")))
        batch = batch_of([invitation("+905321200001", {})])
        await asyncio.wrap_future(calls.send(batch, calls.inbox(), fresh_from))

    asyncio.run(run())
    assert asked == [until]


def test_a_call_in_flight_holds_the_clock_though_its_lane_is_lost() -> None:
    """Else a step back of the wall clock makes an abandoned call fresh again, hours later."""
    wall = [NOW]
    clock = Clock(lambda: wall[0], lambda: 0.0)
    followed = list[float]()

    class Stepped(Client):
        async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:
            wall[0] -= 3_600
            followed.append(clock.follow_wall_clock())
            return await super().exchange(call, fresh_until=fresh_until)

    async def run() -> None:
        calls = calls_by(Stepped(Answer(200, {}, b"{}")), clock)
        batch = batch_of([invitation("+905321200001", {})])
        await asyncio.wrap_future(calls.send(batch, calls.inbox()))
        followed.append(clock.follow_wall_clock())

    asyncio.run(run())
    assert followed == [0.0, -3_600]
