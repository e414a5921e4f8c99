"""Warns about `match`: text that reads as a condition, likely typos, unreachable routes."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from consumer.config.checks.expression_tokens import tokens_of
from consumer.config.checks.findings import Findings
from consumer.config.document import Path, Tree
from consumer.routing.patterns.reader import steps_of

_NUMBER: Final = r"\s*[-+]?[0-9][0-9_.,]*\s*"
_CONDITIONS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(rf"\s*(>=|<=|>|<)({_NUMBER})"), '[{{numeric: ["{0}", {1}]}}]'),
    (re.compile(rf"\s*(==?)({_NUMBER})"), "{1}, without quotes"),
    (re.compile(rf"\s*(=>|=<)({_NUMBER})"), '[{{numeric: [">=" or "<=", {1}]}}]'),
    (re.compile(r"\s*(!=?|<>)\s*(\S.*)"), '[{{anything-but: "{1}"}}]'),
    (
        re.compile(rf"({_NUMBER})\s*(?:\.\.|\bto\b)({_NUMBER})"),
        '[{{numeric: [">=", {0}, "<=", {1}]}}]',
    ),
    (re.compile(r"([^*]*)\*([^*]*)"), '[{{wildcard: "{0}*{1}"}}]'),
    (re.compile(r"([\w-]+)(?:\s*\|\|?\s*|\s*,\s+)([\w-]+)"), "[{0}, {1}], a list"),
)
"""A text that reads as a condition → how that condition is written."""

_COMMON_WORDS: Final = (
    "address amount branch category channel consent country currency customer discount email "
    "event items language location loyalty message method mobile number order payment phone "
    "price product quantity receipt region segment status store summary terminal timestamp "
    "total transaction"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())
"""Fields of purchase events: a name that differs from one in a letter is a likely typo."""
_OTHERS: Final = frozenset({"border", "county", "iphone", "mount", "prime", "prize", "score"})
"""Words that differ in one letter from a common field and are correct."""

_ENDS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
}
_COMPARED: Final[Mapping[Any, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}

_LONG: Final = 5
_LONGEST: Final = 200
"""Characters of a text that may be a condition, at most."""

_MANY: Final = 1000
"""Names, or routes, beyond which not all pairs are compared."""


def check_matches(findings: Findings, named: Mapping[str, int]) -> None:
    """Add warnings to `findings`; `named`: count of every field name in the config."""
    for here in _patterns(findings):
        for path, value in _leaves(findings.at(*here), here):
            _text(findings, path, value)
    for index in findings.routes():
        here = ("routes", index, "match")
        for path, key in keys_in(findings.at(*here), here):
            for step in steps_in(key):
                _slip(findings, path, step, named)
            _dotted(findings, path, key, named)
    _unreached(findings)


def _patterns(findings: Findings) -> Iterator[Path]:
    """Yield the paths of all event patterns."""
    yield from (("routes", index, "match") for index in findings.routes())
    yield from (("inputs", name, "skip") for name in findings.mapping("inputs"))
    yield ("exclude", "match")


def keys_in(tree: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the keys of a pattern that name fields, also in nested objects."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        here = (*path, key)
        if key != "$or":
            yield here, key
        elif isinstance(value, list):
            for index, option in enumerate(value):
                yield from keys_in(option, (*here, index))
        yield from keys_in(value, here)


def _leaves(tree: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the texts that a field may equal, without arguments of operators."""
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            inside_or = path[-1] == "$or" and isinstance(value, dict)
            if isinstance(value, str) or inside_or:
                yield from _leaves(value, (*path, index))


def _text(findings: Findings, path: Path, text: str) -> None:
    if path in findings.resolved.whole or len(text) > _LONGEST:
        return
    for pattern, form in _CONDITIONS:
        if found := pattern.fullmatch(text):
            meant = form.format(*(part.strip() for part in found.groups()))
            message = "matches only this very text, sign for sign"
            findings.warn(path, message, f"for a condition write {findings.resolved.scrub(meant)}")
            return


def check_expression_names(
    findings: Findings, expressions: Sequence[tuple[Path, str]], named: Mapping[str, int]
) -> None:
    """Warn of names in expressions that differ in one letter from another."""
    for path, text in expressions:
        for token in tokens_of(text):
            if token.kind == "unquoted_identifier":
                _slip(findings, path, token.text, named)


