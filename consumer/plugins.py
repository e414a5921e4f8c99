"""Plugins: what other installed packages add to the program, found through entry points.

A package names an object in its `pyproject.toml`, under one of the groups; the entry point's name
is what a config then writes:

    [project.entry-points."survey_dispatcher.vendors"]
    acme = "acme_surveys:AcmeVendor"

A plugin that cannot be used is left out and remembered: it never keeps the program from starting,
and `validate` says of each what is wrong. The objects are loaded once, when the program's tables
are made; a plugin is installed or updated by a restart. See docs/plugins.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

PREFIX: Final = "survey_dispatcher."
"""Of the groups: `survey_dispatcher.vendors` and so on."""

Check = Callable[[str, Any], str | None]
"""Returns what is wrong with an object of this name, or None."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin as an operator knows it. `problem`: why it is left out, or empty."""

    group: str
    name: str
    package: str
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.group} plugin '{self.name}' of the package {self.package}"


_KNOWN: dict[tuple[str, str, str], Plugin] = {}


def known_plugins() -> list[Plugin]:
    """Return all plugins that were found so far, also those left out, in order."""
    return [_KNOWN[key] for key in sorted(_KNOWN)]


def load_plugins(group: str, taken: Collection[str], check: Check) -> dict[str, Any]:
    """Return name → object of a group's usable plugins.

    `taken`: the program's own names, which no plugin replaces. A name that two packages use is used
    for neither, for which of them came first is chance.
    """
    found: dict[str, Any] = {}
    points = list(_all_entry_points().select(group=PREFIX + group))
    times = Counter(point.name for point in points)
    for point in points:
        problem, value = _load(point, check)
        if point.name in taken:
            problem = "the program has one of this name itself"
        elif times[point.name] > 1:
            problem = "another package has one of this name, too"
        plugin = Plugin(group, point.name, _package(point), problem)
        _KNOWN[group, plugin.name, plugin.package] = plugin
        if not problem:
            found[point.name] = value
    return found


def lacks(value: Any, names: Iterable[str]) -> str | None:
    """Return which of these attributes an object lacks, as a plugin's problem, or None."""
    missing = [name for name in names if not hasattr(value, name)]
    return f"it has no {', '.join(missing)}" if missing else None


def not_callable(_name: str, value: Any) -> str | None:
    """Return why an object cannot be called, as a plugin's problem, or None."""
    return None if callable(value) else "it is not callable"


@lru_cache(1)
def _all_entry_points() -> Any:  # its class differs between versions of Python
    """Read once: it opens a file of every installed package."""
    return entry_points()


def _load(point: EntryPoint, check: Check) -> tuple[str, Any]:
    try:
        value = point.load()
        return check(point.name, value) or "", value
    except Exception as error:  # noqa: BLE001 - the code is another's: any failure leaves it out
        return f"it cannot be imported from {point.value}: {type(error).__name__}: {error}", None


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "(unknown)"
