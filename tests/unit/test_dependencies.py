"""What is installed is what was tested: every dependency is pinned, and nothing else is."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [each for group in PROJECT["optional-dependencies"].values() for each in group]
NOT_HERE = {"colorama", "pywin32", "tzdata", "setuptools"}
"""For other systems or versions of Python; and what builds have in environments of their own."""


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): number for name, number in pairs}


def needed() -> set[str]:
    """All that our requirements bring, as what is installed says; optional parts not installed."""
    todo = [Requirement(each) for each in [*PROJECT["dependencies"], *EXTRAS]]
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or not _installed(name):
            continue
        seen.add((name, extras))
        found.add(name)
        for each in map(Requirement, distribution(name).requires or ()):
            environments = [{"extra": extra} for extra in ("", *extras)]
            if each.marker is None or any(map(each.marker.evaluate, environments)):
                todo.append(each)
    return found


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def test_every_dependency_is_pinned() -> None:
    """Of the program, its extras and its developers, and all that these bring."""
    mend = "write what pip installed into constraints.txt"
    assert sorted(needed() - pinned().keys()) == [], mend


def test_every_pinned_package_is_needed() -> None:
    there = {name for name in pinned() if _installed(name)}
    assert sorted(there - needed() - NOT_HERE) == []


def test_what_is_installed_is_what_is_pinned() -> None:
    numbers = pinned()
    other = {
        name: (version(name), numbers[name])
        for name in needed() & numbers.keys()
        if Version(version(name)) != Version(numbers[name])
    }
    assert other == {}, "make setup installs what constraints.txt says"


def test_the_constraints_name_no_place() -> None:
    """A URL or a path would bind every build to it."""
    text = (ROOT / "constraints.txt").read_text()
    assert not [sign for sign in ("://", " @ ", "file:") if sign in text]
