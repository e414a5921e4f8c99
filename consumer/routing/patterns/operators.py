"""Compiles one value of a pattern's list, a scalar or `{operator: argument}`, to what it accepts.

Any error in a value is raised as `PatternError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import product
from typing import Any, Final

from consumer.errors import DispatcherError
from consumer.routing.patterns.scalars import (
    COMPARE,
    FOLD,
    TEXT_TESTS,
    Item,
    any_of,
    anything,
    exact,
    kind_of,
    negated,
    within,
)

Path = tuple[str | int, ...]

_TEXT: Final = ("prefix", "suffix", FOLD, "wildcard")
_SIGNS: Final = {(sign,) for sign in COMPARE} | set(product((">", ">="), ("<", "<=")))


class PatternError(DispatcherError):
    """One error of a pattern: where, what, and what was probably meant (or "")."""

    def __init__(self, path: Path, message: str, hint: str = "") -> None:
        self.path, self.message, self.hint = path, message, hint
        where = ".".join(map(str, path)) or "pattern"
        super().__init__(f"{where}: {message}" + (f" ({hint})" if hint else ""))


def scalar(value: object, path: Path) -> object:
    """Convert a value of the pattern for comparison: without the YAML reader's own types."""
    kind = kind_of(value)
    if kind is None:
        raise PatternError(path, "expected text, a finite number, true, false or null")
    return str(value) if kind is str else value


def operation(raw: Mapping[Any, object], path: Path) -> Item:
    """Compile one `{operator: argument}`; empty for `exists: false`, which no value matches."""
    if len(raw) != 1:
        raise PatternError(path, "expected one operator", "several values go into the list")
    name, argument = next(iter(raw.items()))
    if name not in _OPERATORS:
        raise PatternError((*path, name), "unknown operator", _nearest(name))
    return _OPERATORS[name](name, argument, (*path, name))


def is_operation(value: Mapping[Any, object]) -> bool:
    """Tell whether an object is a valid `{operator: argument}`, hence hardly a field."""
    if len(value) != 1 or next(iter(value)) not in _OPERATORS:
        return False
    try:
        operation(value, ())
    except PatternError:
        return False
    return True


def _nearest(name: object) -> str:
    close = get_close_matches(str(name), _OPERATORS, 1)
    return f"did you mean `{close[0]}`?" if close else "known: " + ", ".join(_OPERATORS)


def _exists(_name: str, argument: object, path: Path) -> Item:
    if not isinstance(argument, bool):
        raise PatternError(path, "takes true or false")
    return anything() if argument else {}


def _numeric(_name: str, argument: object, path: Path) -> Item:
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        raise PatternError(path, "takes one or two comparisons", 'as [">", 0, "<=", 5]')
    signs, numbers = [str(sign) for sign in argument[::2]], argument[1::2]
    if tuple(signs) not in _SIGNS:
        raise PatternError(path, "compares with =, or >, >=, <, <=, the lower bound first")
    if any(kind_of(number) is not int for number in numbers):
        raise PatternError(path, "compares with finite numbers only")
    test = within(signs, numbers)
    if len(numbers) == 2 and not numbers[0] < numbers[1] and not test(numbers[0]):
        raise PatternError(path, "is an empty range and never matches")
    return {int: test, float: test}


def _text(name: str, argument: object, path: Path) -> Item:
    """Compile `prefix`, `suffix`, `equals-ignore-case` and `wildcard`: strings only."""
    folded = isinstance(argument, Mapping) and set(argument) == {FOLD}
    if isinstance(argument, Mapping) and folded:
        argument = argument[FOLD]
    make = TEXT_TESTS.get((name, folded))
    if make is None or not isinstance(argument, str):
        raise PatternError(path, "takes text")
    try:
        return {str: make(str(argument))}
    except ValueError as error:
        raise PatternError(path, str(error)) from None


def _anything_but(_name: str, argument: object, path: Path) -> Item:
    """Accept any scalar, of any type, that the argument does not match; a missing field fails."""
    excluded = _excluded(argument, path)
    return anything() | {kind: negated(test) for kind, test in excluded.items()}


def _excluded(argument: object, path: Path) -> Item:
    if not isinstance(argument, Mapping):
        return exact([scalar(value, path) for value in _some(argument, path)])
    name = next(iter(argument), None)
    if len(argument) != 1 or name not in _TEXT:
        raise PatternError(path, "takes values, or one of: " + ", ".join(_TEXT))
    path = (*path, str(name))
    values = _some(argument[name], path)
    if name in {"prefix", "suffix"} and "" in values:
        raise PatternError(path, "must not be empty here: it would exclude all text")
    return {str: any_of([_text(str(name), value, path)[str] for value in values])}


def _some(argument: object, path: Path) -> list[Any]:
    values = argument if isinstance(argument, list) else [argument]
    if not values:
        raise PatternError(path, "excludes nothing")
    return values


_OPERATORS: Final[Mapping[str, Callable[[str, object, Path], Item]]] = {
    **dict.fromkeys(_TEXT, _text),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
}
