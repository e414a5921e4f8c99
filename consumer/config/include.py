"""Merges the files that a config includes: `include: [teams/*.yaml]`, one file a team.

A file holds some of `SECTIONS`. Its names join those of the main file, and a name in two files is
refused with both places. Its routes are called `<namespace>.<name>`: the namespace is the file's
name without `.yaml`, or its own key `namespace`, so that teams choose names without asking each
other. In its contact rules it names its own routes without the namespace.

Routes are tried in the order of the main file, then of the patterns, then of the files' names.
Relative paths of tables and `${file:…}` count from the main file's folder, wherever they stand.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Final, TypeVar

from consumer.config.document import Path, Source, Tree, value_at
from consumer.config.fields import NAME, PATTERN_WORDS
from consumer.config.source import parse
from consumer.config.texts import UnfitTextError, read_text
from consumer.errors import ConfigError, Problem

T = TypeVar("T")

NAMED: Final = (
    "quotas",
    "vendors",
    "campaigns",
    "inputs",
    "policies",
    "contact_rules",
    "tables",
)
"""Sections of names that an included file may have."""

SECTIONS: Final = (*NAMED, "routes")
_KEYS: Final = frozenset({*SECTIONS, "namespace"})
_TESTS: Final = ".tests.yaml"
"""Ends the names of files of tests, which lie beside configs."""


def included_files(tree: Tree, base: FilePath) -> list[FilePath]:
    """Return the files that a config's tree includes, each once, in order."""
    patterns = value_at(tree, ("include",))
    listed = patterns if isinstance(patterns, list) else []
    texts = [text for text in listed if isinstance(text, str)]
    return list(dict.fromkeys(file for text in texts for file in _matching(text, base)))


def files_included(text: str, base: FilePath) -> list[FilePath]:
    """Return the files that a config's text includes; none if it cannot be parsed."""
    return included_files(_include_in(text), base)


def merge_included(source: Source, base: FilePath) -> None:
    """Merge all files that a config includes into its tree. Problems are added to `source`."""
    patterns = source.at(("include",))
    if not isinstance(source.tree, dict) or not isinstance(patterns, list):
        return  # the models report another type
    for index, pattern in enumerate(patterns):
        if isinstance(pattern, str) and not _matching(pattern, base):
            hint = f"paths count from {base.absolute()}"
            source.problems.append(
                source.problem(("include", index), f"no file fits '{pattern}'", hint)
            )
    for file in included_files(source.tree, base):
        try:
            part = parse(read_text(file), str(file))
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            source.problems.append(Problem(str(file), 1, "(file)", message))
        except UnfitTextError as unfit:
            source.problems.append(Problem(str(file), 1, "(file)", str(unfit)))
        except ConfigError as refused:
            source.problems.extend(refused.problems)
        else:
            source.problems.extend(part.problems)
            _Merge(source, part, file).run()


def _matching(pattern: str, base: FilePath) -> list[FilePath]:
    # Path.glob takes no absolute patterns.
    names = glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207 - see above
    return [base / name for name in sorted(names) if not name.endswith(_TESTS)]


@lru_cache(maxsize=1)
def _include_in(text: str) -> Tree:
    """Parse the section, once for each text: the files are polled every few seconds."""
    try:
        return {"include": parse(text, "").at(("include",))} if "include" in text else None
    except ConfigError:
        return None


