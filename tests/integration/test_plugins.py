"""An example package with a plugin of each group is installed, and does the main job on a real
Kafka: its format is read, its rule asked, its store kept, its vendor called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.clock import Clock
from consumer.records.fields import rfc3339
from tests.support.dispatcher import LiveWorld, command
from tests.support.kafka import KafkaBroker, create_topics, read_topic
from tests.support.vendor_doubles import Reply, Request, VendorDouble, serving

PACKAGE = Path(__file__).parents[1] / "samples" / "acme_plugin"
KEY = "key-of-the-acme-account"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that pip installed the package into; on PYTHONPATH it is found."""
    folder = tmp_path_factory.mktemp("acme")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    source = shutil.copytree(PACKAGE, folder / "source")  # builds leave files beside it
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    return folder


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


class AcmeDouble(VendorDouble):
    """The vendor: refuses what its interface does not know."""

    def answer(self, request: Request) -> Reply:
        """Answer a call."""
        known = request.path == "/surveys/s1" and request.headers.get("x-acme-key") == KEY
        if not known or set(request.document) != {"numbers"}:
            return 400, {"said": "no-such-survey"}
        self.taken += [{"phone": number} for number in request.document["numbers"]]
        return 200, {"said": "taken"}


@pytest.fixture
def vendor() -> Iterator[tuple[str, AcmeDouble]]:
    """Yield the double's address, and the double."""
    double = AcmeDouble()
    with serving(double) as url:
        yield url, double


def acme_config(name: str, topic: str, url: str, bootstrap: str = "localhost:9092") -> Any:
    """Return a config that uses each of the package's plugins."""
    return {
        "version": 1,
        "application_id": name,
        "kafka": {"bootstrap.servers": bootstrap},
        "pseudonym": {"key_id": "k1", "key": "not-a-secret-of-integration-tests"},
        "quotas": {"acme": {"limits": [], "linger": "200ms", "first_start": "unused"}},
        "vendors": {"acme": {"type": "acme", "base_url": url, "key": KEY, "quota": "acme"}},
        "campaigns": {"sale": {"vendor": "acme", "channel": "sms", "id": "s1"}},
        "inputs": {"tills": {"topics": [topic], "format": "acme_lines"}},
        "contacts": {"store": {"type": "plugin", "name": "acme_table"}},
        "contact_rules": {"monthly": {"at_most": 1, "within": "30d"}},
        "routes": [
            {
                "name": "sale",
                "input": "tills",
                "recipient": {"phone": "phone"},
                "phone_region": "TR",
                "send": ["sale"],
                "policy": {"rules": {"closed_stores": {"store": "store", "closed": ["7"]}}},
            }
        ],
        "admin": {"host": "127.0.0.1", "port": "${env:ADMIN_PORT:-0}"},
    }


def test_example_package_does_the_main_job(
    world: LiveWorld, installed: Path, vendor: tuple[str, AcmeDouble]
) -> None:
    url, double = vendor
    config = world.home / "routing.yaml"
    config.write_text(json.dumps(acme_config(world.name, world.input, url, world.bootstrap)))
    create_topics(world.bootstrap, world.input)
    topics = command("topics", "--config", config, "--create")
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(topics, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    dispatcher = world.start(config, PYTHONPATH=str(installed)).wait_ready()
    sold = rfc3339(Clock().now())
    sales = [
        f"1;{sold};5;+905321000001",
        f"2;{sold};7;+905321000002",  # of a closed store
        f"3;{sold};5;+905321000001",  # once a month is enough
        "4;no sale",
    ]
    world.publish_raw((None, sale.encode(), None) for sale in sales)
    world.wait_results(3)
    ended = {one["event_id"]: (str(one["reason"]), one.get("rule")) for one in world.results()}
    assert ended.pop("2") == ("own_rule", "closed_stores")
    assert set(ended.values()) == {("accepted", None), ("contact_limit", "monthly")}
    assert double.taken == [{"phone": "+905321000001"}]
    (letter,) = read_topic(world.bootstrap, f"{world.name}.dead-letters")
    assert letter.value() == b"4;no sale"
    loaded = {(line["group"], line["name"]) for line in dispatcher.lines("plugin_loaded")}
    assert loaded == {
        ("vendors", "acme"),
        ("formats", "acme_lines"),
        ("rules", "closed_stores"),
        ("stores", "acme_table"),
    }
    assert dispatcher.terminate() == 0


def validate(config: Path, *path: Path) -> str:
    """Return what `validate` says, with these folders on PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        command("validate", config), check=False, env=environment, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_config_is_refused_where_the_package_is_missing(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "routing.yaml"
    config.write_text(json.dumps(acme_config("app", "tills", "https://acme.example"), indent=1))
    assert "acme_lines" not in validate(config, installed)
    said = validate(config)
    for wanted in ("vendors.acme.type", "inputs.tills.format", "rules.closed_stores", "acme_table"):
        assert wanted in said


def test_package_that_cannot_be_imported_is_named_with_its_error(
    installed: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "acme_surveys"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('no license')\n")
    config = tmp_path / "routing.yaml"
    config.write_text(json.dumps(acme_config("app", "tills", "https://acme.example")))
    said = validate(config, tmp_path, installed)
    assert "vendors plugin 'acme' of the package acme-surveys 1.2.0 is left out" in said
    assert "RuntimeError: no license" in said
