"""The image, built by the Dockerfile's own steps, is small, closed and complete."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.chart import ROOT, render
from tests.support.image import Image
from tests.support.pod import Pod

pytestmark = pytest.mark.timeout(900)  # the build fetches what the program depends on


def pod_of(image: Image, home: Path, *options: str, **assigned: int) -> Pod:
    """The chart's pod, with a config that needs no Kafka to be validated. `assigned`: what the
    platform adds to its security context."""
    rendered = render("minimal", *options)
    spec = dict(rendered.pods())["StatefulSet/surveys-survey-dispatcher"]
    context = {**spec["securityContext"], **assigned}
    config = rendered.configs()["surveys-survey-dispatcher-config"]
    secrets = {"pseudonym": "a-key-for-the-tests-of-deploy", "pisano-token": "a-token"}
    files = {
        "/etc/survey-dispatcher/config": {"routing.yaml": config},
        "/etc/survey-dispatcher/secrets": secrets,
    }
    return Pod(image, {**spec, "securityContext": context}, home, files)


@pytest.fixture
def pod(image: Image, tmp_path: Path) -> Pod:
    """As the chart says it for any platform but OpenShift."""
    return pod_of(image, tmp_path)


def normal(pin: str) -> str:
    """`Name==1.0` with the name as indexes of packages compare them."""
    name, _, version = pin.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def said(pod: Pod, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the image's program says, run as the pod's process."""
    return subprocess.run(
        pod.command(arguments), capture_output=True, text=True, timeout=100, check=False
    )


def test_the_image_is_not_root_and_starts_the_program(image: Image) -> None:
    """By number, for Kubernetes cannot tell whether a name is root."""
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"] == ["survey-dispatcher"]
    assert image.config["Cmd"] == ["run"]
    assert "Healthcheck" not in image.config


def test_every_package_is_the_tested_version(image: Image) -> None:
    """As constraints.txt says; no test tool, and no pip to install more with."""
    (site,) = (image.root / "opt/survey-dispatcher/lib").glob("python3.*/site-packages")
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {normal(pin) for pin in pins if "==" in pin}
    found = {path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info")}
    installed = {normal("==".join(each.rsplit("-", 1))) for each in found}
    assert installed - pinned == {"survey-dispatcher==0.1.0"}
    names = {each.partition("==")[0] for each in installed}
    assert not {"pip", "setuptools", "pytest", "hypothesis"} & names


def test_every_file_of_the_program_is_in_it(image: Image) -> None:
    """The wheel's data files too: one that is missing shows only when it is asked for."""
    (site,) = (image.root / "opt/survey-dispatcher/lib").glob("python3.*/site-packages")
    source = {
        path.relative_to(ROOT)
        for path in (ROOT / "consumer").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in source if not (site / path).is_file()} == set()


def test_the_program_belongs_to_root(image: Image) -> None:
    """The user that runs it cannot change it."""
    program = image.root / "opt/survey-dispatcher"
    files = [path.lstat() for path in program.rglob("*") if not path.is_symlink()]
    assert {status.st_uid for status in files} == {0}
    assert not any(status.st_mode & 0o022 for status in files)


def test_a_config_is_validated_as_the_pod_does_it(pod: Pod) -> None:
    """Read-only root, no capabilities, secrets that only the pod's group can read."""
    done = said(pod, "validate")
    assert done.returncode == 0, done.stderr
    assert "/etc/survey-dispatcher/config/routing.yaml: valid" in done.stdout


def test_the_program_runs_as_the_user_that_openshift_assigns(image: Image, tmp_path: Path) -> None:
    """Any number, which no file of the image knows, in group 0 and in the group of the volumes."""
    number = 1_000_680_000
    ids = {"runAsUser": number, "runAsGroup": 0, "fsGroup": number}
    pod = pod_of(image, tmp_path, "--set=security.userIds=assigned", **ids)
    assert said(pod, "validate").returncode == 0
    demo = said(pod, "demo", "--events", "50", "--json")
    assert demo.returncode == 0, demo.stderr[-3000:]


def test_secrets_that_the_group_cannot_read_are_named(pod: Pod) -> None:
    """The pod's mounts really are as closed as the chart says."""
    spec = {**pod.spec, "securityContext": {**pod.spec["securityContext"], "fsGroup": 10002}}
    other = Pod(pod.image, spec, pod.home, pod.files)
    command = [each if each != "10002" else "10001" for each in other.command(["validate"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert (
        "/etc/survey-dispatcher/secrets/pseudonym cannot be read: Permission denied" in done.stderr
    )


def test_the_demo_runs_in_it(pod: Pod) -> None:
    """Router, lanes, broker and vendors in one process that can write nowhere."""
    done = said(pod, "demo", "--events", "300", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert '"throttled": 0' in done.stdout


def test_nothing_can_be_written(pod: Pod) -> None:
    """Not even where all users may: what looks writable is not, for this process."""
    image = Image(pod.image.root, {**pod.image.config, "Entrypoint": ["python3"]})
    places = ("/", "/tmp", "/var/tmp", "/run", "/etc/survey-dispatcher/config")  # noqa: S108 - asked
    program = f"import os; print(os.getuid(), [p for p in {places} if os.access(p, os.W_OK)])"
    done = said(Pod(image, pod.spec, pod.home, pod.files), "-c", program)
    assert done.stdout == "10001 []\n"
