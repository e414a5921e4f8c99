"""How the chart is delivered: examples of Argo CD, the table of values, a signed package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config.interpolate import files_named
from tests.deploy.chart import CHART, ROOT, minors, render
from tests.support.tools import HELM, HELM_DOCS

EXAMPLE = ROOT / "deploy" / "examples" / "argo-cd"
WAVE = "argocd.argoproj.io/sync-wave"


def read(name: str) -> dict[str, Any]:
    """A file of the example."""
    return dict(YAML(typ="safe").load(EXAMPLE / name))


def test_the_table_of_values_is_what_helm_docs_writes() -> None:
    """And every value has a meaning in it; `make chart-docs` writes it."""
    code, told, errors = HELM_DOCS.run(
        "--chart-search-root", CHART, "--sort-values-order=file", "--dry-run", "--log-level=warning"
    )
    assert code == 0, errors
    assert told.strip() == (CHART / "README.md").read_text().strip(), "run make chart-docs"
    assert len(told.splitlines()) > 100
    assert [line for line in told.splitlines() if line.endswith("|  |")] == []


def test_the_config_of_the_argo_cd_example_is_one_that_the_program_takes(tmp_path: Path) -> None:
    """Its files are the keys of the Secret that the ExternalSecret makes."""
    config, secrets = read("surveys/manifests/config.yaml"), read("surveys/manifests/secrets.yaml")
    kubernetes_validate.validate(config, minors()[-1], strict=True)
    path = tmp_path / "routing.yaml"
    path.write_text(config["data"]["routing.yaml"])
    done = CliRunner().invoke(app, ["validate", "--no-secrets", "-c", str(path)])
    assert done.exit_code == 0, done.output
    named = {Path(each).name for each in files_named(path.read_text())}
    assert named == {each["secretKey"] for each in secrets["spec"]["data"]}


def test_in_the_argo_cd_example_the_job_comes_after_what_it_mounts() -> None:
    """And before the workloads, which are in wave 0; what the values name is there."""
    config, secrets = read("surveys/manifests/config.yaml"), read("surveys/manifests/secrets.yaml")
    values = EXAMPLE / "surveys" / "values.yaml"
    rendered = render("minimal", f"--values={values}", "--set=config=")
    assert not rendered.refused
    wave = int(rendered.one("Job")["metadata"]["annotations"][WAVE])
    assert wave < 0
    for _, spec in rendered.pods():
        volumes = {each["name"]: each for each in spec["volumes"]}
        assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
        assert volumes["secrets"]["secret"]["secretName"] == secrets["spec"]["target"]["name"]
    assert all(int(each["metadata"]["annotations"][WAVE]) < wave for each in (config, secrets))
    application = read("application.yaml")["spec"]
    chart, git = application["sources"]
    assert chart["helm"]["valueFiles"] == [f"${git['ref']}/{values.relative_to(EXAMPLE)}"]
    assert (EXAMPLE / git["path"]).is_dir()
    assert chart["targetRevision"] == YAML(typ="safe").load(CHART / "Chart.yaml")["version"]


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    """A key for this test alone, in the form that Helm reads."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def gpg(*arguments: str) -> None:
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=100)

    no_password = ("--passphrase", "", "--pinentry-mode", "loopback")
    gpg(*no_password, "--quick-gen-key", "surveys <surveys@example.com>", "rsa2048", "sign", "1d")
    gpg(*no_password, "--output", str(home / "secring.gpg"), "--export-secret-keys")
    gpg("--output", str(home / "pubring.gpg"), "--export")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return home


def test_a_signed_package_is_verified_and_a_changed_one_is_refused(
    tmp_path: Path, keyring: Path
) -> None:
    """`helm package --sign`, then `helm verify`; the package renders as the folder does."""
    assert shutil.which("gpg")
    signer = ["--sign", "--key=surveys", f"--keyring={keyring / 'secring.gpg'}"]
    code, told, errors = HELM.run("package", CHART, *signer, f"--destination={tmp_path}")
    assert code == 0, told + errors
    (package,) = tmp_path.glob("*.tgz")
    public = f"--keyring={keyring / 'pubring.gpg'}"
    code, told, errors = HELM.run("verify", package, public)
    assert code == 0, errors
    assert "surveys <surveys@example.com>" in told
    values = f"--values={CHART / 'ci' / 'full.yaml'}", f"--kube-version={minors()[-1]}.0"
    _, of_package, _ = HELM.run("template", "surveys", package, *values)
    _, of_folder, _ = HELM.run("template", "surveys", CHART, *values)
    assert of_package == of_folder
    assert "grafana_dashboard" in of_package
    package.write_bytes(package.read_bytes() + b"\0")
    code, _, errors = HELM.run("verify", package, public)
    assert code != 0
    assert "hash" in errors or "sha256" in errors
