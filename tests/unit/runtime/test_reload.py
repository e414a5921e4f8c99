"""When the config is read again, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from consumer.config import Config
from consumer.config.changes import Changes
from consumer.errors import TopicsError
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime import reload
from consumer.runtime.reload import TRY_AGAIN, FileWatch, Looks, Reload, Reloader
from consumer.wiring.config_file import ConfigFile, fingerprint, read
from tests.unit.config.support import ENV, RADAR_PASSWORD, VALID

# -- looks ----------------------------------------------------------------------------------------


def test_a_change_counts_when_two_looks_agree() -> None:
    """An editor may be half-way through writing it."""
    looks = Looks(b"old", last=b"old")
    assert not looks.due(b"old")
    assert not looks.due(b"half")
    assert not looks.due(b"whole")
    assert looks.due(b"whole")


def test_what_was_tried_is_not_tried_again() -> None:
    """Whatever came of it: its problems have been said."""
    looks = Looks(b"old", last=b"new")
    assert looks.due(b"new")
    looks.trying(b"new")
    assert not any(looks.due(b"new") for _ in range(10 * TRY_AGAIN))


def test_what_only_kafka_spoke_against_is_tried_again_later() -> None:
    looks = Looks(b"old", last=b"new")
    looks.trying(b"new")
    looks.again_later()
    assert [looks.due(b"new") for _ in range(TRY_AGAIN)] == [False] * (TRY_AGAIN - 1) + [True]
    looks.trying(b"new")
    assert not any(looks.due(b"new") for _ in range(10 * TRY_AGAIN))


# -- reloads --------------------------------------------------------------------------------------


class Running:
    """A process of which only the reloader is real."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = read(path)
        self.metrics = Metrics()
        self.missing: str | None = None
        self.defect: Exception | None = None
        self.applied = asyncio.Event()
        self.reloader = Reloader(
            path, self.config, self.check, self.apply, self.metrics.process.config_reload
        )
        self.files = FileWatch(ConfigFile(path, fingerprint(path)), self.reloader.reload)

    async def check(self, _config: Config, _changes: Changes) -> None:
        if self.missing is not None:
            raise TopicsError(self.missing)

    async def apply(self, config: Config, _changes: Changes) -> None:
        if self.defect is not None:
            raise self.defect
        self.config = config
        self.applied.set()

    def reload(self, change: Callable[[str], str]) -> list[EventDict]:
        """Change the file and reload; what was logged."""
        self.path.write_text(change(self.path.read_text()))
        with capture_logs() as logs:
            asyncio.run(self.reloader.reload())
        return logs

    def count(self, result: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "survey_dispatcher_config_reloads_total", {"result": result}
        )

    @property
    def ok(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "survey_dispatcher_config_last_reload_successful"
        )


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "radar-password").write_text(RADAR_PASSWORD)
    path = tmp_path / "routing.yaml"
    path.write_text(VALID)
    return Running(path)


def test_a_good_config_is_applied_and_said(running: Running) -> None:
    was = running.config.config_version
    (line,) = running.reload(lambda text: text.replace("weight: 1", "weight: 2"))
    assert (line["event"], line["was"]) == ("config_applied", was)
    assert line["version"] == running.config.config_version != was
    assert (running.count("applied"), running.ok) == (1, 1)


def test_the_same_config_is_unchanged(running: Running) -> None:
    (line,) = running.reload(lambda text: text + "# said again\n")
    assert line["event"] == "config_unchanged"
    assert running.applied.is_set()  # lanes retry what is parked
    assert (running.count("unchanged"), running.ok) == (1, 1)


def test_a_bad_config_is_refused_with_all_its_problems(running: Running) -> None:
    before = running.config
    (line,) = running.reload(
        lambda text: text.replace("weight: 1", "weight: 0").replace("{limits: [1/1s]}", "{}")
    )
    assert (line["event"], line["log_level"]) == ("config_refused", "error")
    assert [problem.partition(": ")[0] for problem in line["problems"]] == [
        f"{running.path}:7",
        f"{running.path}:26",
    ]
    assert line["still_in_use"] == before.config_version
    assert running.config is before
    assert (running.count("refused"), running.ok) == (1, 0)


