"""A call that cannot be built: which invitations are to blame, and that nothing is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from consumer.clock import Clock
from consumer.http.calls import Account, Calls
from consumer.lane.state.commands import Batch, SealReason
from consumer.records.call import Call
from consumer.records.invitation import CallParts
from tests.support.lanes import NOW, campaign, held


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


class Broken:
    """A vendor module that raises for some invitations, or for more than one."""

    def __init__(self, bad: frozenset[str], *, several: bool = False) -> None:
        self._bad, self._several = bad, several

    def build(self, _campaign: object, many: Sequence[CallParts], _token: object) -> Call:
        if self._bad & {each.id for each in many} or (self._several and len(many) > 1):
            raise KeyError("phone +905321234567")
        return Call("POST", "/", {}, b"")


@pytest.mark.parametrize(
    ("vendor", "unbuilt"),
    [
        (Broken(frozenset({"i1"})), {1}),
        (Broken(frozenset({"i0", "i2"})), {0, 2}),
        (Broken(frozenset(), several=True), {0, 1, 2}),
    ],
)
def test_the_answer_names_the_invitations_that_no_call_can_be_built_of(
    loop: asyncio.AbstractEventLoop,
    vendor: Any,
    unbuilt: set[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And the log has the error's type and place, without its text."""
    account = Account(vendor, SimpleNamespace())  # type: ignore[arg-type]  # a client never used
    campaigns: Any = {"a": SimpleNamespace(vendor="pisano")}
    calls = Calls({"pisano": account}, campaigns, loop, Clock(lambda: NOW, lambda: 0.0))
    inbox = calls.inbox()
    batch = Batch("b", "a", [held(n) for n in range(3)], NOW, SealReason.FULL, campaign("a"))
    calls.send(batch, inbox).result(timeout=60)
    answered: Any = inbox.get()
    assert answered.outcome.unbuilt == frozenset(unbuilt)
    assert answered.sent_at is None
    assert not answered.outcome.trouble
    said = capsys.readouterr()
    assert "+90532" not in said.out + said.err
