"""Probes, scrapes and status of two children."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import orjson
import pytest

from consumer.observability.admin_state import NoAnswerError
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.status import StatusSnapshot, dump
from consumer.runtime.parent.link import Link, LinkClosedError
from consumer.runtime.parent.program_state import ProgramState

GONE = 2**22 + 1  # above the largest pid


class Child:
    """A child's link. Without answers it is stuck; `ended`: the other end is closed."""

    def __init__(self, *problems: str) -> None:
        self.metrics = Metrics()
        self.answers: dict[str, Any] | None = {
            "alive": list(problems),
            "ready": list(problems),
            "status": dump(StatusSnapshot(1.0, problems=problems)),
        }
        self.ended = False

    async def ask(self, question: str, _within: float, _details: object = None) -> Any:
        if self.ended:
            raise LinkClosedError
        if self.answers is None:
            raise TimeoutError
        if question == "series":
            export = msgspec.msgpack.encode(self.metrics.series.export())
            return msgspec.msgpack.decode(export, strict=False)
        return self.answers[question]


class Program:
    """Router and sender with their parent's view of them."""

    def __init__(self, router: Child, sender: Child) -> None:
        found = {"router": (GONE, cast("Link", router)), "sender": (GONE, cast("Link", sender))}
        self.state = ProgramState(found, Metrics().series)

    def alive(self) -> list[str]:
        return asyncio.run(self.state.alive())

    def ready(self) -> list[str]:
        return asyncio.run(self.state.ready())

    def scrape(self) -> str:
        return asyncio.run(self.state.scrape(""))[0].decode()

    def status(self) -> dict[str, Any]:
        return dict(orjson.loads(asyncio.run(self.state.status())))


def test_problems_of_both_are_shown_once_each() -> None:
    program = Program(Child("broker: no answer", "group:router: x"), Child("broker: no answer"))
    assert program.ready() == ["broker: no answer", "group:router: x"]
    assert program.status()["problems"] == ["broker: no answer", "group:router: x"]


def test_stuck_child_fails_the_probes_and_the_scrape() -> None:
    """As a stuck event loop of one process does."""
    stuck = Child()
    stuck.answers = None
    program = Program(Child(), stuck)
    assert program.alive() == program.ready() == ["process sender: no answer within 2 s"]
    with pytest.raises(NoAnswerError, match="process sender"):
        program.scrape()
    with pytest.raises(NoAnswerError, match="process sender"):
        program.status()


def test_child_that_ended_is_unready_and_keeps_its_numbers() -> None:
    """During a stop the router ends before the last calls of the sender are answered."""
    router, sender = Child(), Child()
    router.metrics.stage("router").aborted()
    program = Program(router, sender)
    before = program.status()
    assert program.scrape()
    router.ended = True
    assert program.alive() == ["process router: ended"]
    program.state.ended("router")
    assert program.alive() == []
    assert program.ready() == ["process router: ended"]
    assert 'transactions_aborted_total{stage="router"} 1.0' in program.scrape()
    assert program.status() == before


def test_child_that_ended_before_its_first_answer_has_no_numbers() -> None:
    program = Program(Child(), Child())
    program.state.ended("router")
    with pytest.raises(NoAnswerError, match="process router: ended"):
        program.scrape()


def test_reload_shown_is_the_programs() -> None:
    program = Program(Child(), Child())
    program.state.reload = "refused", 5.0
    assert program.status()["process"] is None
