"""What the chart asks of KEDA and Strimzi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.observability.metrics.names import NAMESPACE, ROUTER
from tests.deploy.chart import CHART, Manifest, Rendered, render

ROUTERS = "surveys-survey-dispatcher-router"


def trigger(*options: str) -> dict[str, Any]:
    """The only trigger of KEDA's object."""
    (found,) = render("operators", *options).one("ScaledObject")["spec"]["triggers"]
    return dict(found)


def test_keda_scales_the_routers_in_the_place_of_an_autoscaler() -> None:
    """Within the same bounds, and as slowly; senders it leaves alone."""
    rendered = render("operators")
    assert rendered.of("HorizontalPodAutoscaler") == []
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"]["name"] == ROUTERS
    sets = {each["metadata"]["name"]: each["spec"] for each in rendered.of("StatefulSet")}
    assert [name for name, each in sets.items() if "replicas" not in each] == [ROUTERS]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 8)
    slowly = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    other = render("split").one("HorizontalPodAutoscaler")["spec"]["behavior"]
    assert slowly == other
    assert other["scaleDown"]["policies"][0]["value"] == 1


def test_keda_asks_for_the_lag_that_the_routers_report() -> None:
    """By a metric that the program has, each partition once, of this release's routers alone."""
    asked = trigger()["metadata"]
    lag = next(each for each in ROUTER if each.name == "consumer_lag_records")
    assert asked["query"] == (
        f"sum(max by ({', '.join(lag.labels)}) ({NAMESPACE}_{lag.name}"
        f'{{namespace="default",pod=~"{ROUTERS}-[0-9]+"}}))'
    )
    assert asked["threshold"] == "5000"
    assert asked["ignoreNullValues"] == "false"
    assert all(isinstance(value, str) for value in asked.values())
    assert asked["authModes"] == "bearer"
    assert trigger()["authenticationRef"]["kind"] == "ClusterTriggerAuthentication"
    other = trigger("--set=router.autoscaling.keda.query=sum(lag)")
    assert other["metadata"]["query"] == "sum(lag)"


def printed(tmp_path: Path) -> list[Manifest]:
    """What the program prints for the config of the example."""
    values = YAML(typ="safe").load(CHART / "ci" / "operators.yaml")
    path = tmp_path / "routing.yaml"
    path.write_text(values["config"])
    options = ["--cluster=main", "--user=surveys", "--partitions=12", "--replication=3"]
    done = CliRunner().invoke(app, ["topics", "-c", str(path), "--format=strimzi", *options])
    assert done.exit_code == 0, done.output
    return [each for each in YAML(typ="safe").load_all(done.stdout) if each]


def of_strimzi(rendered: Rendered) -> list[Manifest]:
    """Topics and user, as the chart renders them."""
    return [*rendered.of("KafkaTopic"), *rendered.of("KafkaUser")]


def test_topics_and_user_are_those_that_the_program_prints(tmp_path: Path) -> None:
    """The example does not drift from the program: it is refreshed by the command that it names."""
    found = of_strimzi(render("operators"))
    wanted = {each["metadata"]["name"]: each for each in printed(tmp_path)}
    assert len(found) == len(wanted) == 16
    for each in found:
        other = wanted[each["metadata"]["name"]]
        assert (each["apiVersion"], each["kind"]) == (other["apiVersion"], other["kind"])
        assert each["spec"] == other["spec"]
        assert other["metadata"]["labels"].items() <= each["metadata"]["labels"].items()
        assert each["metadata"]["labels"]["team"] == "surveys"
        assert each["metadata"]["annotations"]["example.com/contact"] == "surveys-on-call"


def test_the_programs_own_output_is_taken_as_it_is(tmp_path: Path) -> None:
    """`--set-file`, of a file with a document a topic; in the namespace of Strimzi."""
    path = tmp_path / "strimzi.yaml"
    path.write_text("".join(f"---\n{json.dumps(each, indent=2)}\n" for each in printed(tmp_path)))
    rendered = render(
        "operators", f"--set-file=strimzi.resources={path}", "--set=strimzi.namespace=kafka"
    )
    assert len(of_strimzi(rendered)) == 16
    assert {each["metadata"]["namespace"] for each in of_strimzi(rendered)} == {"kafka"}


def test_topics_stay_when_the_release_goes() -> None:
    """With a topic go invitations that are owed. None is a hook: Helm makes those again."""
    for each in render("operators").of("KafkaTopic"):
        notes = each["metadata"]["annotations"]
        assert notes["helm.sh/resource-policy"] == "keep"
        assert "helm.sh/hook" not in notes
    (user,) = render("operators").of("KafkaUser")
    assert "helm.sh/resource-policy" not in user["metadata"]["annotations"]


def test_the_job_before_an_install_with_strimzi_needs_nothing_that_comes_with_it() -> None:
    """Neither topics nor the user's Secret: it checks the config, and pods wait for the Secret."""
    extra = '--set-json=env=[{"name": "A", "value": "b"}]'
    rendered = render("operators", extra)
    job = rendered.one("Job")["spec"]["template"]["spec"]
    (container,) = job["containers"]
    assert container["args"][:2] == ["validate", "--no-secrets"]
    assert [each["name"] for each in job["volumes"]] == ["config"]
    assert [each["name"] for each in container["volumeMounts"]] == ["config"]
    assert "env" not in container
    (router, _) = rendered.of("StatefulSet")
    names = {each["name"] for each in router["spec"]["template"]["spec"]["volumes"]}
    assert names == {"config", "secrets", "contact-store", "kafka-ca", "kafka-user"}


def test_argo_cd_runs_the_job_inside_its_sync() -> None:
    """After earlier waves, its ConfigMap first, and before the workloads; no hook of Helm."""
    rendered = render("minimal", "--set=topics.hook=argocd")
    job = rendered.one("Job")["metadata"]["annotations"]
    maps = {each["metadata"]["name"]: each["metadata"] for each in rendered.of("ConfigMap")}
    early = maps["surveys-survey-dispatcher-topics"]["annotations"]
    for each in (job, early):
        assert each["argocd.argoproj.io/hook"] == "Sync"
        assert not [key for key in each if key.startswith("helm.sh/")]
    waves = [int(each["argocd.argoproj.io/sync-wave"]) for each in (early, job)]
    assert waves == [-2, -1]


@pytest.mark.parametrize(
    ("value_set", "options", "said"),
    [
        ("operators", ["router.autoscaling.enabled=false"], "set both"),
        ("operators", ["router.autoscaling.keda.serverAddress="], "address of a Prometheus"),
        ("operators", ["router.autoscaling.keda.serverAddress=prometheus:9090"], "serverAddress"),
        ("minimal", ["strimzi.resources=a: [b"], "strimzi.resources is not YAML"),
        ("minimal", ["strimzi.resources=kind: Secret"], "strimzi.resources has a Secret"),
        ("operators", ["config=application_id: others"], "print the resources again"),
        ("operators", ["mode=all"], "router.autoscaling needs mode: split"),
    ],
)
def test_values_of_operators_that_cannot_be_meant_are_refused(
    value_set: str, options: list[str], said: str
) -> None:
    assert said in render(value_set, *(f"--set={each}" for each in options)).refused
