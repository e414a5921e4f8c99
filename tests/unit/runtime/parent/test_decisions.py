"""What the parent decides about ends and reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from consumer.runtime.parent.decisions import Children, Failure, Prepared, reload_in_order
from consumer.runtime.reload import Reload


def children() -> Children:
    return Children({"router", "sender"})


def test_stop_begins_once() -> None:
    both = children()
    assert both.stop()
    assert not both.stop()


def test_clean_ends_are_no_failure() -> None:
    both = children()
    assert both.ended("router", 0) is None
    assert both.ended("sender", 0) is None
    assert (both.running, both.failure) == (set(), None)


def test_first_failure_is_the_programs() -> None:
    both = children()
    both.ended("router", 4, "no position")
    both.ended("sender", 1, "a defect")
    assert both.failure == Failure("router", 4, "no position")


def test_killed_child_is_a_defect_and_names_the_signal() -> None:
    both = children()
    assert both.ended("sender", -9) == Failure("sender", 1, "", "SIGKILL")
    assert both.running == {"router"}


# -- reload ---------------------------------------------------------------------------------------


@dataclass
class Asked:
    """Two children, and the order in which they were asked."""

    versions: Iterator[str]
    refusing: str = ""
    steps: list[str] = field(default_factory=list)

    async def prepare(self, child: str) -> Prepared:
        self.steps.append(f"{child} prepare")
        if child == self.refusing:
            return Prepared(Reload.REFUSED)
        return Prepared(Reload.READY, next(self.versions))

    async def go_on(self, child: str, part: str) -> Reload:
        self.steps.append(f"{child} {part}")
        return Reload.REFUSED if f"{child} {part}" == self.refusing else Reload.APPLIED

    def reload(self) -> Reload:
        return asyncio.run(reload_in_order(self.prepare, self.go_on))


PREPARED = ["router prepare", "sender prepare"]
TAKEN = ["sender take", "router take", "sender finish"]


def test_lanes_take_the_config_then_the_router_then_removed_lanes_drain() -> None:
    both = Asked(iter("aa"))
    assert both.reload() is Reload.APPLIED
    assert both.steps == [*PREPARED, *TAKEN]


@pytest.mark.parametrize("refusing", ["router", "sender"])
def test_no_child_takes_what_the_other_refuses(refusing: str) -> None:
    both = Asked(iter("aa"), refusing)
    assert both.reload() is Reload.REFUSED
    assert both.steps in (PREPARED[:1], PREPARED)


def test_router_does_not_follow_lanes_that_failed() -> None:
    both = Asked(iter("aa"), "sender take")
    assert both.reload() is Reload.REFUSED
    assert both.steps == [*PREPARED, "sender take"]


def test_files_that_change_in_between_are_read_again() -> None:
    both = Asked(iter("abbb"))
    assert both.reload() is Reload.APPLIED
    assert both.steps == [*PREPARED, *PREPARED, *TAKEN]


def test_files_that_change_all_the_time_are_tried_later() -> None:
    both = Asked(iter("abcdefgh"))
    assert both.reload() is Reload.LATER
    assert not set(TAKEN) & set(both.steps)
