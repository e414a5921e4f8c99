"""A rendered pod's settings, applied to a real process in the built image's file system.

What the kubelet would do and this does: user, group and their files, no capabilities, no new
privileges, a read-only root, mounted folders, environment, arguments, a memory limit that kills.
What it does not: seccomp, the network policy (the process shares this machine's network).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.image import Image

CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
SCRIPT = """
set -eu
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2"
    shift 2
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""


def bytes_of(quantity: str) -> int:
    """`512Mi` → bytes. Raises ValueError for what the chart does not use."""
    found = re.fullmatch(r"(\d+)(Ki|Mi|Gi)", quantity)
    if found is None:
        raise ValueError(f"{quantity}: expected Ki, Mi or Gi")
    return int(found[1]) * UNITS[found[2]]


def status(pid: int) -> dict[str, str]:
    """What /proc says of a process: name → value."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def peak(group: Path) -> int:
    """The most memory that a group has had, page cache included, bytes."""
    old = group / "memory.max_usage_in_bytes"
    return int((old if old.exists() else group / "memory.peak").read_text())


@contextmanager
def memory_limit(limit: int) -> Iterator[Path]:
    """A control group of its own; the kernel kills what goes beyond. v1 or v2."""
    old = CGROUPS / "memory"
    group = (old if old.is_dir() else CGROUPS) / f"pod-{os.getpid()}"
    group.mkdir()
    name = "memory.limit_in_bytes" if old.is_dir() else "memory.max"
    try:
        (group / name).write_text(str(limit))
        yield group
    finally:
        group.rmdir()


@dataclass(slots=True)
class Pod:
    """One container of a pod. `files`: mount path → name → content; the kubelet's part."""

    image: Image
    spec: Mapping[str, Any]
    home: Path
    files: Mapping[str, Mapping[str, str]]
    name: str = "pod-0"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def container(self) -> Mapping[str, Any]:
        """The only one."""
        (found,) = self.spec["containers"]
        return dict(found)

    @property
    def memory(self) -> int:
        """Its limit, bytes."""
        return bytes_of(self.container["resources"]["limits"]["memory"])

    def command(self, arguments: Sequence[str] | None = None) -> list[str]:
        """For a shell that is root: what ends as the container's process, PID 1 of its own.

        `arguments` instead of the container's; raises AssertionError for settings not applied.
        """
        wanted = {**self.spec["securityContext"], **self.container["securityContext"]}
        assert wanted["readOnlyRootFilesystem"] is True
        assert wanted["allowPrivilegeEscalation"] is False
        assert wanted["capabilities"] == {"drop": ["ALL"]}
        user, group = str(wanted["runAsUser"]), str(wanted["runAsGroup"])
        become = ["setpriv", "--reuid", user, "--regid", group, "--groups", str(wanted["fsGroup"])]
        become += ["--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all"]
        entry = self.image.config["Entrypoint"]
        told = list(self.container["args"] if arguments is None else arguments)
        settings = [f"{name}={value}" for name, value in self._environment().items()]
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "pod"]
        mounts = [each for pair in self._mounts() for each in pair]
        inside = [*become, "env", "-i", *settings, *entry, *told]
        return [*apart, str(self.image.root), *mounts, "--", *inside]

    def start(self, group: Path, log: Path) -> subprocess.Popen[bytes]:
        """Run it in a control group; stdout and stderr go to `log`."""
        join = ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(group / "cgroup.procs")]
        with log.open("ab") as out:
            return subprocess.Popen([*join, *self.command()], stdout=out, stderr=subprocess.STDOUT)

    def first_process(self, group: Path) -> int:
        """The container's PID 1, as this machine numbers it; the kubelet's signals go to it."""
        for pid in (group / "cgroup.procs").read_text().split():
            numbers = status(int(pid))["NSpid"].split()
            if len(numbers) > 1 and numbers[-1] == "1":
                return int(pid)
        raise AssertionError("the container's process has ended, or was never there")

    def _environment(self) -> dict[str, str]:
        found = dict(self.image.environment)
        for each in self.container.get("env", ()):
            source = each.get("valueFrom", {})
            if source == {"fieldRef": {"fieldPath": "metadata.name"}}:
                found[each["name"]] = self.name
            else:
                found[each["name"]] = each["value"]
        return found | dict(self.environment)

    def _mounts(self) -> Iterator[tuple[str, str]]:
        """Folders as the kubelet makes them: of the pod's group, closed to others if so said."""
        volumes = {each["name"]: each for each in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            volume, path = volumes[mount["name"]], mount["mountPath"]
            mode = volume.get("secret", {}).get("defaultMode", 0o644)
            folder = self.home / mount["name"]
            folder.mkdir(exist_ok=True)
            for name, content in self.files[path].items():
                (folder / name).write_text(content)
                (folder / name).chmod(mode)
                shutil.chown(folder / name, "root", int(self.spec["securityContext"]["fsGroup"]))
            # Made before the root becomes read-only, as a container runtime does.
            (self.image.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
            yield str(folder), path
