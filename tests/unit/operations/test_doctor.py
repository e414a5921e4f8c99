"""Checks of `doctor` that need no broker: files, stores, vendors and clocks; each for itself."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config import load
from consumer.contacts.sqlite import SqliteStore
from consumer.errors import OperationError
from consumer.kafka import reachability
from consumer.operations.doctor.doctor import examine
from consumer.operations.doctor.file_checks import file_checks
from consumer.operations.doctor.finding import Check, Finding, State, run_checks
from consumer.operations.doctor.store_checks import store_checks
from consumer.operations.doctor.vendor_checks import clock_finding, vendor_checks
from consumer.operations.first_config.choices import Choices
from consumer.operations.first_config.files import first_config, write
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SAMPLE_PASSWORD, Faults, Quota, SandboxSettings
from tests.support.logs import restored_logging

NOW = 1_795_361_827.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = first_config(tmp_path, Choices("pisano", "sms", region="TR"), NOW)
    write(made)
    return made.config


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """The command sets up the logs of its process, which is the tests' own here."""
    with restored_logging():
        yield


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def states(findings: list[Finding]) -> list[tuple[str, State]]:
    return [(one.check, one.state) for one in findings]


# -- the run of all -------------------------------------------------------------------------------


def test_a_check_that_fails_hides_no_other_and_keeps_what_it_found() -> None:
    def refused() -> Iterator[Finding]:
        yield Finding("one", State.OK, "at first")
        raise OperationError("then not")

    def broken() -> list[Finding]:
        raise KeyError("+905321234567")

    found = run_checks([Check("one", refused), Check("two", broken), Check("three", list)])
    assert states(found) == [("one", State.OK), ("one", State.FAILED), ("two", State.FAILED)]
    assert found[1].found == "then not"
    assert "a defect, please report: KeyError at test_doctor.py" in found[2].found
    assert "+90" not in found[2].found
    assert run_checks([]) == []


def test_a_config_that_is_refused_is_told_with_its_lines(config: Path) -> None:
    config.write_text(config.read_text().replace("channel: sms", "channel: pigeon", 1))
    (config.parent / "secrets" / "pisano-token").unlink()
    found = examine(config)
    failed = [one.found for one in found if one.state is State.FAILED]
    assert any("campaigns.purchase-sms.channel" in text for text in failed)
    assert any(f"{config.parent}/secrets/pisano-token cannot be read" in text for text in failed)
    assert found[-1] == Finding("all else", State.SKIPPED, "without a config that is valid")


