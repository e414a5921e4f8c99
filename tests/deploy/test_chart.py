"""The chart is taken by Helm and by Kubernetes, and its values are guarded."""

from __future__ import annotations

import itertools
import json
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from consumer.config.changes import FIXED
from tests.deploy.chart import CHART, VALUE_SETS, Manifest, minors, pod_template, render
from tests.support.tools import HELM

OPERATOR = {
    *("ServiceMonitor", "PodMonitor", "PrometheusRule"),
    *("ScaledObject", "KafkaTopic", "KafkaUser"),
}
"""Custom resources, whose schemas Kubernetes does not have; tests of their own look at them."""

KUBERNETES = {"resources", "startup", "liveness", "readiness"}
"""Values whose keys are those of Kubernetes."""

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
EVERY_MINOR = pytest.mark.parametrize("minor", minors())


def test_several_value_sets_and_minors_are_looked_at() -> None:
    """A folder that moved, or schemas that are gone, must not make the checks silent."""
    assert {"existing", "full", "minimal", "split"} <= set(VALUE_SETS)
    assert len(minors()) == 3
    assert minors()[-1] >= "1.37"


@EVERY_SET
def test_helm_finds_nothing_to_warn_of(value_set: str) -> None:
    """`helm lint --strict`, for each value set."""
    values = f"--values={CHART / 'ci' / value_set}.yaml"
    version = f"--kube-version={minors()[-1]}.0"
    code, told, errors = HELM.run("lint", CHART, "--strict", values, version)
    assert code == 0, told + errors
    assert "[WARNING]" not in told


@EVERY_MINOR
@EVERY_SET
def test_kubernetes_would_take_every_manifest(value_set: str, minor: str) -> None:
    """Strictly: a key that Kubernetes does not know is an error."""
    rendered = render(value_set, minor=minor)
    assert not rendered.refused
    known = [each for each in rendered.manifests if each["kind"] not in OPERATOR]
    assert known
    for manifest in known:
        kubernetes_validate.validate(manifest, minor, strict=True)


def test_a_manifest_with_an_unknown_key_is_refused() -> None:
    """The schemas really are strict."""
    manifest = render("minimal").one("StatefulSet")
    manifest["spec"]["template"]["spec"]["securityContexts"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, minors()[-1], strict=True)


@EVERY_SET
def test_all_names_are_unique_and_all_references_meet(value_set: str) -> None:
    """Accounts, ConfigMaps, Services and scale targets are there, or said to be kept elsewhere."""
    rendered = render(value_set)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered.manifests]
    assert len(names) == len(set(names))
    elsewhere = {
        "existing": {("ConfigMap", "surveys-routing"), ("ServiceAccount", "surveys")},
        "full": {("ConfigMap", "visitors"), ("PersistentVolumeClaim", "customers")},
    }
    known = {*names, *elsewhere.get(value_set, ())}
    assert set(_references(rendered.manifests)) <= known


def _references(manifests: tuple[Manifest, ...]) -> list[tuple[str, str]]:
    found = []
    for manifest in manifests:
        spec = manifest.get("spec", {})
        pod = (pod_template(manifest) or {}).get("spec", {})
        found += [("ConfigMap", v["configMap"]["name"]) for v in _with(pod, "configMap")]
        claims = [v["persistentVolumeClaim"] for v in _with(pod, "persistentVolumeClaim")]
        found += [("PersistentVolumeClaim", claim["claimName"]) for claim in claims]
        if manifest["kind"] == "CronJob":
            found += [("ServiceAccount", pod["serviceAccountName"])]
        if manifest["kind"] == "StatefulSet":
            found += [("Service", spec["serviceName"])]
            found += [("ServiceAccount", pod["serviceAccountName"])]
        if manifest["kind"] == "HorizontalPodAutoscaler":
            found += [("StatefulSet", spec["scaleTargetRef"]["name"])]
    return found


def _with(pod: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [volume for volume in pod.get("volumes", ()) if kind in volume]


@EVERY_SET
def test_selectors_choose_the_pods_they_are_for(value_set: str) -> None:
    """Service, budgets, spread, policy and monitor select the workloads' pods by their labels."""
    rendered = render(value_set)
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in rendered.of("StatefulSet")]
    once = [*rendered.of("Job"), *rendered.of("CronJob")]
    jobs = [(pod_template(each) or {})["metadata"]["labels"] for each in once]
    service = rendered.one("Service")
    assert all(service["spec"]["selector"].items() <= labels.items() for labels in pods)
    assert not any(service["spec"]["selector"].items() <= labels.items() for labels in jobs)
    for monitor in rendered.of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= service["metadata"]["labels"].items()
    for each in rendered.of("PodDisruptionBudget") + rendered.of("StatefulSet"):
        wanted = each["spec"]["selector"]["matchLabels"]
        assert sum(wanted.items() <= labels.items() for labels in pods) == 1
    for policy in rendered.of("NetworkPolicy"):
        (rule,) = policy["spec"]["podSelector"]["matchExpressions"]
        assert {labels[rule["key"]] for labels in pods + jobs} == set(rule["values"])


