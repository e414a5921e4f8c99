"""The contact store in the chart: a volume for SQLite, a port and a secret for Valkey."""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml import YAML

from consumer.config.interpolate import files_named
from tests.deploy.chart import CHART, Rendered, render

FOLDER = "/var/lib/survey-dispatcher"
CLAIM = "surveys-survey-dispatcher-contacts"


def container(rendered: Rendered, role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mounts by path, and volumes by name, of a role's pod."""
    (pod,) = (pod for name, pod in rendered.pods() if name.endswith(role))
    mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
    return mounts, {each["name"]: each for each in pod["volumes"]}


def test_the_senders_pod_has_the_volume_of_a_sqlite_file() -> None:
    """And it alone: a router asks no store."""
    rendered = render("contacts")
    mounts, volumes = container(rendered, "-sender")
    assert not mounts[FOLDER].get("readOnly")
    assert volumes[mounts[FOLDER]["name"]]["persistentVolumeClaim"] == {"claimName": CLAIM}
    claim = rendered.one("PersistentVolumeClaim")
    assert claim["metadata"]["name"] == CLAIM
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "8Gi"}},
    }
    for role in ("-router", "-topics"):
        assert FOLDER not in container(rendered, role)[0]


def test_without_a_volume_the_file_is_lost_with_its_pod() -> None:
    rendered = render("contacts", "--set=contactStore.volume.enabled=false")
    mounts, volumes = container(rendered, "-sender")
    assert volumes[mounts[FOLDER]["name"]]["emptyDir"] == {}
    assert rendered.of("PersistentVolumeClaim") == []


def test_valkey_is_reached_by_several_senders_and_its_url_is_a_secret() -> None:
    """The config names a file of the Secret, which the chart mounts anyway."""
    text = YAML(typ="safe").load(CHART / "ci" / "contacts.yaml")["config"]
    config = YAML(typ="safe").load(text)
    url = "${file:/etc/survey-dispatcher/secrets/valkey-url}"
    config["contacts"] = {"store": {"type": "valkey", "url": url}}
    option = f"--set-json=config={json.dumps(json.dumps(config))}"
    rendered = render("contacts", option, "--set=sender.replicas=3")
    assert not rendered.refused
    assert rendered.of("PersistentVolumeClaim") == []
    mounts, _ = container(rendered, "-sender")
    assert FOLDER not in mounts
    for named in rendered.configs().values():
        assert any(name.endswith("secrets/valkey-url") for name in files_named(named))
    assert {6379, 6380} <= ports(rendered)
    assert not {6379, 6380} & ports(render("minimal"))


def ports(rendered: Rendered) -> set[int]:
    """Ports that pods may connect to."""
    rules = rendered.one("NetworkPolicy")["spec"]["egress"]
    return {each["port"] for rule in rules for each in rule["ports"]}
