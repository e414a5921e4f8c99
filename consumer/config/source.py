"""Parses YAML text to a plain tree, with the line of every key and value.

YAML 1.2 (YAML 1.1 reads `NO` as false and `21:00` as 1260). The tree is built from ruamel.yaml's
nodes and not from its loader's objects. Nodes keep the text as written (`7547e12` is a float to
YAML), have a line even in a flow mapping, and allow all duplicate keys to be reported at once. The
result has JSON's types: what YAML would make a date stays text.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from consumer.config.document import Path, Source, Tree, dotted
from consumer.config.yaml_errors import syntax_problem
from consumer.errors import ConfigError, Problem

MAX_DEPTH = 100
"""Nested mappings and lists, at most: JSON parsers have such a bound, too."""

MAX_VALUES = 100_000
"""Values in one config, aliases followed: a short text of nested aliases expands without end."""

MAX_BITS = 256

_TAG = "tag:yaml.org,2002:"
_AS_TEXT = {"str", "timestamp", "value"}
_CONVERTED = {"int", "float", "bool", "null"}


def parse(text: str, file: str) -> Source:
    """Parse one YAML document whose top level is a mapping.

    Raises `ConfigError` if there is no tree to go on with; other problems are in the Source.
    """
    reader = YAML(typ="safe", pure=True)
    root: Node | None = None
    failed: Problem | None = None
    try:
        with warnings.catch_warnings():
            # YAML allows an anchor's name to be reused; ruamel.yaml warns of it.
            warnings.simplefilter("ignore")
            root = reader.compose(text)
    except (YAMLError, RecursionError) as error:
        # Raised below and not here: the cause holds the whole text with its secrets.
        failed = syntax_problem(error, text, file)
    if failed is not None:
        raise ConfigError([failed])
    if not isinstance(root, MappingNode):
        message = "the config is empty" if root is None else "expected a mapping of sections"
        hint = "it begins with `version: 1`"
        raise ConfigError([Problem(file, 1, dotted(()), message, hint)])
    return _Builder(reader, Source(file)).run(root)


class _Builder:
    """Walks the nodes once, filling a Source."""

    def __init__(self, reader: YAML, source: Source) -> None:
        self._reader = reader
        self._source = source
        self._open: list[Node] = []
        self._values = 0
        self._pairs_seen = 0

    def run(self, root: MappingNode) -> Source:
        source = self._source
        if self._reader.resolver.processing_version != (1, 2):
            self._refuse((), "configs are YAML 1.2", "leave the %YAML directive out")
        try:
            source.tree = self._build(root, ())
        except RecursionError:
            raise ConfigError([source.problem((), "nested too deeply")]) from None
        return source

    def _refuse(self, path: Path, message: str, hint: str = "") -> None:
        self._source.problems.append(self._source.problem(path, message, hint))

    def _build(self, node: Node, path: Path) -> Tree:
        self._source.lines.setdefault(path, node.start_mark.line + 1)
        self._values += 1
        self._bounded(self._values, path)
        if len(self._open) > MAX_DEPTH:
            raise ConfigError([self._source.problem(path[:1], "nested too deeply")])
        if node in self._open:
            self._refuse(path, "this alias stands inside what it names")
            return None
        self._open.append(node)
        try:
            return self._value(node, path)
        finally:
            self._open.pop()

    def _value(self, node: Node, path: Path) -> Tree:
        kind = str(node.tag).removeprefix(_TAG)
        if isinstance(node, MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self._build(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and kind in _AS_TEXT:
            return self._text(str(node.value), path)
        if isinstance(node, ScalarNode) and kind in _CONVERTED:
            return self._converted(node, path)
        self._refuse(path, "custom tags are not supported", "quote a text that begins with !")
        return None

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Tree]:
        built: dict[str, Tree] = {}
        first: dict[str, int] = {}
        for key_node, value_node, merged in self._pairs(node, path):
            line = key_node.start_mark.line + 1
            key = self._key(key_node, path)
            here = (*path, key)
            if key not in built:
                first[key] = self._source.lines[here] = line
                built[key] = self._build(value_node, here)
            elif not merged:
                hint = f"first in line {first[key]}"
                problem = Problem(self._source.file, line, dotted(here), "duplicate key", hint)
                self._source.problems.append(problem)
        return built

    def _pairs(self, node: MappingNode, path: Path) -> Iterator[tuple[Node, Node, bool]]:
        """Yield keys, values and `merged`; own keys precede keys merged by `<<: *anchor`."""
        merge = f"{_TAG}merge"
        for key, value in node.value:
            # Counted here: nested merges expand without end, though their keys are few.
            self._pairs_seen += 1
            self._bounded(self._pairs_seen, path)
            if str(key.tag) != merge:
                yield key, value, False
        for value in (value for key, value in node.value if str(key.tag) == merge):
            for part in value.value if isinstance(value, SequenceNode) else [value]:
                if isinstance(part, MappingNode):
                    yield from ((k, v, True) for k, v, _ in self._pairs(part, path))
                else:
                    self._refuse(path, "`<<` takes an alias of a mapping, or a list of them")

    def _bounded(self, number: int, path: Path) -> None:
        if number > MAX_VALUES:
            message = f"more than {MAX_VALUES} values, aliases and merges followed"
            raise ConfigError([self._source.problem(path, message)])

    def _key(self, node: Node, path: Path) -> str:
        if not isinstance(node, ScalarNode):
            self._source.lines.setdefault(path, node.start_mark.line + 1)
            self._refuse(path, "a key must be text", "this one is a list or a mapping")
            return "?"
        key = str(node.value)
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _AS_TEXT:
            self._source.lines.setdefault((*path, key), node.start_mark.line + 1)
            self._refuse((*path, key), "a key must be text", "write it in quotes")
        return self._text(key, path)

    def _text(self, text: str, path: Path) -> str:
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(path, "this text is not valid Unicode")
            return "?"
        return text

    def _converted(self, node: ScalarNode, path: Path) -> Tree:
        self._source.written[path] = str(node.value)
        try:
            value: Tree = self._reader.constructor.construct_object(node)
        except (YAMLError, ValueError, KeyError):
            self._refuse(path, "this is not what its tag says, or too large a number")
            return None
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            self._refuse(path, "too large a number", "quote it if it is meant as text")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(path, "not a number", "quote it if it is meant as text")
            return None
        return value
