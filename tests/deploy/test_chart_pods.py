"""What the chart's pods may do, and that the program understands what they are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config.interpolate import files_named
from tests.deploy.chart import ROOT, VALUE_SETS, render

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""What the restricted profile allows."""


def restricted(pod: Mapping[str, Any]) -> list[str]:
    """What Kubernetes' restricted Pod Security profile has against a pod; the rules as of 1.37."""
    wrong = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    ours = pod.get("securityContext", {})
    wrong += [f"volume {each['name']}" for each in pod["volumes"] if not VOLUMES & each.keys()]
    for each in [*pod.get("initContainers", ()), *pod["containers"]]:
        own = each.get("securityContext", {})
        both = {**ours, **own}
        rules = {
            "runs as root": both.get("runAsNonRoot") is True and both.get("runAsUser") != 0,
            "seccomp": both.get("seccompProfile", {}).get("type")
            in {"RuntimeDefault", "Localhost"},
            "escalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "privileged": not own.get("privileged"),
            "procMount": own.get("procMount", "Default") == "Default",
            "hostPort": not any("hostPort" in port for port in each.get("ports", ())),
            "sysctls": not ours.get("sysctls"),
            "selinux": not both.get("seLinuxOptions"),
        }
        wrong += [f"{each['name']}: {rule}" for rule, kept in rules.items() if not kept]
    return wrong


@EVERY_SET
def test_pods_keep_the_restricted_profile(value_set: str) -> None:
    """Jobs as well; and what the profile does not ask: no token, and nothing to write to but the
    file of a contact store, and of a CSV job a folder that goes with its pod."""
    pods = dict(render(value_set).pods())
    assert pods
    for name, pod in pods.items():
        assert restricted(pod) == [], name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            written = [
                each for each in container.get("volumeMounts", ()) if not each.get("readOnly")
            ]
            allowed = {"tmp"} if name.startswith("CronJob/") else {"contacts"}
            assert {each["name"] for each in written} <= allowed, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name


def test_a_pod_that_breaks_the_profile_is_seen() -> None:
    """The rules above find something."""
    pod = dict(render("minimal").pods())["StatefulSet/surveys-survey-dispatcher"]
    root = {**pod, "securityContext": {**pod["securityContext"], "runAsNonRoot": False}}
    host = {**pod, "hostNetwork": True}
    disk = {**pod, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}
    assert [restricted(each) for each in (root, host, disk)] == [
        ["dispatcher: runs as root"],
        ["hostNetwork"],
        ["volume v"],
    ]


@EVERY_SET
def test_the_account_has_no_token_and_no_rights(value_set: str) -> None:
    """No Role, no binding, no Secret is made."""
    rendered = render(value_set)
    kinds = {manifest["kind"] for manifest in rendered.manifests}
    assert not {kind for kind in kinds if "Role" in kind} | (kinds & {"Secret"})
    for account in rendered.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@EVERY_SET
def test_config_and_secrets_are_folders(value_set: str) -> None:
    """Kubernetes never updates a `subPath`, so a reload would see nothing; others cannot read."""
    for name, pod in render(value_set).pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
        assert not [mount for mount in mounts.values() if "subPath" in mount], name
        assert "configMap" in volumes[mounts["/etc/survey-dispatcher/config"]["name"]], name
        if value_set == "operators" and name.startswith("Job/"):
            continue  # checks the config before there are Secrets
        secret = volumes[mounts["/etc/survey-dispatcher/secrets"]["name"]]["secret"]
        assert secret == {"secretName": "surveys", "defaultMode": 0o440}, name


@EVERY_SET
def test_secrets_are_never_in_the_config(value_set: str) -> None:
    """The examples name files, below folders that the pod mounts."""
    rendered = render(value_set)
    mounted = [
        mount["mountPath"]
        for _, pod in rendered.pods()
        for mount in pod["containers"][0]["volumeMounts"]
    ]
    for text in rendered.configs().values():
        named = files_named(text)
        assert any("pseudonym" in name for name in named)
        assert all(any(name.startswith(f"{path}/") for path in mounted) for name in named)


@pytest.mark.parametrize("value_set", [each for each in VALUE_SETS if each != "existing"])
def test_the_program_takes_the_rendered_config(value_set: str, tmp_path: Path) -> None:
    """`validate --no-secrets`, of what the pods and the topics job read, byte for byte."""
    configs = render(value_set).configs()
    assert len(configs) == 2
    assert len(set(configs.values())) == 1
    for name, text in configs.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        done = CliRunner().invoke(app, ["validate", "--no-secrets", "-c", str(path)])
        assert done.exit_code == 0, done.output
        assert ": valid; config version" in done.output


def test_the_files_of_tables_stand_beside_the_config(tmp_path: Path) -> None:
    """The pods read them, and so does the job: a table is a part of the config's checks."""
    stores = '\ufeffid;city\r\n0042;"a\n <b> & {{ .Values }}"\r\n'
    (tmp_path / "stores.csv").write_bytes(stores.encode())
    option = f"--set-file=tables.stores\\.csv={tmp_path / 'stores.csv'}"
    maps = [each.get("data", {}) for each in render("minimal", option).of("ConfigMap")]
    found = [data for data in maps if "routing.yaml" in data]
    assert [data["stores.csv"] for data in found] == [stores, stores]
    assert "both set" in render("existing", option).refused
    assert "routing.yaml" in render("minimal", "--set=tables.routing\\.yaml=x").refused


