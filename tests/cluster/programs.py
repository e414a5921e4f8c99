"""Kubernetes without a registry: built from its Go modules, once, into `.cache/kubernetes`.

1.34 is the newest minor whose kubelet runs on cgroup v1 without being told to. The container
runtime and the network plugins are Debian's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from tests.support.tools import go

VERSION, ETCD_VERSION = "1.34.4", "3.6.14"
HOME = (Path(__file__).parent.parent.parent / ".cache" / "kubernetes").resolve()
BIN = HOME / VERSION / "bin"
CNI = Path("/usr/lib/cni")
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
PACKAGES = MappingProxyType(
    {
        "containerd": "containerd",
        "runc": "runc",
        "iptables": "iptables",
        "ip": "iproute2",
        "setpriv": "util-linux",
        str(CNI / "bridge"): "containernetworking-plugins",
    }
)
"""What must be found → Debian's package of it."""


def install() -> None:
    """Install and build what is missing: ten minutes on two cores, once."""
    _install_packages()
    missing = [name for name in (*COMMANDS, "etcd") if not (BIN / name).exists()]
    if missing:
        sys.stderr.write(f"building {', '.join(missing)} from Go modules, some ten minutes\n")
        build([name for name in missing if name != "etcd"], "etcd" in missing)


def _install_packages() -> None:
    missing = sorted({name for found, name in PACKAGES.items() if shutil.which(found) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        sys.exit(f"{', '.join(missing)} needed: sudo apt-get install {' '.join(missing)}")
    apt = ["apt-get", "-qq", "-y", "--no-install-recommends"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", "update"], check=True)
    subprocess.run([*apt, "install", *missing], env=quiet, check=True)


def build(commands: Sequence[str], etcd: bool) -> None:
    """Compile into `BIN`. A build that is interrupted leaves nothing there."""
    BIN.mkdir(parents=True, exist_ok=True)
    if commands:
        package = "k8s.io/component-base/version"
        major, minor, _ = VERSION.split(".")
        version = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
        flags = " ".join(f"-X {package}.{name}={value}" for name, value in version.items())
        _build(_kubernetes_module(), [f"k8s.io/kubernetes/cmd/{name}" for name in commands], flags)
    if etcd:
        package = "go.etcd.io/etcd/server/v3"
        module = f"module etcd\ngo 1.24\nrequire {package} v{ETCD_VERSION}\n"
        _build(module, [package], "", name="etcd")


def module_folder(module: str, version: str) -> Path:
    """Fetch a Go module; returns the folder of its files, which are read-only."""
    command = [go(), "mod", "download", "-json", f"{module}@{version}"]
    with tempfile.TemporaryDirectory() as folder:  # not in a module of ours
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def _kubernetes_module() -> str:
    """A go.mod that needs Kubernetes: it replaces its staging modules by folders of its
    repository, and this one by the versions that are published beside it."""
    text = (module_folder("k8s.io/kubernetes", f"v{VERSION}") / "go.mod").read_text()
    lines = ["module kubernetes", *re.findall("^(?:go|godebug) .*$", text, re.MULTILINE)]
    lines.append(f"require k8s.io/kubernetes v{VERSION}")
    staged = re.findall(r"^\s*(\S+) => \./staging/", text, re.MULTILINE)
    lines += [f"replace {path} => {path} v0{VERSION.removeprefix('1')}" for path in staged]
    return "\n".join([*lines, ""])


def _build(module: str, packages: Sequence[str], flags: str, name: str = "") -> None:
    with tempfile.TemporaryDirectory(dir=BIN.parent) as folder:
        home = Path(folder)
        (home / "go.mod").write_text(module)
        command = [go(), "build", "-mod=mod", "-trimpath", f"-ldflags=-s -w {flags}"]
        settings = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        command += ["-o", f"{home / 'bin'}/{name}", *packages]
        (home / "bin").mkdir()
        subprocess.run(command, cwd=home, env=os.environ | settings, check=True)
        for binary in (home / "bin").iterdir():
            binary.rename(BIN / binary.name)
