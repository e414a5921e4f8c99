"""Event patterns: which events a route is for, as data that can be explained.

The rules are those of event-ruler, the engine of Amazon EventBridge
(github.com/aws/event-ruler, README), without `cidr`:

* a field's list of values holds when any value of it holds; all fields must hold;
* an array in the event stands for its elements: any scalar may match, and the conditions of one
  nested object must hold within one element, also when `$or` spreads them;
* `exists: false` holds for a field that has no scalar. Under an array it speaks of the element
  that the other conditions chose, and of all elements where no other condition chose one.

Ours: keys are literal (no dots inside), `anything-but` also takes booleans, null and mixed lists,
a bare scalar is a one-item list, and a field named both beside and inside `$or` must satisfy both.

A pattern is read once into `_Node`s, which explain, and those into closures, which match. A
closure answers False, True, or ABSENT: holds, but only because nothing is there.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from itertools import product
from types import NoneType
from typing import Any, Final

import orjson

from consumer.errors import DispatcherError

Path = tuple[str | int, ...]
Test = Callable[[Any], bool]
Match = Callable[[Any], int]
Item = Mapping[type, Test]
"""What one value of a list accepts, by JSON type; a type that is not named never matches."""

MAX_ALTERNATIVES: Final = 256
"""Combinations that the `$or`s of one pattern may make: each may become a closure of its own."""
MAX_DEPTH: Final = 32
MAX_WILDCARDS: Final = 16

ABSENT: Final = 2
OR: Final = "$or"
FOLD: Final = "equals-ignore-case"
_SCALARS: Final = (str, int, float, bool, NoneType)


class PatternError(DispatcherError):
    """One thing wrong with a pattern: where, what, and what was meant (or "")."""

    def __init__(self, path: Path, message: str, hint: str = "") -> None:
        self.path, self.message, self.hint = path, message, hint
        where = ".".join(map(str, path)) or "pattern"
        super().__init__(f"{where}: {message}" + (f" ({hint})" if hint else ""))


class PatternErrors(DispatcherError):  # noqa: N818 - the plural says what it holds
    """A pattern is refused; `errors` lists all that is wrong with it."""

    def __init__(self, errors: Sequence[PatternError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(slots=True)
class _Leaf:
    """The list of values of one field; `table` answers by the type of what the event has."""

    table: dict[type, Match]
    absent: bool
    text: str


@dataclass(slots=True)
class _Field:
    """What is asked of one key: all of `leaves` (more than one only through `$or`), and `node`."""

    leaves: list[_Leaf]
    node: _Node | None


@dataclass(slots=True)
class _Node:
    """An object of the pattern: all fields, and one alternative of each `$or`."""

    fields: dict[str, _Field] = field(default_factory=dict)
    ors: list[list[_Node]] = field(default_factory=list)


class _Missing:
    """The type of a key that is not there, so that one table look-up covers it."""


_MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `matches(event)`: an object as orjson reads it → bool."""

    matches: Callable[[dict[str, Any]], bool]
    _node: _Node

    def explain(self, event: dict[str, Any]) -> list[str]:
        """Conditions that failed: their paths and what the pattern wants, no event values."""
        if self.matches(event):
            return []
        return list(_failures(self._node, event, "")) or [
            f"no single array element holds the conditions beside and inside {OR}"
        ]


def compile_pattern(pattern: Mapping[str, object]) -> Pattern:
    """Compile a pattern; raises `PatternErrors` with all that is wrong with it."""
    reader = _Reader()
    node = reader.node(pattern, ())
    if not reader.errors and _alternatives(node) > MAX_ALTERNATIVES:
        reader.fail((), f"its {OR}s make more than {MAX_ALTERNATIVES} combinations")
    if reader.errors:
        raise PatternErrors(reader.errors)
    match = _compile(node)
    return Pattern(lambda event: bool(match(event)), node)