def _slip(findings: Findings, path: Path, name: str, named: Mapping[str, int]) -> None:
    """Warn of a name that is used once and differs in one letter from another."""
    if len(name) < _LONG or named.get(name, 0) > 1 or name in _COMMON | _OTHERS:
        return
    common = _COMMON if name[0].islower() else frozenset[str]()
    known = {*named, *common} if len(named) < _MANY else common
    near = sorted(other for other in known if _one_slip(name, other))
    if near:
        message = f"no other place of the config names a field '{name}'"
        findings.warn(path, message, f"did you mean '{near[0]}'?")


def steps_in(key: str) -> tuple[str, ...]:
    """Return the fields that a key of a pattern names; none if it is malformed."""
    try:
        return steps_of(key)
    except ValueError:
        return ()


def _dotted(findings: Findings, path: Path, key: str, named: Mapping[str, int]) -> None:
    """Warn of a key with a dot whose other reading the rest of the config uses."""
    steps = steps_in(key)
    if len(steps) > 1 and ".".join(steps) in named:
        message = f"is the field '{steps[-1]}' within '{steps[0]}', as on Amazon EventBridge"
        escaped = ".".join(steps).replace(".", "\\.")
        findings.warn(path, message, f"one name with a dot in it is written '{escaped}'")


def _one_slip(one: str, other: str) -> bool:
    """Tell whether two names differ by one letter added, missing, changed or swapped.

    Not if only the last letter or a digit differs: then both names are probably meant."""
    if one == other or abs(len(one) - len(other)) > 1 or len(other) < _LONG:
        return False
    if one[:-1] == other[:-1] or one[:-1] == other or other[:-1] == one:
        return False
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if same is None:
        return True
    rest, other_rest = one[same:], other[same:]
    if rest[:1].isdigit() or other_rest[:1].isdigit():
        return False
    swapped = rest[:2] == other_rest[:2][::-1] and rest[2:] == other_rest[2:]
    return swapped or rest[1:] in {other_rest, other_rest[1:]} or rest == other_rest[1:]


def _unreached(findings: Findings) -> None:
    """Warn of routes that no event reaches: with `routes: first`, an earlier route takes all."""
    earlier: dict[str, list[tuple[str, Tree]]] = {}
    for index in findings.routes():
        name, match = findings.text("routes", index, "name"), findings.at("routes", index, "match")
        source = findings.text("routes", index, "input") or ""
        match = {} if match is None else match
        if findings.text("inputs", source, "routes") != "all":
            for other, wider in earlier.get(source, ()):
                if _takes_all_of(wider, match):
                    message = f"no event reaches this route: '{other}' takes every one before it"
                    hint = f"put it before '{other}', or write `routes: all` under inputs.{source}"
                    findings.warn(("routes", index), message, hint)
                    break
        before = earlier.setdefault(source, [])
        if len(before) < _MANY:
            before.append((name or "?", match))


def _takes_all_of(wider: Tree, narrower: Tree) -> bool:
    """Tell whether the first pattern certainly matches everything that the second matches."""
    if wider == narrower:
        return True
    if isinstance(wider, dict) and isinstance(narrower, dict):
        return all(key in narrower and _takes_all_of(wider[key], narrower[key]) for key in wider)
    if isinstance(wider, dict) or isinstance(narrower, dict):
        return False
    there = _alternatives(wider)
    return all(any(_covers(one, other) for one in there) for other in _alternatives(narrower))


def _alternatives(tree: Tree) -> list[Tree]:
    return tree if isinstance(tree, list) else [tree]


def _covers(wider: Tree, narrower: Tree) -> bool:
    """Tell whether one alternative of a field certainly takes each value of another one."""
    if repr(wider) == repr(narrower):  # keeps 1, 1.0 and true apart
        return True
    if not isinstance(wider, dict) or len(wider) != 1:
        return False
    (kind, argument), *_ = wider.items()
    if kind == "exists":
        absent = isinstance(narrower, dict) and "exists" in narrower
        return argument is True and not absent
    if isinstance(narrower, str) and isinstance(argument, str):
        return bool(_ENDS.get(kind, _no_end)(narrower, argument))
    number = isinstance(narrower, int | float) and not isinstance(narrower, bool)
    return kind == "numeric" and number and _in_range(argument, float(str(narrower)))


def _no_end(_text: str, _end: str) -> bool:
    return False


def _in_range(bounds: Tree, number: float) -> bool:
    """Tell whether a number keeps all bounds of `numeric`, as [">=", 100, "<", 400]."""
    if not isinstance(bounds, list) or len(bounds) % 2:
        return False
    return all(
        _COMPARED[sign](number, bound)
        if sign in _COMPARED and isinstance(bound, int | float)
        else False
        for sign, bound in zip(bounds[::2], bounds[1::2], strict=True)
    )
