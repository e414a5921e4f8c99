"""Delayed invitations of campaigns that are retried leave the delay topics before they are due."""

from __future__ import annotations

from consumer.runtime.delay.early_returns import EarlyReturns


def test_each_topic_is_passed_on_up_to_its_end_of_then() -> None:
    early = EarlyReturns()
    early.request(["a"])
    assert set(early.asked) == {"a"}
    early.begin({"1m": 3, "10m": 1})
    assert not early.asked
    assert [early.covers("1m", offset) for offset in range(5)] == [True] * 3 + [False] * 2
    assert early.includes("a")
    assert not early.includes("b")
    early.turn({})
    assert early.includes("a")  # the other topic is not passed yet
    early.turn({"10m": 1})  # its last offset held a transaction's marker
    assert not early.includes("a")
    assert not early.covers("10m", 0)


def test_campaigns_asked_for_meanwhile_are_looked_for_too() -> None:
    early = EarlyReturns()
    early.request(["a"])
    early.begin({"1m": 3})
    early.request(["b"])
    early.begin({"1m": 5})
    assert early.covers("1m", 4)
    assert early.includes("a")
    assert early.includes("b")
    early.turn({})
    assert early.includes("b")


def test_a_session_that_is_over_looks_for_nothing() -> None:
    early = EarlyReturns()
    early.request(["a"])
    early.begin({"1m": 3})
    early.forget()
    assert not early.covers("1m", 0)
    assert not early.includes("a")
