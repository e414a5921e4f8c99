"""The image, built by its own Dockerfile, and a pod's settings applied to a process in it.

No base image can be pulled in some places, these tests' CI among them. So the base is a Debian
with Python that debootstrap makes (`make deploy-tools`, once, kept in `.cache/image`), and buildah
carries out the Dockerfile without a daemon. Both need root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
BASE = ROOT / ".cache" / "image" / "bookworm-python3.tar"
PACKAGES = ("buildah", "debootstrap")
INSIDE = "python3,python3-venv,ca-certificates"
CERTIFICATES = "/etc/ssl/certs"
IMAGE = "localhost/image"


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: `root` is its file system, `config` what the Dockerfile says of running it."""

    root: Path
    config: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Its ENV."""
        return dict(each.split("=", 1) for each in self.config["Env"])


@contextmanager
def built() -> Iterator[Image]:
    """Build it as `deploy/Dockerfile` says. Raises AssertionError where something is missing."""
    with builder() as building:
        building.build()
        yield building.mounted()


@contextmanager
def builder() -> Iterator[Builder]:
    """A buildah with a storage of its own. Raises AssertionError where something is missing."""
    missing = [package for package in PACKAGES if shutil.which(package) is None]
    assert not missing, f"{', '.join(missing)} missing: make deploy-tools"
    assert BASE.exists(), f"{BASE.relative_to(ROOT)} is missing: make deploy-tools"
    assert os.geteuid() == 0, "building an image without a daemon needs root here"
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        found = Builder(Path(folder))
        try:
            yield found
        finally:
            found.close()


class Builder:
    """Builds images in a storage of its own: `IMAGE` by the Dockerfile, others out of it."""

    def __init__(self, home: Path) -> None:
        places = ["--root", str(home / "root"), "--runroot", str(home / "run")]
        self._storage = ["--storage-driver", "overlay", *places]
        tried = subprocess.run(
            ["buildah", *self._storage, "info"], capture_output=True, check=False
        )
        if tried.returncode:  # a kernel or file system without it; slow, but it copies anywhere
            self._storage = ["--storage-driver", "vfs", *places]

    def close(self) -> None:
        """Unmount all, so that the folder can be removed."""
        self._do("umount", "--all")

    def build(self) -> None:
        """Make `IMAGE` by the Dockerfile, on our base, with this machine's index of packages."""
        base = self._do("from", "scratch")
        self._do("add", "--quiet", base, str(BASE), "/")
        self._do("commit", "--quiet", "--rm", base, "localhost/base")
        arguments = [f"--build-arg={name}={value}" for name, value in _index().items()]
        self._do(
            *("bud", "--quiet", "--isolation=chroot", "--build-arg=BASE=localhost/base"),
            *(*arguments, f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"),
            *("--file", str(ROOT / "deploy" / "Dockerfile"), "--tag", IMAGE, str(ROOT)),
        )

    def mounted(self) -> Image:
        """Mount the file system of `IMAGE`."""
        container = self._do("from", IMAGE)
        inspected = json.loads(self._do("inspect", "--type", "image", IMAGE))
        config: dict[str, Any] = inspected["OCIv1"]["config"]
        return Image(Path(self._do("mount", container)), config)

    def save(self, name: str, archive: Path, *settings: str) -> None:
        """Write `IMAGE` under a name, with other settings (`buildah config`), as `docker save`."""
        container = self._do("from", IMAGE)
        self._do("config", *settings, container)
        self._do("commit", "--quiet", "--rm", container, name)
        self._do("push", "--quiet", name, f"docker-archive:{archive}:{name}")

    def _do(self, *arguments: str) -> str:
        command = ["buildah", *self._storage, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, (
            f"buildah {arguments[0]}: {(done.stdout + done.stderr)[-3000:]}"
        )
        return done.stdout.strip()


def _index() -> dict[str, str]:
    """Where this machine's pip finds packages, for the pip of the build."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    settings = dict(line.split("=", 1) for line in told.splitlines())
    found = {}
    for setting, argument in (("index-url", "PIP_INDEX_URL"), ("cert", "PIP_CERT")):
        for where in ("global", ":env:."):
            value = settings.get(f"{where}.{setting}" if where == "global" else where + setting)
            if value is not None:
                found[argument] = value.strip("'")
    return found


def main() -> None:
    """Install what is missing and make the base (`make deploy-tools`)."""
    if missing := [package for package in PACKAGES if shutil.which(package) is None]:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit(f"{' and '.join(missing)} needed: sudo apt-get install {' '.join(missing)}")
        apt = ["apt-get", "-qq", "-y", "--no-install-recommends"]
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "install", *missing], env=quiet, check=True)
    if not BASE.exists():
        if os.geteuid() != 0:
            sys.exit("a base for the image is made by root alone: sudo make deploy-tools")
        _make_base()


def _make_base() -> None:
    sys.stderr.write("making a base for the image\n")
    BASE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BASE.parent) as folder:
        root, archive = Path(folder) / "root", Path(folder) / "base.tar"
        make = ["debootstrap", "--variant=minbase", f"--include={INSIDE}", "bookworm", str(root)]
        with (BASE.parent / "debootstrap.log").open("w") as log:
            subprocess.run([*make, *_mirror()], stdout=log, check=True)
        shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        archive.rename(BASE)


def _mirror() -> list[str]:
    """Where this machine has its own Debian from; nothing: debootstrap's default."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = [line.split()[1] for line in told.splitlines() if line.startswith("bookworm ")]
    return found[:1]


if __name__ == "__main__":
    main()
