"""`init` writes a first config that `validate` and `test` accept, and overwrites nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.cli import first_commands
from consumer.cli.main import app
from consumer.config import load
from consumer.errors import OperationError
from consumer.operations.first_config.choices import channels, vendors
from consumer.wiring import config_file

EVERY = [(vendor, channel) for vendor in vendors() for channel in channels(vendor)]


def init(*words: str | Path, answers: str | None = None) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, words)], input=answers)


@pytest.mark.parametrize(("vendor", "channel"), EVERY)
def test_every_vendor_and_channel_gets_a_config_that_is_valid_and_passes_its_tests(
    vendor: str, channel: str, tmp_path: Path
) -> None:
    region = () if channel == "email" else ("--region", "tr")
    done = init(tmp_path, "--vendor", vendor, "--channel", channel, *region)
    assert done.exit_code == 0, done.output
    config = config_file.read(tmp_path / "routing.yaml")
    assert config.warnings == ()
    assert [one.channel.value for one in config.campaigns.values()] == [channel]
    tests = CliRunner().invoke(app, ["test", "-c", str(tmp_path / "routing.yaml")])
    assert tests.stdout == "3 passed, 0 failed\n"
    event = [str(tmp_path / "event.json"), "-c", str(tmp_path / "routing.yaml"), "--json"]
    explained = json.loads(CliRunner().invoke(app, ["explain", *event]).stdout)
    assert explained["decision"] == "invite"


def test_secrets_are_for_their_owner_alone_and_the_key_is_new_each_time(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        init(tmp_path / name, "--vendor", "pisano", "--region", "TR")
        folder = tmp_path / name / "secrets"
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
        assert modes == {"pseudonym": 0o600, "pisano-token": 0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        keys.add((folder / "pseudonym").read_text())
    assert len(keys) == 2
    assert {len(bytes.fromhex(key)) for key in keys} == {32}


def test_nothing_is_overwritten_and_nothing_is_written_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("mine")
    done = init(tmp_path, "--vendor", "pisano", "--region", "TR")
    assert isinstance(done.exception, OperationError)
    assert f"{tmp_path / 'event.json'}: there already" in str(done.exception)
    assert "another folder" in str(done.exception)
    assert [file.name for file in tmp_path.iterdir()] == ["event.json"]
    assert (tmp_path / "event.json").read_text() == "mine"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    done = init(tmp_path, "--vendor", "pisano", "--region", "TR")
    assert isinstance(done.exception, OperationError)
    assert str(tmp_path / "secrets") in str(done.exception)


def test_four_questions_make_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_commands, "_at_terminal", lambda: True)
    done = init(tmp_path / "own.yaml", answers="pigeon\nhttp_batch\n\nshop.orders\nNO\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.split("\nwrote")[0].count("?") == 5  # the vendor was asked for twice
    config = load(tmp_path / "own.yaml")
    assert config.input_topics == ["shop.orders"]
    assert config.routes[0].phone_region == "NO"
    assert [one.channel.value for one in config.campaigns.values()] == ["sms"]
    assert "survey-dispatcher validate -c own.yaml" in done.stdout
    assert (tmp_path / "own.tests.yaml").exists()


def test_names_that_yaml_would_read_as_numbers_stay_names(tmp_path: Path) -> None:
    names = ("--topic", "2026.10", "--application-id", "1e5")
    assert init(tmp_path, "--vendor", "pisano", "--channel", "email", *names).exit_code == 0
    config = load(tmp_path / "routing.yaml")
    assert (config.input_topics, config.application_id) == (["2026.10"], "1e5")
    assert config.routes[0].phone_region is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected one of pisano, customer_radar, http_batch, found nothing"),
        (["--vendor", "pigeon"], "expected one of pisano, customer_radar, http_batch"),
        (["--vendor", "pisano", "--channel", "invitation"], "expected one of sms, email, push"),
        (["--vendor", "pisano"], "expected a country as two letters, as TR, found nothing"),
        (["--vendor", "pisano", "--region", "XX"], "two letters, as TR, found 'XX'"),
        (["--vendor", "pisano", "--region", "TR", "--topic", "a b"], "'a b'"),
        (["--vendor", "pisano", "--region", "TR", "--application-id", "a b"], "'a b'"),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_said(
    words: list[str], said: str, tmp_path: Path
) -> None:
    done = init(tmp_path / "new", *words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "new").exists()
