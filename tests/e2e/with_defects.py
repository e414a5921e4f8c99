"""The program with defects planted in it: errors whose texts are full of personal data.

`python -m tests.e2e.with_defects …` is `python -m consumer …`, but for

- an event of the channel `defect`: routing it raises;
- a batch with the data `DEFECT`: building its call raises;
- an answer with the word `DEFECT`: reading it raises, as would a hook of the event loop, a thread,
  the garbage collector and a library that logs what it should not;
- the file that `DEFECT_FILE` names: once it is there, a lane stops with an error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from consumer.cli import main
from consumer.records.call import Answer, Call, Outcome
from consumer.records.invitation import CallParts
from consumer.routing.router import Router
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.vendors.pisano import Pisano

MARK = "DEFECT"
FILE = Path(os.environ.get("DEFECT_FILE", "/nonexistent"))


class Dying:
    """End with an error that no caller can catch."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        raise ValueError(self._text)


def _plant() -> None:
    route, build, read, step = Router._route_record, Pisano.build, Pisano.read, LaneOwnership.step

    def bad_route(self: Router, record: Any, *rest: Any) -> None:
        if b'"defect"' in (record.value or b""):
            raise ValueError(record.value)
        route(self, record, *rest)

    def bad_build(self: Pisano, campaign: Any, those: Sequence[CallParts], token: Any) -> Call:
        if any(MARK.encode() in bytes(raw) for each in those for raw in each.data.values()):
            raise ValueError(f"{those} {self._headers}")
        return build(self, campaign, those, token)

    def bad_read(self: Pisano, answer: Answer) -> Outcome:
        if MARK.encode() in answer.body:
            _everything(answer.body.decode(errors="replace"))
        return read(self, answer)

    def bad_step(self: LaneOwnership) -> None:
        if FILE.exists():
            raise ValueError(FILE.read_text())
        step(self)

    patched: list[tuple[type, Callable[..., Any]]] = [
        (Router, bad_route), (Pisano, bad_build), (Pisano, bad_read), (LaneOwnership, bad_step)
    ]  # fmt: skip
    for (holder, planted), name in zip(
        patched, ("_route_record", "build", "read", "step"), strict=True
    ):
        setattr(holder, name, planted)


def _everything(text: str) -> None:
    """Let it end up wherever an unforeseen error can."""

    def fail(*_: object) -> None:
        raise ValueError(text)

    async def task() -> None:
        fail()

    loop = asyncio.get_running_loop()
    loop.call_soon(fail, text)
    tasks = [loop.create_task(task())]
    tasks.clear()
    thread = threading.Thread(target=fail, args=(text,), name="defect")
    thread.start()
    thread.join()
    Dying(text)
    logging.getLogger("httpx").error("no answer to %s", text)
    logging.getLogger("httpcore").debug("headers %s", text)
    logging.getLogger("some.library").warning(text)
    fail()


if __name__ == "__main__":
    _plant()
    main.main()