@pytest.mark.usefixtures("restored_logs")
def test_the_command_ends_with_1_where_a_check_failed(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachability, "WAIT", 1.0)
    nowhere = f"127.0.0.1:{free_port()}"
    env = {"KAFKA_BOOTSTRAP": nowhere, "VENDOR_URL": f"http://{nowhere}"}
    done = CliRunner(env=env).invoke(app, ["doctor", "-c", str(config), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"]) == (1, False)
    rows = {one["check"]: one for one in told["findings"]}
    assert rows["kafka"]["state"] == "failed"
    assert f"no broker at {nowhere}: _TRANSPORT" in rows["kafka"]["found"]
    assert "bootstrap.servers" in rows["kafka"]["remedy"]
    assert rows["topics, rights, transactions"]["state"] == "not checked"
    assert rows["vendor pisano"]["found"] == "not reached: nothing listens there"
    table = CliRunner(env=env).invoke(app, ["doctor", "-c", str(config)])
    assert table.exit_code == 1
    assert "2 failed, 2 warnings: mend what failed" in table.stdout


# -- files ----------------------------------------------------------------------------------------


def test_stand_ins_and_secrets_that_others_can_read_are_warnings(config: Path) -> None:
    found = run_checks(file_checks(config))
    assert states(found) == [("secrets", State.WARNING), ("config", State.WARNING)]
    line = config.read_text().split("    id: put-yours")[0].count("\n") + 1
    assert f"{config}:{line}: campaigns.purchase-sms.id: holds the stand-in" in found[1].found
    (token := config.parent / "secrets" / "pisano-token").write_text("a-token\n")
    token.chmod(0o644)
    (opened, *_) = run_checks(file_checks(config))
    assert "-rw-r--r--" in opened.found
    assert opened.remedy == f"chmod 600 {token}"
    token.chmod(0o640)  # a group's right is how Kubernetes lets a pod read
    (fit, *_) = run_checks(file_checks(config))
    assert (fit.state, fit.found) == (State.OK, "2 files, closed to other users")
    assert file_checks(Path("-")) == []


# -- the contact store ----------------------------------------------------------------------------


def with_store(config: Path, path: Path) -> list[Finding]:
    text = config.read_text() + f"contacts: {{store: {{type: sqlite, path: {path}}}}}\n"
    (other := config.with_name("other.yaml")).write_text(text)
    return run_checks(store_checks(load(other)))


def test_a_sqlite_store_is_neither_made_nor_locked(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "contacts.sqlite"
    assert "will be made" in with_store(config, path)[-1].found
    assert not path.exists()
    with closing(SqliteStore(path, lambda: NOW)):
        (used,) = [one for one in with_store(config, path) if "free for" not in one.found]
    assert (used.state, used.found) == (
        State.OK,
        "contacts.sqlite is in use by a process that runs",
    )
    assert with_store(config, path)[-1].found == "contacts.sqlite is readable"


def test_what_a_sqlite_store_cannot_be_is_said(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is not there" in with_store(config, tmp_path / "none" / "c.sqlite")[-1].found
    (other := tmp_path / "other.sqlite").write_bytes(b"no database" * 100)
    (unfit,) = [one for one in with_store(config, other) if "free for" not in one.found]
    assert (unfit.state, "remove other.sqlite" in unfit.remedy) == (State.FAILED, True)
    with closing(sqlite3.connect(tmp_path / "later.sqlite")) as later:
        later.execute("PRAGMA user_version = 99")
        later.execute("CREATE TABLE t (x)")
    assert "format 99" in with_store(config, tmp_path / "later.sqlite")[-1].found
    full = os.statvfs_result((4096, 4096, 100, 100, 100, 1, 1, 1, 0, 255))
    monkeypatch.setattr("shutil.os.statvfs", lambda _path: full)
    assert with_store(config, tmp_path / "new.sqlite")[0].state is State.WARNING


# -- vendors --------------------------------------------------------------------------------------


def of_vendor(url: str, vendor: str = "pisano", now: float | None = None, **env: str) -> Finding:
    channel = "invitation" if vendor == "customer_radar" else "sms"
    (found, *more) = all_of_vendor(url, vendor, channel, now, **env)
    return more[0] if more else found


def all_of_vendor(
    url: str, vendor: str, channel: str, now: float | None, password: str = SAMPLE_PASSWORD
) -> list[Finding]:
    import tempfile  # noqa: PLC0415 - a folder for each config

    with tempfile.TemporaryDirectory() as folder:
        made = first_config(Path(folder), Choices(vendor, channel, region="TR"), NOW)
        write(made)
        (secret,) = [file for file in made.secret if file.name != "pseudonym"]
        secret.write_text(password)
        text = made.config.read_text().replace("username: put-yours", "username: sandbox")
        made.config.write_text(text)
        config = load(made.config, env={"VENDOR_URL": url})
        checks = vendor_checks(config) if now is None else vendor_checks(config, lambda: now)
        return run_checks(checks)


def test_a_vendor_without_a_login_is_reached_and_its_token_is_not_checked() -> None:
    with SandboxServer(SandboxSettings()) as url:
        found = of_vendor(url)
    assert found.state is State.OK
    assert "reached (status 200); the token is not checked" in found.found


@pytest.mark.parametrize(
    ("password", "state", "said"),
    [
        (SAMPLE_PASSWORD, State.OK, "reached, and logged in"),
        ("another", State.FAILED, "the login failed (status 401)"),
    ],
)
def test_a_vendor_with_a_login_is_logged_in_and_gets_no_survey(
    password: str, state: State, said: str
) -> None:
    server = SandboxServer(SandboxSettings())
    with server as url:
        found = of_vendor(url, "customer_radar", password=password)
        paths = [entry["path"] for entry in server.double.journal.log]
    assert (found.state, said in found.found) == (state, True)
    assert bool(found.remedy) is (state is State.FAILED)
    assert paths == ["/auth/login"]


def test_a_used_up_quota_is_a_warning() -> None:
    with SandboxServer(SandboxSettings(radar_quota=Quota(limits=["1/1h"]))) as url:
        of_vendor(url, "customer_radar")
        found = of_vendor(url, "customer_radar")
    assert (found.state, found.remedy) == (
        State.WARNING,
        "the quota is used up: try again later",
    )


def test_a_vendor_that_does_not_answer_is_told_apart_from_one_that_is_not_reached() -> None:
    silent = SandboxSettings(faults=Faults(reset=1.0))
    with SandboxServer(silent) as url:
        cut = of_vendor(url, "customer_radar")
    assert (cut.state, cut.found) == (State.FAILED, "connected, but no answer came (reset)")
    gone = of_vendor(f"http://127.0.0.1:{free_port()}")
    assert (gone.state, gone.found) == (State.FAILED, "not reached: nothing listens there")
    assert "base_url" in gone.remedy


# -- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (NOW, None),
        (NOW - 6, None),
        (NOW + 5, None),
        (NOW + 60, "this host's clock is 60 s behind the one there"),
        (NOW - 61, "this host's clock is 60 s ahead of the one there"),
    ],
)
def test_a_clock_that_differs_by_more_than_a_date_can_show_is_a_warning(
    theirs: float, said: str | None
) -> None:
    found = clock_finding("vendor x", formatdate(theirs, usegmt=True), NOW, NOW)
    assert (found.found if found else None) == said
    assert found is None or (found.state, "NTP" in found.remedy) == (State.WARNING, True)
    assert clock_finding("vendor x", "", NOW, NOW) is None


def test_a_slow_answer_is_no_skew() -> None:
    assert clock_finding("x", formatdate(NOW + 20, usegmt=True), NOW, NOW + 20) is None


def test_the_vendors_date_is_compared() -> None:
    with SandboxServer(SandboxSettings()) as url:
        found = of_vendor(url, now=NOW - 1e8)
    assert found.check == "clock, vendor pisano"
    assert "behind the one there" in found.found