def test_every_value_is_described_by_the_schema() -> None:
    """A value without a schema could be misspelt and ignored; a schema without one is stale."""
    values = YAML(typ="safe").load(CHART / "values.yaml")
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert sorted(_described(schema)) == sorted([*_leaves(values), "global"])


def _leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        inner = isinstance(value, dict) and value and key not in {*KUBERNETES, "labels"}
        found += _leaves(value, f"{name}.") if inner else [name]
    return found


def _described(schema: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, inner in schema["properties"].items():
        name = f"{prefix}{key}"
        deeper = "properties" in inner and key not in KUBERNETES
        assert not deeper or inner["additionalProperties"] is False, name
        found += _described(inner, f"{name}.") if deeper else [name]
    return found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set=replicas=3"], "replicas"),
        (["--set=mode=both"], "mode"),
        (["--set=image.digest=sha256:12"], "digest"),
        (["--set=begin=yesterday"], "begin"),
        (["--set=all.replicas=two"], "replicas"),
        (["--set=router.autoscaling.enabled=true"], "router.autoscaling needs mode: split"),
        (["--set=config="], "there is no routing config"),
        (["--set=existingConfigMap=x"], "both set"),
        (["--set=config=a: [b"], "config is not YAML"),
        (["--set=config=quotas: {a: {call_timeout: soon}}"], "terminationGracePeriodSeconds"),
        (["--set=config=admin: {host: 127.0.0.1}"], "admin.host 127.0.0.1"),
        (["--set=config=admin: {port: a}"], "set adminPort"),
        (['--set-json=csvJobs=[{"name": "a"}]'], "csvJobs"),
        (['--set-json=csvJobs=[{"name": "Weekly"}]'], "name"),
        (["--set=serviceAccount.create=false"], "serviceAccount.name"),
        (
            [
                "--set=config=contacts: {store: {type: sqlite\\, path: contacts.sqlite}}",
                "--set=all.replicas=1",
            ],
            "no file in a folder of its own",
        ),
        (["--set=config=contacts: {store: {type: sqlite}}"], "set all.replicas to 1"),
        (
            ["--set=config=contacts: {store: {type: sqlite}}", "--set=mode=split"],
            "set sender.replicas to 1",
        ),
    ],
)
def test_values_that_cannot_be_meant_are_refused(options: list[str], said: str) -> None:
    """Before anything is applied, and by name."""
    assert said in render("minimal", *options).refused


@pytest.mark.parametrize(
    ("value_set", "options", "seconds"),
    [
        ("minimal", [], 30 + 40),
        ("full", [], 60 + 40),
        (
            "minimal",
            ["--set=config=quotas: {a: {call_timeout: 1500ms}\\, b: {call_timeout: 9s}}"],
            49,
        ),
        ("minimal", ["--set=config=quotas: {a: {call_timeout: 1500ms}}"], 2 + 40),
        ("minimal", ["--set=config=quotas: {a: {call_timeout: 5m}\\, b: {}}"], 300 + 40),
        ("minimal", ["--set=terminationGracePeriodSeconds=12"], 12),
        ("existing", ["--set=terminationGracePeriodSeconds=0"], 30 + 40),
    ],
)
def test_the_grace_period_fits_the_drain(value_set: str, options: list[str], seconds: int) -> None:
    """The longest call of the config may end, and 40 s are left for what follows it."""
    for name, pod in itertools.islice(render(value_set, *options).pods(), 1):
        assert pod["terminationGracePeriodSeconds"] == seconds, name


def test_only_what_a_reload_cannot_take_up_restarts_the_pods() -> None:
    """A campaign that changes leaves the pod template alone; each fixed section does not."""

    def template(*options: str) -> dict[str, Any]:
        spec: dict[str, Any] = render("minimal", *options).one("StatefulSet")["spec"]["template"]
        return spec

    text = YAML(typ="safe").load(CHART / "ci" / "minimal.yaml")["config"]
    same = text.replace("share: 0.9", "share: 0.5")
    document = YAML(typ="safe").load(text)
    assert template() == template(f"--set-json=config={json.dumps(same)}")
    for section in FIXED:
        other = json.dumps({**document, section: {"another": 1}})
        assert template() != template(f"--set-json=config={json.dumps(other)}"), section
