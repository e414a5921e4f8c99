"""What the chart hands to the Prometheus operator and to Grafana."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, StringConstraints
from ruamel.yaml import YAML

from tests.deploy.chart import CHART, ROOT, render

MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "rules" / "survey-dispatcher.rules.yaml"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
Duration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(ms|s|m|h|d))+$")]


class Known(BaseModel):
    """The operator's own keys, those that we use; a misspelt one is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Selector(Known):
    """Which Services."""

    matchLabels: dict[str, str]  # noqa: N815 - the operator's name


class Endpoint(Known):
    """What to scrape of them."""

    port: str
    path: str
    scheme: Literal["http", "https"]
    interval: Duration
    authorization: dict[str, dict[str, str]] = {}
    tlsConfig: dict[str, Any] = {}  # noqa: N815 - the operator's name
    relabelings: list[dict[str, Any]] = []
    metricRelabelings: list[dict[str, Any]] = []  # noqa: N815 - the operator's name


class PodMonitor(Known):
    """The spec of monitoring.coreos.com/v1."""

    selector: Selector
    podMetricsEndpoints: list[Endpoint]  # noqa: N815 - the operator's name


class ServiceMonitor(Known):
    """The spec of monitoring.coreos.com/v1."""

    selector: Selector
    endpoints: list[Endpoint]


def test_the_packaged_files_equal_those_of_monitoring() -> None:
    """Links, so that there is nothing to keep equal; Helm packages what they point to."""
    linked = {path.name: path for path in (CHART / "files").iterdir() if path.suffix != ".py"}
    assert {path.resolve() for path in linked.values()} == {RULES, *DASHBOARDS}
    assert all(path.is_symlink() and not path.readlink().is_absolute() for path in linked.values())


def test_the_service_monitor_is_as_the_operator_wants_it() -> None:
    """Its port is one that the Service has."""
    rendered = render("full")
    monitor = rendered.one("ServiceMonitor")
    spec = ServiceMonitor.model_validate(monitor["spec"])
    (port,) = rendered.one("Service")["spec"]["ports"]
    assert [(endpoint.port, endpoint.path, endpoint.interval) for endpoint in spec.endpoints] == [
        (port["name"], "/metrics", "30s")
    ]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_pod_monitor_stands_in_the_place_of_a_service_monitor() -> None:
    """It selects the dispatchers' pods alone, at a port that they have, and relabels."""
    rendered = render("operators")
    assert rendered.of("ServiceMonitor") == []
    spec = PodMonitor.model_validate(rendered.one("PodMonitor")["spec"])
    (endpoint,) = spec.podMetricsEndpoints
    for each in rendered.of("StatefulSet"):
        template = each["spec"]["template"]
        assert spec.selector.matchLabels.items() <= template["metadata"]["labels"].items()
        ports = template["spec"]["containers"][0]["ports"]
        assert endpoint.port in [port["name"] for port in ports]
    tested = rendered.one("Pod")["metadata"]["labels"]
    assert not spec.selector.matchLabels.items() <= tested.items()
    assert endpoint.relabelings == [{"targetLabel": "cluster", "replacement": "eu-1"}]
    assert [each["action"] for each in endpoint.metricRelabelings] == ["drop"]
    both = render("operators", "--set=monitoring.serviceMonitor.enabled=true")
    assert "both enabled" in both.refused


def test_scrapes_follow_the_admin_section_of_the_config() -> None:
    """TLS, a port of their own, and a token that a Secret has."""
    text = next(iter(render("full").configs().values()))  # the hook has the same
    config = YAML(typ="safe").load(text)
    tls = {"cert": "/run/tls/tls.crt", "key": "/run/tls/tls.key"}
    config["admin"] = {"tls": tls, "metrics_port": 9465}
    rendered = render(
        "full",
        f"--set-json=config={json.dumps(json.dumps(config))}",
        "--set=monitoring.serviceMonitor.tokenSecret.name=admin",
        "--set=monitoring.serviceMonitor.tokenSecret.key=token",
    )
    (endpoint,) = ServiceMonitor.model_validate(rendered.one("ServiceMonitor")["spec"]).endpoints
    assert (endpoint.port, endpoint.scheme) == ("metrics", "https")
    assert endpoint.authorization == {"credentials": {"name": "admin", "key": "token"}}
    ports = {port["name"]: port["port"] for port in rendered.one("Service")["spec"]["ports"]}
    assert ports["metrics"] == 9465
    (allowed,) = rendered.one("NetworkPolicy")["spec"]["ingress"]
    assert 9465 in [each["port"] for each in allowed["ports"]]
    for _, pod in rendered.pods():
        for container in pod["containers"]:
            if "readinessProbe" in container:
                assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
                assert {"name": "metrics", "containerPort": 9465} in container["ports"]


def test_the_rules_arrive_unchanged() -> None:
    """Their templates belong to Prometheus: Helm must leave `{{ $labels }}` alone."""
    rule = render("full").one("PrometheusRule")
    assert rule["spec"] == YAML(typ="safe").load(RULES)
    assert "{{" in RULES.read_text()
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_links_to_runbooks_lead_where_the_values_say() -> None:
    rendered = render("full", "--set=monitoring.runbooks=https://wiki.example.com/runbooks/")
    rules = [
        each
        for group in rendered.one("PrometheusRule")["spec"]["groups"]
        for each in group["rules"]
    ]
    links = {each["annotations"]["runbook_url"] for each in rules if "alert" in each}
    assert "https://wiki.example.com/runbooks/LaneStalled.md" in links
    assert all(link.startswith("https://wiki.example.com/runbooks/") for link in links)
    for path in DASHBOARDS:
        maps = {each["metadata"]["name"]: each for each in rendered.of("ConfigMap")}
        (text,) = maps[f"surveys-survey-dispatcher-{path.stem}"]["data"].values()
        assert '"https://wiki.example.com/runbooks"' in text
        assert json.loads(text)["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=[path.stem for path in DASHBOARDS])
def test_each_dashboard_arrives_unchanged(path: Path) -> None:
    """In a ConfigMap with the label that Grafana's sidecar looks for, below its 1 MiB."""
    name = f"surveys-survey-dispatcher-{path.stem}"
    maps = {each["metadata"]["name"]: each for each in render("full").of("ConfigMap")}
    (text,) = maps[name]["data"].values()
    assert text == path.read_text()
    assert json.loads(text)["title"]
    assert maps[name]["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len(text.encode()) < 2**20


def test_there_are_two_dashboards() -> None:
    """One for the manager, one for the engineer on call."""
    assert [path.stem for path in DASHBOARDS] == ["manager", "operations"]


def test_without_the_operator_nothing_needs_it() -> None:
    """The defaults make no custom resources."""
    kinds = {manifest["kind"] for manifest in render("minimal").manifests}
    assert not kinds & {"ServiceMonitor", "PrometheusRule"}
