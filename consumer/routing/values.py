"""Values out of an event: JMESPath (jmespath.org), with plain dotted paths compiled to getters.

The interpreter is the router's one hot spot, and nearly all expressions are plain paths.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jmespath
import orjson
from jmespath import exceptions, functions, visitor

Value = Callable[[dict[str, Any]], object]

_FAILURES = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
)
"""What an expression may raise on foreign data: JMESPath's own errors are ValueErrors, and its
interpreter lets Python's own out (`'a' < 1`, a step of 0)."""


def compile_value(expression: str) -> Value:
    """Compile a JMESPath expression to a function of the event (an object as orjson reads it).

    Raises ValueError, naming the position where there is one, for a bad expression, and for an
    unknown function or a wrong number of arguments, which JMESPath would only find at run time.
    An expression that fails on an event (a function's argument has the wrong type) is null: the
    error would carry the event's data, and one odd event must not stop a route.
    """
    tree = _parse(expression)
    keys = _plain_path(tree)
    if keys:
        return _getter(keys)
    _check(tree, expref_allowed=False)
    visit = visitor.TreeInterpreter().visit

    def interpret(event: dict[str, Any]) -> object:
        try:
            return visit(tree, event)
        except _FAILURES:
            return None

    return interpret


def as_text(value: object) -> str | None:
    """A value as the vendors take it; None (null, or not JSON at all) means: omit the key.

    Text as it is, true and false as words, numbers as their JSON text, the rest as compact JSON.
    """
    if type(value) is str:
        return value
    if value is None:
        return None
    if type(value) is int:
        return str(value)  # orjson stops at 64 bits
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        return None
    return None if text == "null" else text  # NaN, which `to_number('nan')` makes


def _parse(expression: str) -> Any:
    """The expression's syntax tree; errors in one line, with the position."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PendingDeprecationWarning)
        try:
            return jmespath.compile(expression).parsed
        except PendingDeprecationWarning:
            raise ValueError("a literal in backticks must be JSON; write text as 'text'") from None
        except exceptions.IncompleteExpressionError:
            raise ValueError(f"ends too early, at position {len(expression)}") from None
        except exceptions.LexerError as error:
            raise ValueError(f"{error.message} at position {error.lexer_position}") from None
        except exceptions.ParseError as error:
            raise ValueError(f"{error.msg} at position {error.lex_position}") from None
        except exceptions.JMESPathError as error:
            raise ValueError(str(error)) from None


def _plain_path(tree: Any) -> list[str]:
    """The keys of `a.b.c`, or nothing when the expression is more than that."""
    nodes = tree["children"] if tree["type"] == "subexpression" else [tree]
    return [n["value"] for n in nodes] if all(n["type"] == "field" for n in nodes) else []


def _getter(keys: list[str]) -> Value:
    """Like JMESPath: a key of anything but an object is null."""
    if len(keys) == 1:
        (only,) = keys
        return lambda event: event.get(only)
    if len(keys) == 2:
        return _getter2(*keys)
    if len(keys) == 3:
        return _getter3(*keys)
    first, *rest = keys

    def get(event: dict[str, Any]) -> object:
        value = event.get(first)
        for key in rest:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    return get


def _getter2(one: str, two: str) -> Value:
    def get(event: dict[str, Any]) -> object:
        value = event.get(one)
        return value.get(two) if isinstance(value, dict) else None

    return get


def _getter3(one: str, two: str, three: str) -> Value:
    def get(event: dict[str, Any]) -> object:
        value = event.get(one)
        if not isinstance(value, dict):
            return None
        value = value.get(two)
        return value.get(three) if isinstance(value, dict) else None

    return get


def _check(tree: Any, *, expref_allowed: bool) -> None:
    """Refuse what can only fail: unknown functions, wrong arity, `&x` outside an argument."""
    if tree["type"] == "expref" and not expref_allowed:
        raise ValueError("`&` may only stand before a function's argument")
    is_call = tree["type"] == "function_expression"
    if is_call:
        _check_call(tree["value"], len(tree["children"]))
    for child in _subtrees(tree):
        _check(child, expref_allowed=is_call)


def _subtrees(tree: Any) -> Iterator[Any]:
    """A slice's children are numbers, all others are trees."""
    return (child for child in tree["children"] if isinstance(child, dict))


def _check_call(name: str, given: int) -> None:
    known = functions.Functions.FUNCTION_TABLE
    if name not in known:
        raise ValueError(f"unknown function {name}()")
    signature = known[name]["signature"]
    more = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not more):
        least = "at least " if more else ""
        raise ValueError(f"{name}() takes {least}{len(signature)} arguments, not {given}")
