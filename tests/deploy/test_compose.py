"""The compose file is one, and what it says to the program is what the program takes.

No engine runs where these tests do: images are not pulled, networks are not made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config import load
from consumer.config.models import Config
from consumer.sandbox.settings import SandboxSettings
from tests.deploy.chart import ROOT
from tests.support.tools import COMPOSE

DEPLOY = ROOT / "deploy"
CONFIG = DEPLOY / "compose" / "routing.yaml"
OURS = ("topics", "sandbox", "dispatcher-1", "dispatcher-2", "feeder")

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    """The file as Docker Compose's own loader understands it."""
    code, told, errors = COMPOSE.run("--format=json", "compose.yaml", cwd=DEPLOY)
    assert code == 0, errors
    assert "variable is not set" not in errors
    found: dict[str, Service] = json.loads(told)["services"]
    return found


def config() -> Config:
    """The routing config that all of ours share."""
    return load(CONFIG, env={})


def test_the_loader_refuses_a_key_that_is_none(tmp_path: Path) -> None:
    """Or it would find nothing in ours either."""
    (tmp_path / "compose.yaml").write_text("services: {a: {image: b, memory: 1g}}")
    code, _, errors = COMPOSE.run("compose.yaml", cwd=tmp_path)
    assert code != 0
    assert "memory" in errors


def test_every_mounted_file_is_there(services: dict[str, Service]) -> None:
    """A bind to a path that is missing would make an empty folder."""
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    assert {volume["type"] for volume in mounted} == {"bind"}
    assert all(volume["read_only"] for volume in mounted)
    missing = [volume["source"] for volume in mounted if not Path(volume["source"]).exists()]
    assert missing == []


def test_the_compose_file_builds_our_image_from_the_tree(
    services: dict[str, Service],
) -> None:
    """Once, for all services that are ours."""
    for name in OURS:
        build = services[name]["build"]
        assert Path(build["context"]) == ROOT, name
        assert (ROOT / build["dockerfile"]).is_file(), name
        assert services[name]["image"] == "survey-dispatcher", name


@pytest.mark.parametrize("name", OURS)
def test_the_program_takes_each_command(services: dict[str, Service], name: str) -> None:
    """Parsed by the command itself; `test_compose_run` carries them out."""
    given = services[name]["command"]
    done = CliRunner().invoke(app, [*given, "--help"])
    assert done.exit_code == 0, done.output
    known = {word.partition("=")[0] for word in given if word.startswith("--")}
    assert all(option in done.output for option in known), done.output


def test_the_config_is_valid_and_asks_for_no_secret() -> None:
    """It is to be looked at, so it must start without preparations."""
    assert config().lanes == ("pisano-cloud", "radar")
    assert "${" not in CONFIG.read_text()


def test_the_sandbox_knows_what_the_config_sends() -> None:
    """Its credentials, campaigns and quotas are those of the config."""
    text = (DEPLOY / "compose" / "sandbox.json").read_text()
    double = SandboxSettings.model_validate_json(text)
    document = YAML(typ="safe").load(CONFIG)
    assert document["vendors"]["pisano"]["token"] == double.pisano_token
    assert document["vendors"]["radar"]["password"] == double.radar_password
    assert document["vendors"]["radar"]["client"] == double.radar_client
    known = {each.id for each in double.campaigns} | {each.id for each in double.radar_programmes}
    assert {campaign.id for campaign in config().campaigns.values()} <= known
    for lane, quota in (("pisano-cloud", double.pisano_quota), ("radar", double.radar_quota)):
        assert document["quotas"][lane]["limits"] == quota.limits


def test_addresses_are_those_of_the_services(services: dict[str, Service]) -> None:
    """Kafka, the vendors' double and the scraped ports, each by its service's name."""
    document = YAML(typ="safe").load(CONFIG)
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == f"PLAINTEXT://{document['kafka']['bootstrap.servers']}"
    assert f"--bootstrap={document['kafka']['bootstrap.servers']}" in services["feeder"]["command"]
    assert {each["base_url"] for each in document["vendors"].values()} == {"http://sandbox:8080"}
    assert "--port=8080" in services["sandbox"]["command"]
    scraped = YAML(typ="safe").load(DEPLOY / "compose" / "prometheus.yml")["scrape_configs"][0]
    (job,) = scraped["static_configs"]
    port = config().admin.port
    assert job["targets"] == [f"{each}:{port}" for each in OURS if each.startswith("dispatcher")]
    source = DEPLOY / "compose" / "grafana" / "datasources" / "prometheus.yaml"
    assert YAML(typ="safe").load(source)["datasources"][0]["url"] == "http://prometheus:9090"


def test_a_sender_has_a_name_of_its_own_and_time_to_end(services: dict[str, Service]) -> None:
    """As in the chart: distinct instances, and the longest call + 40 s."""
    senders = {name: each for name, each in services.items() if name.startswith("dispatcher")}
    assert len(senders) == 2
    for name, each in senders.items():
        assert f"--instance={name}" in each["command"]
        longest = max(quota.call_timeout for quota in config().quotas.values())
        assert each["stop_grace_period"] == f"{longest + 40:.0f}s"


def test_nothing_listens_beyond_this_machine(services: dict[str, Service]) -> None:
    """Grafana asks for no login there."""
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert len(published) == 4
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_ours_are_as_closed_as_in_the_chart(services: dict[str, Service]) -> None:
    """Read-only, no capabilities, no new privileges."""
    for name in OURS:
        each = services[name]
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
