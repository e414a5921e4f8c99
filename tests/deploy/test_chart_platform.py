"""What platform teams set in the chart, and `helm test`."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from consumer.observability.admin_server import admin_app, serve_admin
from consumer.observability.admin_state import ProcessState
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from tests.deploy.chart import CHART, VALUE_SETS, Rendered, minors, render
from tests.deploy.test_chart_pods import restricted
from tests.support.tools import HELM

NAME = "surveys-survey-dispatcher"


def pod(rendered: Rendered, name: str) -> dict[str, Any]:
    """The spec of the pods whose workload's name ends so."""
    (found,) = (dict(spec) for each, spec in rendered.pods() if each.endswith(name))
    return found


def program(rendered: Rendered) -> Iterator[dict[str, Any]]:
    """The containers of our image, of every workload and job."""
    for _, spec in rendered.pods():
        yield spec["containers"][0]


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_helm_test_asks_the_service_in_a_pod_of_the_restricted_profile(value_set: str) -> None:
    """With its port and scheme, and the policy lets it in."""
    rendered = render(value_set)
    tested = rendered.one("Pod")
    assert tested["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert restricted(tested["spec"] | {"volumes": []}) == []
    (container,) = tested["spec"]["containers"]
    service = rendered.one("Service")
    host, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    assert container["args"] == ["http", f"{host}.default.svc", str(port)]
    labels = tested["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= labels.items()
    for policy in rendered.of("NetworkPolicy"):
        peers = policy["spec"]["ingress"][0].get("from", [{"podSelector": {"matchLabels": {}}}])
        selectors = [each["podSelector"]["matchLabels"] for each in peers if "podSelector" in each]
        assert any(each.items() <= labels.items() for each in selectors)


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, 1)])
def test_helm_test_passes_when_every_pod_is_ready(ready: bool, code: int) -> None:
    """The pod's own command, against the program's own admin server."""
    (container,) = render("minimal").one("Pod")["spec"]["containers"]
    scheme, _, _ = container["args"]
    health = Health(lambda: 0.0)
    health.set_ready("broker", ready, "no broker answers")

    async def ask() -> tuple[int | None, str]:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = admin_app(ProcessState(Metrics(campaigns=[]), health, lambda: b"{}"))
        task = asyncio.create_task(serve_admin(app, "127.0.0.1", 0, started=port.set_result))
        command = [sys.executable, *container["command"][1:], scheme, "127.0.0.1", str(await port)]
        process = await asyncio.create_subprocess_exec(
            *command, "1", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told, _ = await process.communicate()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return process.returncode, told.decode()

    found, told = asyncio.run(ask())
    assert found == code, told
    assert ("1 of 1 pods" in told) is ready
    assert ("no broker answers" in told) is not ready


def test_no_user_is_fixed_where_openshift_assigns_one() -> None:
    """By the cluster's own API, or because the values say so; else the image's user."""
    ids = {"runAsUser", "runAsGroup", "fsGroup"}
    on_openshift = render("minimal", "--api-versions=security.openshift.io/v1")
    for rendered in (on_openshift, render("openshift")):
        for _, spec in [*rendered.pods(), ("", rendered.one("Pod")["spec"])]:
            assert not ids & spec["securityContext"].keys()
            assert spec["securityContext"]["runAsNonRoot"] is True
    fixed = render(
        "minimal", "--api-versions=security.openshift.io/v1", "--set=security.userIds=fixed"
    )
    for _, spec in [*fixed.pods(), *render("minimal").pods()]:
        assert {spec["securityContext"][each] for each in ids} == {10001}


def test_security_contexts_are_laid_over_the_charts_own() -> None:
    rendered = render(
        "full",
        "--set=security.podSecurityContext.fsGroupChangePolicy=OnRootMismatch",
        "--set=security.containerSecurityContext.privileged=false",
    )
    for _, spec in rendered.pods():
        assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["containers"][0]["securityContext"]["privileged"] is False
        assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_role_has_nodes_of_its_own_and_the_others_those_of_the_chart() -> None:
    rendered = render("openshift", "--set=nodeSelector.pool=surveys")
    assert pod(rendered, "-sender")["nodeSelector"] == {"topology.kubernetes.io/zone": "zone-a"}
    assert pod(rendered, "-sender")["tolerations"] == [{"key": "zone-a-only", "operator": "Exists"}]
    assert pod(rendered, "-router")["nodeSelector"] == {"node-role.kubernetes.io/worker": ""}
    assert "tolerations" not in pod(rendered, "-router")
    assert pod(rendered, "-topics")["nodeSelector"] == {"pool": "surveys"}


def test_environment_comes_from_secrets_as_a_whole_in_every_pod() -> None:
    option = '--set-json=envFrom=[{"secretRef": {"name": "surveys-env"}}]'
    containers = list(program(render("full", option)))
    assert len(containers) == 4
    assert all(each["envFrom"] == [{"secretRef": {"name": "surveys-env"}}] for each in containers)
    assert "envFrom" in render("minimal", '--set-json=envFrom=[{"name": "a"}]').refused


def test_containers_before_and_beside_the_dispatcher_are_not_in_jobs() -> None:
    """A side-car that never ends would keep a job from its end."""
    rendered = render("openshift")
    for role in ("-router", "-sender"):
        spec = pod(rendered, role)
        assert [each["name"] for each in spec["initContainers"]] == ["wait-for-kafka"]
        assert [each["name"] for each in spec["containers"]] == ["dispatcher", "log-shipper"]
    assert [each["name"] for each in pod(rendered, "-topics")["containers"]] == ["topics"]


def test_further_objects_know_the_release() -> None:
    """As objects and as texts."""
    rendered = render("openshift")
    assert rendered.one("LimitRange")["metadata"]["name"] == "surveys-limits"
    assert "surveys-trusted" in [each["metadata"]["name"] for each in rendered.of("ConfigMap")]


def test_probes_are_set_key_by_key() -> None:
    container = pod(render("openshift"), "-router")["containers"][0]
    probe = container["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (5, 60)
    assert container["readinessProbe"]["failureThreshold"] == 2
    assert container["livenessProbe"]["timeoutSeconds"] == 5
    assert "probes" in render("minimal", "--set=probes.startup.httpGet.path=/").refused


def test_names_are_asked_of_the_clusters_resolver_alone() -> None:
    """On the ports that are given; without peers, of any."""
    dns = render("openshift").one("NetworkPolicy")["spec"]["egress"][0]
    assert dns == {
        "ports": [{"port": 5353, "protocol": "UDP"}, {"port": 5353, "protocol": "TCP"}],
        "to": [
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}
                },
                "podSelector": {
                    "matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}
                },
            }
        ],
    }
    assert "to" not in render("minimal").one("NetworkPolicy")["spec"]["egress"][0]