def test_a_changed_table_is_applied_and_a_bad_one_refused_with_its_line(
    running: Running,
) -> None:
    """The watch sees its file as it sees the config's, and no cell is logged."""
    stores = running.path.parent / "stores.csv"
    stores.write_text("id,city\n1,a\n")
    *_, line = running.reload(lambda text: text + "tables: {s: {file: stores.csv, key: id}}\n")
    assert line["event"] == "config_applied"
    seen, was = fingerprint(running.path), running.config
    stores.write_text("id,city\n1,b\n")
    assert fingerprint(running.path) != seen
    *_, line = running.reload(lambda text: text)
    assert line["version"] == running.config.config_version != was.config_version
    assert running.config.tables["s"].content.rows == {"1": ("1", "b")}
    stores.write_text("id,city\n1,b\n1,secret\n")
    (line,) = running.reload(lambda text: text)
    assert line["problems"] == [
        f"{stores}:3: tables.s: has the same key as line 2 (keep one of them)"
    ]
    assert running.config.tables["s"].content.rows == {"1": ("1", "b")}


def test_what_needs_a_restart_is_refused_with_its_line_and_without_its_secret(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "another-key-of-16-bytes")
    (line,) = running.reload(lambda text: text.replace("9464", "9465"))
    assert [problem.split(": ")[:2] for problem in line["problems"]] == [
        [f"{running.path}:4", "pseudonym"],
        [f"{running.path}:{VALID.count(chr(10))}", "admin"],
    ]
    assert "restart" in line["problems"][0]
    assert "another-key" not in str(line)


def test_what_kafka_lacks_is_refused_until_it_is_there(running: Running) -> None:
    running.missing = "topic surveys.invitations.eu is missing"
    (line,) = running.reload(lambda text: text.replace("weight: 1", "weight: 2"))
    assert line["problems"] == [running.missing]
    assert asyncio.run(running.reloader.reload()) is Reload.LATER
    running.missing = None
    (line,) = running.reload(lambda text: text)
    assert line["event"] == "config_applied"


def test_a_defect_is_refused_by_its_kind_alone(running: Running) -> None:
    """Its text may repeat anything; the next config is compared with what is in use."""
    running.defect = ValueError("secret")
    (line,) = running.reload(lambda text: text.replace("weight: 1", "weight: 2"))
    assert line["problems"] == ["ValueError: a defect, please report"]
    running.defect = None
    (line,) = running.reload(lambda text: text)
    assert line["event"] == "config_applied"


@pytest.mark.timeout(60)
def test_the_reload_watch_polls_until_the_stop_and_reads_at_once_when_asked(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal is not kept for the next look, and a stop is not waited out."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 3_600.0)
    running.path.write_text(VALID.replace("weight: 1", "weight: 2"))

    async def ask_and_stop() -> None:
        stop = asyncio.Event()
        looking = asyncio.create_task(running.files.run(stop))
        running.files.ask()
        await running.applied.wait()
        stop.set()
        await looking

    asyncio.run(ask_and_stop())
    assert running.count("applied") == 1


@pytest.mark.timeout(60)
def test_a_change_during_a_reload_waits_for_its_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two reloads at once could leave the former config in parts of the process."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 3_600.0)
    steps: list[str] = []
    stop = asyncio.Event()

    def ask(weight: int) -> None:
        running.path.write_text(VALID.replace("weight: 1", f"weight: {weight}"))
        running.files.ask()

    async def apply(config: Config, _changes: Changes) -> None:
        steps.append("begins")
        if len(steps) == 1:
            ask(3)
            await asyncio.sleep(0.2)  # long enough for another reload to begin
        else:
            stop.set()
        running.config = config
        steps.append("ends")

    monkeypatch.setattr(running.reloader, "_apply", apply)
    ask(2)
    asyncio.run(running.files.run(stop))
    assert steps == ["begins", "ends"] * 2
    assert running.config == read(running.path)