def test_a_config_file_arrives_as_it_is() -> None:
    """`--set-file config=…`: comments, quotes and all, for both readers."""
    path = ROOT / "deploy" / "compose" / "routing.yaml"
    configs = render("minimal", f"--set-file=config={path}").configs()
    assert {text.rstrip("\n") for text in configs.values()} == {path.read_text().rstrip("\n")}


@EVERY_SET
def test_the_program_takes_the_rendered_arguments(value_set: str) -> None:
    """They are parsed by the command itself, which then finds no such config here."""
    for name, pod in render(value_set).pods():
        arguments = pod["containers"][0]["args"]
        elsewhere = [argument.replace("/etc/", "/nowhere/") for argument in arguments]
        done = CliRunner().invoke(app, elsewhere)
        assert done.exit_code != 2, f"{name}: {done.output}"
        assert "/nowhere/survey-dispatcher/config/routing.yaml" in str(done.exception), name


@EVERY_SET
def test_every_pod_is_an_instance_of_its_own(value_set: str) -> None:
    """By its name, which a StatefulSet keeps over restarts."""
    for each in render(value_set).of("StatefulSet"):
        container = each["spec"]["template"]["spec"]["containers"][0]
        told = {entry["name"]: entry for entry in container["env"]}["SURVEY_DISPATCHER_INSTANCE"]
        assert told["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@EVERY_SET
def test_probes_scrapes_and_policy_go_to_the_port_of_the_config(value_set: str) -> None:
    """One port, read from the config; probes ask what the admin server has."""
    rendered = render(value_set)
    port = {"full": 9500, "existing": 9470}.get(value_set, 9464)
    assert rendered.one("Service")["spec"]["ports"][0]["port"] == port
    for policy in rendered.of("NetworkPolicy"):
        assert [each["port"] for each in policy["spec"]["ingress"][0]["ports"]] == [port]
    for each in rendered.of("StatefulSet"):
        container = each["spec"]["template"]["spec"]["containers"][0]
        assert container["ports"] == [{"name": "admin", "containerPort": port}]
        asked = {
            kind: container[f"{kind}Probe"]["httpGet"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert {each["port"] for each in asked.values()} == {"admin"}
        assert [each["path"] for each in asked.values()] == ["/livez", "/livez", "/readyz"]


def test_a_network_policy_lets_names_be_resolved_on_every_platform() -> None:
    """OpenShift's resolver listens on 5353, and a policy sees the port of the pod."""
    policy = render("full").one("NetworkPolicy")
    rules = [
        {(each["port"], each["protocol"]) for each in rule["ports"]}
        for rule in policy["spec"]["egress"]
        if "to" not in rule
    ]
    assert {(port, protocol) for port in (53, 5353) for protocol in ("TCP", "UDP")} in rules


def test_split_roles_are_all_stages_once() -> None:
    """Routers and senders; the autoscaler has the routers, so their number is not set."""
    rendered = render("split")
    roles = {each["metadata"]["name"]: each["spec"] for each in rendered.of("StatefulSet")}
    flags = {
        name: [arg for arg in spec["template"]["spec"]["containers"][0]["args"] if "role" in arg]
        for name, spec in roles.items()
    }
    assert flags == {
        "surveys-survey-dispatcher-router": ["--role=router"],
        "surveys-survey-dispatcher-sender": ["--role=sender"],
    }
    assert "replicas" not in roles["surveys-survey-dispatcher-router"]
    assert roles["surveys-survey-dispatcher-sender"]["replicas"] == 3
    scaled = rendered.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
    assert scaled == "surveys-survey-dispatcher-router"


def test_the_topics_job_comes_before_everything_else() -> None:
    """A hook, with a config of its own that is there before it."""
    rendered = render("minimal")
    job = rendered.one("Job")["metadata"]["annotations"]
    maps = {each["metadata"]["name"]: each["metadata"] for each in rendered.of("ConfigMap")}
    early = maps["surveys-survey-dispatcher-topics"]["annotations"]
    assert job["helm.sh/hook"] == early["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(early["helm.sh/hook-weight"]) < int(job["helm.sh/hook-weight"])
    pod = rendered.one("Job")["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod  # the release's own is not there yet


def test_a_csv_job_sends_its_file_by_its_route_and_never_twice_at_once() -> None:
    """Its columns come as they are written, and its pods are no part of the Service."""
    jobs = {each["metadata"]["name"]: each["spec"] for each in render("full").of("CronJob")}
    assert len(jobs) == 2
    weekly = next(spec for name, spec in jobs.items() if name.endswith("-csv-weekly-customers"))
    assert (weekly["schedule"], weekly["timeZone"]) == ("0 9 * * mon", "Europe/Istanbul")
    assert weekly["concurrencyPolicy"] == "Forbid"
    pod = weekly["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [
        "send-csv",
        "/etc/survey-dispatcher/csv/customers.csv",
        "--route=store-purchase",
        "--config=/etc/survey-dispatcher/config/routing.yaml",
        "--yes",
        "--column=Telefon=customer.phone",
        "--id=No",
    ]
    volumes = {each["name"]: each for each in pod["volumes"]}
    claim = {"claimName": "customers", "readOnly": True}
    assert volumes["csv"]["persistentVolumeClaim"] == claim
    assert all(len(name) <= 52 for name in jobs)
    assert [spec["suspend"] for spec in jobs.values()].count(True) == 1