def test_the_store_has_a_claim_of_the_statefulset() -> None:
    """Of the sender's alone, and then none of the release."""
    rendered = render("openshift")
    assert rendered.of("PersistentVolumeClaim") == []
    sets = {each["metadata"]["name"]: each["spec"] for each in rendered.of("StatefulSet")}
    (claim,) = sets[f"{NAME}-sender"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "8Gi"}}
    assert "volumeClaimTemplates" not in sets[f"{NAME}-router"]
    container = pod(rendered, "-sender")["containers"][0]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/lib/survey-dispatcher"
    assert claim["metadata"]["name"] not in [
        each["name"] for each in pod(rendered, "-sender")["volumes"]
    ]


def test_the_address_of_a_store_may_stand_in_a_secret_of_its_own() -> None:
    """Of every pod that reads the config, for the config names its file."""
    document = YAML(typ="safe").load(YAML(typ="safe").load(CHART / "ci" / "minimal.yaml")["config"])
    folder = "/etc/survey-dispatcher/contact-store"
    document["contacts"] = {"store": {"type": "valkey", "url": f"${{file:{folder}/url}}"}}
    config = f"--set-json=config={json.dumps(json.dumps(document))}"
    rendered = render("minimal", config, "--set=contactStore.existingSecret=valkey")
    for _, spec in rendered.pods():
        volumes = {each["name"]: each for each in spec["volumes"]}
        (mount,) = (
            each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == folder
        )
        assert mount["readOnly"] is True
        assert volumes[mount["name"]]["secret"] == {"secretName": "valkey", "defaultMode": 0o440}


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with its notes in an object, for `helm template` shows none."""
    copy = Path(shutil.copytree(CHART, tmp_path_factory.mktemp("chart") / "survey-dispatcher"))
    (copy / "templates" / "NOTES.txt").rename(copy / "files" / "NOTES.txt")
    text = 'notes: {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}'
    (copy / "templates" / "notes.yaml").write_text(text)
    return copy


def notes(chart: Path, *options: str) -> str:
    """What Helm says after an install."""
    values = f"--values={CHART / 'ci' / 'split.yaml'}"
    shown = "--show-only=templates/notes.yaml", f"--kube-version={minors()[-1]}.0"
    code, told, errors = HELM.run(
        "template", "surveys", chart, values, *shown, "--namespace=shop", *options
    )
    assert code == 0, errors
    return str(YAML(typ="safe").load(told)["notes"])


def test_the_notes_say_how_to_see_the_state(noted: Path) -> None:
    """Commands for every role, at the config's port; without the page there is nothing to see."""
    told = notes(noted)
    for role in ("router", "sender"):
        assert f"kubectl -n shop port-forward {NAME}-{role}-0 9464:9464" in told
        assert f"exec {NAME}-{role}-0 -c dispatcher -- survey-dispatcher status" in told
    assert "helm test -n shop surveys" in told
    assert "SURVEY_DISPATCHER_TOKEN" not in told
    assert "port-forward" not in notes(noted, "--set=config=admin: {page: false}")
    closed = notes(noted, "--set=config=admin: {token: t\\, tls: {}}")
    assert "SURVEY_DISPATCHER_TOKEN" in closed
    assert "status --url https://localhost:9464" in closed
