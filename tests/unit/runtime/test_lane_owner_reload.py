"""A lane's owner that goes over to another config while a login or a call is under way."""

from __future__ import annotations

import random
from queue import SimpleQueue
from typing import cast

from confluent_kafka import Consumer, Producer

from consumer.clock import Clock
from consumer.http.calls import Account, Calls, LoginEnded
from consumer.http.client import VendorClient
from consumer.lane.lane import Lane
from consumer.lane.state.settings import LaneSettings, Limit
from consumer.observability.metrics.metrics import Metrics
from consumer.records.call import Outcome, Token, Verdict
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.vendors.protocol import Vendor
from consumer.wiring.build import LaneConfig
from tests.unit.runtime.test_stage import Time, stage_run

RADAR = LaneSettings(
    name="radar", campaigns={}, config_version="v1", logins=frozenset({"radar"}), limits=()
)


class Client:
    """Connections that are not used here."""


def calls(token: Token | None = None) -> Calls:
    account = Account(cast("Vendor", None), cast("VendorClient", Client()), token)
    return Calls({"radar": account}, {}, None, Clock())  # type: ignore[arg-type]


def owner(with_calls: Calls) -> LaneOwnership:
    clock = Time()
    lane = Lane(RADAR, random.Random(0), clock.now())
    no_clients = cast("Producer", None), cast("Consumer", None)
    rivals = ConfigRivals("radar", Metrics(), "v1", clock.now())
    return LaneOwnership(lane, stage_run(clock), *no_clients, with_calls, SimpleQueue(), rivals)


def log_in(one: LaneOwnership) -> None:
    """A login that leaves now, and succeeds."""
    now = one.services.clock.now()
    one.lane.limiter.take_permit(now)
    one.lane.accounts.sessions["radar"].logging_in = True
    one.events.put(LoginEnded("radar", now, Outcome(Verdict.ACCEPTED, 200), now + 3600.0))
    one._take_answers()


def test_a_login_opens_a_session() -> None:
    one = owner(calls(Token("t", 4600.0)))
    log_in(one)
    assert one.lane.accounts.sessions["radar"].usable(1001.0)


def test_a_login_to_a_former_account_opens_none_and_is_repeated() -> None:
    """Its token is the former account's: calls of the new one would leave without any."""
    one = owner(calls(Token("t", 4600.0)))
    one.reconfigure(LaneConfig(RADAR, calls(), frozenset({"radar"})))
    log_in(one)
    session = one.lane.accounts.sessions["radar"]
    assert not session.usable(1001.0)
    assert session.wants_login(1001.0)


def test_from_the_next_turn_on_all_is_by_the_new_config() -> None:
    """Calls, limits and their names at once: shown limits must fit those that are counted."""
    one, new = owner(calls()), calls()
    limits = (Limit(2, 5.0),)
    settings = LaneSettings(name="radar", campaigns={}, config_version="v2", limits=limits)
    one.reconfigure(LaneConfig(settings, new))
    assert one.executor.calls is new
    assert one.lane.settings.config_version == "v2"
    (limit,) = one.lane.snapshot(1000.0).quota.limits
    assert (limit.name, limit.calls) == ("2/5s", 2)
