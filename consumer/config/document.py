"""A parsed config text: a tree of JSON's types, and the line of each value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from consumer.errors import Problem

Path = tuple[str | int, ...]
Tree = None | bool | int | float | str | list["Tree"] | dict[str, "Tree"]


@dataclass(slots=True)
class Source:
    """A parsed config text. `written`: the text of each number and boolean as in the file.

    `files`: path of what stands in an included file, with all in it → that file.
    """

    file: str
    tree: Tree = None
    files: dict[Path, str] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of the key or list item at `path`, or of the nearest parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def file_of(self, path: Path) -> str:
        """Return the file in which the value at `path`, or its nearest parent, stands."""
        while path and path not in self.files:
            path = path[:-1]
        return self.files.get(path, self.file)

    def where(self, path: Path) -> str:
        """Return the place of a value for a hint: `line 7`, and the file where there are many."""
        line = self.line(path)
        return f"{self.file_of(path)}:{line}" if self.files else f"line {line}"

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        """Make a `Problem` at `path`, to be collected."""
        return Problem(self.file_of(path), self.line(path), dotted(path), message, hint)

    def at(self, path: Path) -> Tree:
        """Return the value at `path`, or None."""
        return value_at(self.tree, path)


def value_at(tree: Tree, path: Path) -> Tree:
    """Return the value at `path`, or None."""
    for step in path:
        if isinstance(tree, dict) and isinstance(step, str):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Yield each value that is no mapping and no list, with its path."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, (*path, index))
    else:
        yield path, tree


def dotted(path: Path) -> str:
    """Format a path: `("routes", 0, "send", 1)` → `routes[0].send[1]`; () → `(top level)`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "(top level)"
