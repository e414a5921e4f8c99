"""What a lane's owner and the process pin up for the status page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from queue import SimpleQueue
from typing import cast

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.http.calls import Answered, Calls
from consumer.lane.state.commands import Commit, Send
from consumer.records.call import Outcome, Verdict
from consumer.runtime.lane.config_rivals import ConfigRivals
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.runtime.options import Options
from consumer.runtime.process import Process
from consumer.wiring.config_file import ConfigFile, fingerprint, read
from tests.support.lanes import held, lane, limited
from tests.unit.config.support import ENV, RADAR_PASSWORD, VALID
from tests.unit.runtime.test_process import process
from tests.unit.runtime.test_stage import Time, stage_run

PATIENCE = 60.0


class Log:
    """A consumer that only knows where its log ends."""

    def get_watermark_offsets(self, _: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, 5

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Only for display."""


def owner() -> LaneOwnership:
    """One whose lane has a call under way."""
    clock = Time()
    machine, run = lane(limited(calls=20)), stage_run(clock)
    one = LaneOwnership(
        machine, run, cast("Producer", None), cast("Consumer", Log()),
        cast("Calls", None), SimpleQueue(),
        ConfigRivals("cloud", run.services.metrics, "c1", clock.now()),
    )  # fmt: skip
    machine.arrived(held(0), clock.now())
    return one


def batches(one: LaneOwnership) -> list[Send]:
    """What leaves at the next tick."""
    (commit,) = one.lane.tick(one.services.clock.now())
    assert isinstance(commit, Commit)
    return [each for each in one.lane.committed() if isinstance(each, Send)]


def test_an_owned_lane_is_on_the_board_until_it_is_lost() -> None:
    one = owner()
    one._show()
    shown = one.services.board.lanes()[one.name]
    assert (shown.owner, shown.waiting, shown.lag) == ("here", 1, 5)
    assert [limit.name for limit in shown.limits] == ["20/10s"]
    one.close()
    assert one.services.board.lanes() == {}


def test_a_call_that_ended_is_on_the_board() -> None:
    one = owner()
    (sent,) = batches(one)
    now = one.services.clock.now()
    one.events.put(
        Answered(sent.batch, "pisano", Outcome(Verdict.ACCEPTED, 200), now, now + 0.25, "200")
    )
    one._take_answers()
    ((call,), _) = one.services.board.calls()
    assert (call.batch, call.customers, call.answer) == (sent.batch.id, 1, "200")
    assert (call.lane, call.seconds) == (one.name, 0.25)


async def asked(one: Process) -> dict[str, object]:
    """The answer of the process's own admin server."""
    serving = asyncio.create_task(one._admin())
    async with asyncio.timeout(PATIENCE):
        while one.admin_port is None:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{one.admin_port}/status.json")
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    found: dict[str, object] = answer.json()
    return found


def test_the_process_serves_its_status_with_the_lanes_of_its_config() -> None:
    one = process()
    one._reloaded("refused")
    now = asyncio.run(asked(one))
    assert [each["name"] for each in cast("list[dict[str, str]]", now["lanes"])] == list(
        one.config.lanes
    )
    told = cast("dict[str, object]", now["process"])
    assert (told["config_version"], told["reload"]) == (one.config.config_version, "refused")


def test_how_a_reload_ended_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "routing.yaml"
    path.write_text(VALID)
    (tmp_path / "radar-password").write_text(RADAR_PASSWORD)
    one = Process(read(path), Options(file=ConfigFile(path, fingerprint(path))))
    assert one.reloader is not None

    async def applied(*_: object) -> None:
        """No lane runs here that would take it over."""

    monkeypatch.setattr(one.reloader, "_apply", applied)
    asyncio.run(one.reloader.reload())
    told = one.status.snapshot().process
    assert told is not None
    assert told.reload == "unchanged"
