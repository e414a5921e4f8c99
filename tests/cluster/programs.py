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
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.support.tools import go

VERSION, ETCD_VERSION, DNS_VERSION = "1.34.4", "3.6.14", "1.14.7"
HOME = (Path(__file__).parent.parent.parent / ".cache" / "kubernetes").resolve()
BIN = HOME / VERSION / "bin"
CNI = Path("/usr/lib/cni")
DNS_PLUGINS = ("bind", "errors", "kubernetes", "forward")
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
    BIN.mkdir(parents=True, exist_ok=True)
    _build_kubernetes([name for name in COMMANDS if not (BIN / name).exists()])
    if not (BIN / "etcd").exists():
        _build("etcd", {"go.etcd.io/etcd/server/v3": ETCD_VERSION}, ["go.etcd.io/etcd/server/v3"])
    if not (BIN / "coredns").exists():
        _build("coredns", {"github.com/coredns/coredns": DNS_VERSION}, ["."], main=_dns())


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


def _build_kubernetes(commands: Sequence[str]) -> None:
    if commands:
        package = "k8s.io/component-base/version"
        major, minor, _ = VERSION.split(".")
        version = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
        flags = " ".join(f"-X {package}.{name}={value}" for name, value in version.items())
        packages = [f"k8s.io/kubernetes/cmd/{name}" for name in commands]
        needed = {"k8s.io/kubernetes": VERSION}
        _build("", needed, packages, flags=flags, more=_staged())


def module_folder(module: str, version: str) -> Path:
    """Fetch a Go module; returns the folder of its files, which are read-only."""
    command = [go(), "mod", "download", "-json", f"{module}@{version}"]
    with tempfile.TemporaryDirectory() as folder:  # not in a module of ours
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def _staged() -> list[str]:
    """Lines of a go.mod that needs Kubernetes: it replaces its staging modules by folders of its
    repository, and this one by the versions that are published beside it."""
    text = (module_folder("k8s.io/kubernetes", f"v{VERSION}") / "go.mod").read_text()
    staged = re.findall(r"^\s*(\S+) => \./staging/", text, re.MULTILINE)
    version = VERSION.removeprefix("1")
    replaced = [f"replace {path} => {path} v0{version}" for path in staged]
    return [*re.findall("^godebug .*$", text, re.MULTILINE), *replaced]


def _dns() -> str:
    """CoreDNS with the plugins that are needed here, a tenth of those that it brings."""
    home = "github.com/coredns/coredns"
    plugins = "".join(f'import _ "{home}/plugin/{name}"\n' for name in DNS_PLUGINS)
    names = json.dumps(DNS_PLUGINS).strip("[]")
    return f"""package main
import "{home}/core/dnsserver"
import "{home}/coremain"
{plugins}
func init() {{ dnsserver.Directives = []string{{{names}}} }}
func main() {{ coremain.Run() }}
"""


def _build(
    name: str,
    needed: Mapping[str, str],
    packages: Sequence[str],
    *,
    flags: str = "",
    more: Sequence[str] = (),
    main: str = "",
) -> None:
    """Compile into `BIN`. A build that is interrupted leaves nothing there."""
    sys.stderr.write(f"building {name or 'Kubernetes, some ten minutes'}\n")
    with tempfile.TemporaryDirectory(dir=BIN.parent) as folder:
        home = Path(folder)
        required = [f"require {module} v{version}" for module, version in needed.items()]
        lines = ["module checked", "go 1.24", *required, *more, ""]
        (home / "go.mod").write_text("\n".join(lines))
        if main:
            (home / "main.go").write_text(main)
        command = [go(), "build", "-mod=mod", "-trimpath", f"-ldflags=-s -w {flags}"]
        settings = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        command += ["-o", f"{home / 'bin'}/{name}", *packages]
        (home / "bin").mkdir()
        subprocess.run(command, cwd=home, env=os.environ | settings, check=True)
        for binary in (home / "bin").iterdir():
            binary.rename(BIN / binary.name)