class _Reader:
    """Reads a pattern into nodes and notes all that is wrong with it."""

    def __init__(self) -> None:
        self.errors: list[PatternError] = []

    def fail(self, path: Path, message: str, hint: str = "") -> None:
        self.errors.append(PatternError(path, message, hint))

    def node(self, raw: object, path: Path) -> _Node:
        """One object of the pattern."""
        node = _Node()
        if not isinstance(raw, Mapping) or not raw:
            self.fail(path, "expected an object with at least one field")
        elif len(path) > MAX_DEPTH:
            self.fail(path, f"is nested deeper than {MAX_DEPTH} levels")
        else:
            for key, value in raw.items():
                self._entry(node, key, value, (*path, key))
        return node

    def _entry(self, node: _Node, key: object, value: object, path: Path) -> None:
        if not isinstance(key, str):
            self.fail(path, "a field's name must be text", "put it in quotes")
        elif key == OR:
            node.ors.append(self._or(value, path))
        elif not isinstance(value, Mapping):
            node.fields[str(key)] = _Field([self._leaf(value, path)], None)
        elif _is_misplaced(value):
            name = next(iter(value))
            self.fail(path, f"`{name}` must stand in a list", f"write [{{{name}: …}}]")
        else:
            node.fields[str(key)] = _Field([], self.node(value, path))

    def _or(self, value: object, path: Path) -> list[_Node]:
        if not isinstance(value, list) or len(value) < 2:
            self.fail(path, f"{OR} takes a list of two or more objects")
            return []
        return [self.node(each, (*path, index)) for index, each in enumerate(value)]

    def _leaf(self, value: object, path: Path) -> _Leaf:
        raw = value if isinstance(value, list) else [value]
        if not raw:
            self.fail(path, "an empty list never matches")
        exact, items, absent = [], [], False
        for index, each in enumerate(raw):
            try:
                if not isinstance(each, Mapping):
                    exact.append(_scalar(each, (*path, index)))
                elif item := _item(each, (*path, index)):
                    items.append(item)
                else:
                    absent = True
            except PatternError as error:
                self.errors.append(error)
        text = orjson.dumps(raw, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        return _Leaf(_table([_exact(exact), *items], absent=absent), absent, text)


# ---- one value of a list: what is wrong with it is raised as PatternError ------------------


def _is_misplaced(value: Mapping[Any, object]) -> bool:
    """An operator where a nested object is read: it would ask for a field of that name."""
    if len(value) != 1 or next(iter(value)) not in _OPERATORS:
        return False
    try:
        _item(value, ())
    except PatternError:
        return False
    return True


def _scalar(value: object, path: Path) -> object:
    """A value as the event's is compared with it: without the YAML reader's own types."""
    kind = _kind(value)
    if kind is None:
        raise PatternError(path, "expected text, a finite number, true, false or null")
    return str(value) if kind is str else value


def _kind(value: object) -> type | None:
    """The type under which a pattern's scalar is compared; int stands for all numbers."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int if math.isfinite(value) else None
    return next((kind for kind in (str, bool, NoneType) if isinstance(value, kind)), None)


def _exact(values: Iterable[object]) -> Item:
    """Scalars, equal by value within their JSON type; numbers are one type."""
    found: dict[type, set[object]] = {}
    for value in values:
        found.setdefault(_kind(value) or NoneType, set()).add(value)
    item: dict[type, Test] = {kind: frozenset(of).__contains__ for kind, of in found.items()}
    return item | {float: item[int]} if int in item else item


def _item(raw: Mapping[Any, object], path: Path) -> Item:
    """One `{operator: argument}`; empty for `exists: false`, which no value matches."""
    if len(raw) != 1:
        raise PatternError(path, "expected one operator", "several values go into the list")
    name, argument = next(iter(raw.items()))
    if name not in _OPERATORS:
        raise PatternError((*path, name), "unknown operator", _nearest(name))
    return _OPERATORS[name](name, argument, (*path, name))


def _nearest(name: object) -> str:
    close = get_close_matches(str(name), _OPERATORS, 1)
    return f"did you mean `{close[0]}`?" if close else "known: " + ", ".join(_OPERATORS)


def _exists(_name: str, argument: object, path: Path) -> Item:
    if not isinstance(argument, bool):
        raise PatternError(path, "takes true or false")
    return dict.fromkeys(_SCALARS, _always) if argument else {}


def _numeric(_name: str, argument: object, path: Path) -> Item:
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        raise PatternError(path, "takes one or two comparisons", 'as [">", 0, "<=", 5]')
    signs, numbers = [str(sign) for sign in argument[::2]], argument[1::2]
    if tuple(signs) not in _SIGNS:
        raise PatternError(path, "compares with =, or >, >=, <, <=, the lower bound first")
    if any(_kind(number) is not int for number in numbers):
        raise PatternError(path, "compares with finite numbers only")
    test = _within([_COMPARE[sign] for sign in signs], numbers)
    if len(numbers) == 2 and not numbers[0] < numbers[1] and not test(numbers[0]):
        raise PatternError(path, "is an empty range and never matches")
    return {int: test, float: test}


def _text(name: str, argument: object, path: Path) -> Item:
    """`prefix`, `suffix`, `equals-ignore-case` and `wildcard`: strings only."""
    folded = isinstance(argument, Mapping) and set(argument) == {FOLD}
    if isinstance(argument, Mapping) and folded:
        argument = argument[FOLD]
    make = _TEXT_TESTS.get((name, folded))
    if make is None or not isinstance(argument, str):
        raise PatternError(path, "takes text")
    try:
        return {str: make(str(argument))}
    except ValueError as error:
        raise PatternError(path, str(error)) from None


def _anything_but(_name: str, argument: object, path: Path) -> Item:
    """What its argument does not match, whatever the type, as long as there is something."""
    excluded = _excluded(argument, path)
    tests: dict[type, Test] = dict.fromkeys(_SCALARS, _always)
    return tests | {kind: _not(test) for kind, test in excluded.items()}


def _excluded(argument: object, path: Path) -> Item:
    if not isinstance(argument, Mapping):
        return _exact([_scalar(value, path) for value in _some(argument, path)])
    name = next(iter(argument), None)
    if len(argument) != 1 or name not in _TEXT:
        raise PatternError(path, "takes values, or one of: " + ", ".join(_TEXT))
    path = (*path, str(name))
    values = _some(argument[name], path)
    if name in {"prefix", "suffix"} and "" in values:
        raise PatternError(path, "must not be empty here: it would exclude all text")
    return {str: _any([_text(str(name), value, path)[str] for value in values])}


def _some(argument: object, path: Path) -> list[Any]:
    values = argument if isinstance(argument, list) else [argument]
    if not values:
        raise PatternError(path, "excludes nothing")
    return values


# ---- tests of one scalar -------------------------------------------------------------------


def _always(_value: object) -> bool:
    return True


def _never(_value: object) -> bool:
    return False


def _not(test: Test) -> Test:
    return lambda value: not test(value)


def _any(tests: Sequence[Test]) -> Test:
    if _always in tests:
        return _always
    if len(tests) < 2:
        return tests[0] if tests else _never
    return lambda value: any(test(value) for test in tests)


def _within(compare: Sequence[Callable[[Any, Any], bool]], numbers: Sequence[float]) -> Test:
    if len(numbers) == 1:
        (only,), (bound,) = compare, numbers
        return lambda value: only(value, bound)
    (above, below), (low, high) = compare, numbers
    return lambda value: above(value, low) and below(value, high)


def _wildcard(text: str) -> Test:
    """`*` stands for any characters; found part by part, so it costs no backtracking."""
    head, *middle = _parts(text)
    if not middle:
        return head.__eq__
    tail = middle.pop()
    least = len(head) + len(tail)

    def test(value: str) -> bool:
        if len(value) < least or not (value.startswith(head) and value.endswith(tail)):
            return False
        at, end = len(head), len(value) - len(tail)
        for part in middle:
            at = value.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _parts(text: str) -> list[str]:
    """Split at the unescaped `*`; raises ValueError for what event-ruler refuses."""
    parts, characters = [""], iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in {"*", "\\"}:
                raise ValueError(r"a backslash may only escape * or a backslash")
            parts[-1] += escaped
        elif character == "*":
            parts.append("")
        else:
            parts[-1] += character
    if "" in parts[1:-1]:
        raise ValueError("two * in a row say no more than one")
    if len(parts) > MAX_WILDCARDS + 1:
        raise ValueError(f"has more than {MAX_WILDCARDS} *")
    return parts


_TEXT: Final = ("prefix", "suffix", FOLD, "wildcard")
_TEXT_TESTS: Final[dict[tuple[str, bool], Callable[[str], Test]]] = {
    ("prefix", False): lambda text: lambda value: value.startswith(text),
    ("suffix", False): lambda text: lambda value: value.endswith(text),
    ("prefix", True): lambda text: lambda value: value.casefold().startswith(text.casefold()),
    ("suffix", True): lambda text: lambda value: value.casefold().endswith(text.casefold()),
    (FOLD, False): lambda text: lambda value: value.casefold() == text.casefold(),
    ("wildcard", False): _wildcard,
}
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SIGNS: Final = {(sign,) for sign in _COMPARE} | set(product((">", ">="), ("<", "<=")))
_OPERATORS: Final[dict[str, Callable[[str, object, Path], Item]]] = {
    **dict.fromkeys(_TEXT, _text),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
}


# ---- closures ------------------------------------------------------------------------------


def _table(items: Sequence[Item], *, absent: bool) -> dict[type, Match]:
    """What a field answers, by the type of the event's value, a missing one included."""
    nothing = ABSENT if absent else False
    table: dict[type, Match] = {
        kind: _any([item[kind] for item in items if kind in item]) for kind in _SCALARS
    }

    def in_array(values: list[Any]) -> int:
        found = [value for value in _flat(values) if type(value) is not dict]
        return any(table[type(value)](value) for value in found) if found else nothing

    table[list] = in_array
    table[dict] = table[_Missing] = lambda _value: nothing
    return table


def _flat(values: list[Any]) -> Iterator[Any]:
    """The elements of arrays within arrays; a stack, for an event nests as deep as it likes."""
    stack = values[:]
    while stack:
        value = stack.pop()
        if type(value) is list:
            stack += value
        else:
            yield value


def _compile(node: _Node) -> Match:
    if _is_shared(node):
        merged = (reduce(_merge, chosen, _Node(node.fields)) for chosen in product(*node.ors))
        return _one_of([_compile(each) for each in merged])
    conditions = [match for key, asked in node.fields.items() for match in _of_field(key, asked)]
    conditions += [_one_of([_compile(each) for each in one]) for one in node.ors]
    return _all_of(conditions) if _accepts_absence(node) else _all_there(conditions)


def _of_field(key: str, asked: _Field) -> Iterator[Match]:
    for leaf in asked.leaves:
        yield _at_leaf(key, leaf.table)
    if asked.node:
        yield _at_object(key, _compile(asked.node))


def _at_leaf(key: str, table: dict[type, Match]) -> Match:
    def match(event: dict[str, Any]) -> int:
        value = event.get(key, _MISSING)
        return table[type(value)](value)

    return match


def _at_object(key: str, inside: Match) -> Match:
    nothing = ABSENT if inside({}) else False

    def match(event: dict[str, Any]) -> int:
        value = event.get(key)
        if type(value) is dict:
            return inside(value)
        if type(value) is not list:
            return nothing
        found = [inside(each) for each in _flat(value) if type(each) is dict]
        if not found:
            return nothing
        return True in found or (ABSENT if all(found) else False)

    return match


def _all_there(conditions: list[Match]) -> Match:
    """All hold; none of them can answer ABSENT."""
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) == 2:
        one, two = conditions
        return lambda event: one(event) and two(event)

    def match(event: dict[str, Any]) -> int:
        for condition in conditions:  # noqa: SIM110 - all() with a generator costs twice as much
            if not condition(event):
                return False
        return True

    return match