class _Merge:
    """Merges one file into a config's tree."""

    def __init__(self, source: Source, part: Source, file: FilePath) -> None:
        self._source, self._part = source, part
        self._file = file

    def run(self) -> None:
        """Merge what the file may have; report what it may not."""
        tree = self._part.tree
        if not isinstance(tree, dict) or not isinstance(self._source.tree, dict):
            return
        for key in tree.keys() - _KEYS:
            hint = f"an included file has {', '.join(sorted(_KEYS))}"
            self._refuse((key,), "stands in the main file alone", hint)
        namespace = self._namespace(tree)
        for section in NAMED:
            self._names(section, tree.get(section, {}))
        self._routes(namespace, tree.get("routes", []))

    def _namespace(self, tree: Mapping[str, Tree]) -> str:
        given = tree.get("namespace", self._file.stem)
        if not isinstance(given, str) or not re.fullmatch(NAME, given):
            self._refuse(("namespace",), "is no name", f"expected {PATTERN_WORDS[NAME]}")
        return str(given)

    def _names(self, section: str, names: Tree) -> None:
        if not isinstance(names, dict):
            self._refuse((section,), "expected a mapping")
            return
        if names:
            self._open(section, {})
        there = self._source.at((section,))
        for name, value in names.items():
            place: Path = (section, name)
            if not isinstance(there, dict):
                return  # the models report it
            if name in there:
                self._refuse(place, "duplicate key", f"first in {self._source.where(place)}")
            else:
                there[name] = self._local(section, value)
                self._move(place, place)

    def _routes(self, namespace: str, routes: Tree) -> None:
        if not isinstance(routes, list):
            self._refuse(("routes",), "expected a list")
            return
        if routes:
            self._open("routes", [])
        there = self._source.at(("routes",))
        if not isinstance(there, list):
            return  # the models report it
        for index, route in enumerate(routes):
            self._move(("routes", index), ("routes", len(there)))
            there.append(_renamed(route, namespace))

    def _open(self, section: str, empty: Tree) -> None:
        """Add a section that no file before has; its place is where it stands in this one."""
        tree = self._source.tree
        if isinstance(tree, dict) and section not in tree:
            tree[section] = empty
            self._source.lines[section,] = self._part.line((section,))
            self._source.files[section,] = self._part.file

    def _local(self, section: str, value: Tree) -> Tree:
        """Return a value in which the file's own routes have their full names."""
        if section != "contact_rules" or not isinstance(value, dict):
            return value
        own, namespace = set(self._own_routes()), self._namespace(_mapping(self._part.tree))
        return {
            key: {**part, "routes": [_full(name, own, namespace) for name in named]}
            if isinstance(part, dict) and isinstance(named := part.get("routes"), list)
            else part
            for key, part in value.items()
        }

    def _own_routes(self) -> Iterator[str]:
        routes = self._part.at(("routes",))
        for route in routes if isinstance(routes, list) else ():
            if isinstance(name := _mapping(route).get("name"), str):
                yield name

    def _move(self, old: Path, new: Path) -> None:
        """Remember where a value of this file, and all in it, stands."""
        self._source.files[new] = self._part.file
        self._source.lines |= _moved(self._part.lines, old, new)
        self._source.written |= _moved(self._part.written, old, new)

    def _refuse(self, path: Path, message: str, hint: str = "") -> None:
        self._source.problems.append(self._part.problem(path, message, hint))


def _moved(values: Mapping[Path, T], old: Path, new: Path) -> dict[Path, T]:
    found = (path for path in values if path[: len(old)] == old)
    return {(*new, *path[len(old) :]): values[path] for path in found}


def _mapping(tree: Tree) -> Mapping[str, Tree]:
    return tree if isinstance(tree, dict) else {}


def _full(name: Tree, own: set[str], namespace: str) -> Tree:
    return f"{namespace}.{name}" if isinstance(name, str) and name in own else name


def _renamed(route: Tree, namespace: str) -> Tree:
    name = _mapping(route).get("name")
    if isinstance(route, dict) and isinstance(name, str):
        return {**route, "name": f"{namespace}.{name}"}
    return route


def folders_of(config: FilePath) -> list[FilePath]:
    """Return the folders of a config and of the files that it includes, each once; of standard
    input the working directory."""
    try:
        files = files_included(read_text(config), config.parent)
    except (OSError, UnfitTextError):
        files = []
    return list(dict.fromkeys(file.parent for file in (config, *files)))