def _all_of(conditions: list[Match]) -> Match:
    """All hold; ABSENT when nothing but absence made them hold."""

    def match(event: dict[str, Any]) -> int:
        answers = [condition(event) for condition in conditions]
        return all(answers) and (True in answers or ABSENT)

    return match


def _one_of(alternatives: list[Match]) -> Match:
    def match(event: dict[str, Any]) -> int:
        best = 0
        for alternative in alternatives:
            answer = alternative(event)
            if answer == 1:
                return True
            best = best or answer
        return best

    return match


# ---- nodes ---------------------------------------------------------------------------------


def _children(node: _Node) -> Iterator[_Node]:
    yield from (asked.node for asked in node.fields.values() if asked.node)
    yield from (each for one in node.ors for each in one)


def _accepts_absence(node: _Node) -> bool:
    leaves = (leaf for asked in node.fields.values() for leaf in asked.leaves)
    return any(leaf.absent for leaf in leaves) or any(map(_accepts_absence, _children(node)))


def _alternatives(node: _Node) -> int:
    nested = math.prod(_alternatives(f.node) for f in node.fields.values() if f.node)
    return nested * math.prod(sum(map(_alternatives, one)) for one in node.ors)


def _is_shared(node: _Node) -> bool:
    """An object is asked for both beside and inside `$or`: the same array element must serve."""
    groups = [_object_keys(_Node(node.fields))]
    groups += [{key for each in one for key in _object_keys(each)} for one in node.ors]
    return sum(map(len, groups)) > len(set().union(*groups))


def _object_keys(node: _Node) -> set[str]:
    keys = {key for key, asked in node.fields.items() if asked.node}
    return keys.union(*(_object_keys(each) for one in node.ors for each in one))


def _merge(one: _Node, two: _Node) -> _Node:
    """Both nodes' conditions as one node."""
    fields = dict(one.fields)
    for key, asked in two.fields.items():
        known = fields.get(key, _Field([], None))
        both = _merge(known.node, asked.node) if known.node and asked.node else None
        fields[key] = _Field(known.leaves + asked.leaves, both or known.node or asked.node)
    return _Node(fields, one.ors + two.ors)


def _failures(node: _Node, event: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, asked in node.fields.items():
        for leaf in asked.leaves:
            if not _at_leaf(key, leaf.table)(event):
                missing = "" if key in event else "is missing, "
                yield f"{prefix}{key}: {missing}wanted {leaf.text}"
        if asked.node and not _at_object(key, _compile(asked.node))(event):
            yield from _inside(asked.node, event.get(key), prefix + key)
    for one in node.ors:
        if not any(_compile(each)(event) for each in one):
            failed = (" and ".join(_failures(each, event, prefix)) for each in one)
            yield f"{prefix}{OR}: no alternative holds: " + "; or ".join(failed)


def _inside(node: _Node, value: object, path: str) -> Iterator[str]:
    if isinstance(value, list):
        yield f"{path}: no element of the array holds all its conditions"
    else:
        yield from _failures(node, value if isinstance(value, dict) else {}, f"{path}.")
