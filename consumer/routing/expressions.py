"""Reads values from an event: JMESPath (jmespath.org), with plain dotted paths compiled to getters.

The interpreter is the router's one hot spot, and nearly all expressions are plain paths.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import jmespath
from jmespath import exceptions, visitor

from consumer.routing import lookup
from consumer.routing.decoding.digits import DigitsLostError, Exact
from consumer.routing.functions import ExactFunctions, Functions
from consumer.routing.lookup import NO_TABLES, Tables

Value = Callable[[dict[str, Any]], object]

_FAILURES = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    MemoryError,
)
"""Errors that an expression may raise on foreign data. JMESPath's own are ValueErrors; its
interpreter also lets Python's through (`'a' < 1`, a step of 0)."""

_TOKENS = {
    "UNQUOTED_IDENTIFIER": "name",
    "QUOTED_IDENTIFIER": "name in quotes",
    "NUMBER": "number",
    "LITERAL": "literal",
}
"""Tokens that messages name but never repeat: a misplaced secret may be one."""
_NO_JSON = "a literal in backticks must be JSON; write text as 'text'"
_NAMES = 'a name of more than A-Z a-z 0-9 _ stands in double quotes, as in a."b-c"'


KAFKA: Final = "$kafka"
"""Name under which an expression finds what Kafka says of a record."""
ITEM: Final = "$item"
"""Name under which it finds the item of `for_each`. JMESPath wants both in quotes."""

_OURS: Final = re.compile(
    r"""
      '(?:[^'\\]|\\.)*' | `(?:[^`\\]|\\.)*` | "(?:[^"\\]|\\.)*"   # texts and names in quotes
    | (?P<name>\$(?:kafka|item)\b)
    """,
    re.VERBOSE,
)


def with_names_quoted(expression: str) -> str:
    """Return the expression with `$kafka` and `$item` in the quotes that JMESPath wants."""
    if "$" not in expression:
        return expression
    return _OURS.sub(lambda found: f'"{found[0]}"' if found["name"] else found[0], expression)


def compile_value(expression: str, tables: Tables = NO_TABLES, *, exact: bool = False) -> Value:
    """Compile a JMESPath expression to a function of the event (an object as orjson reads it).

    `tables`: what `lookup()` reads. `exact`: the function raises DigitsLostError where it would
    make text of a double, unless the event is `Exact`. Equal expressions share one function, but
    for those with `lookup()`: a cache would keep the tables of former configs.

    Raises ValueError for a bad expression, also for an unknown function or a wrong number of
    arguments, which JMESPath would only find at run time. Its message is a plain sentence with the
    position, if there is one, counted from 0 in characters.

    An expression that fails on an event (a function's argument has the wrong type) is null: the
    error would carry the event's data, and one odd event must not stop a route.
    """
    if lookup.FUNCTION in expression:
        return _compile(expression, tables, exact)
    return _compile_shared(expression, exact)


@lru_cache(maxsize=1_000)
def _compile_shared(expression: str, exact: bool) -> Value:
    return _compile(expression, NO_TABLES, exact)


def _compile(expression: str, tables: Tables, exact: bool) -> Value:
    try:
        tree = syntax_tree(expression)
        _check(tree, expref_allowed=False)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    keys = _keys_of(tree)
    if keys:
        return _getter(keys)
    as_it_is = _interpreter(tree, Functions(tables))
    return _exact(_interpreter(tree, ExactFunctions(tables)), as_it_is) if exact else as_it_is


def _interpreter(tree: Any, functions: Functions) -> Value:
    visit = visitor.TreeInterpreter(jmespath.Options(custom_functions=functions)).visit

    def interpret(event: dict[str, Any]) -> object:
        try:
            return visit(tree, event)
        except _FAILURES:
            return None

    return interpret


def _exact(interpret: Value, as_it_is: Value) -> Value:
    """Take doubles as they are only where the event has no better: its sums, and odd records."""

    def interpret_exactly(event: dict[str, Any]) -> object:
        try:
            return interpret(event)
        except DigitsLostError:
            if type(event) is not Exact:
                raise
            return as_it_is(event)

    return interpret_exactly


def plain_path(expression: str) -> list[str]:
    """Return the keys of `a.b.c`, or an empty list if a valid expression is more than that."""
    return _keys_of(syntax_tree(expression))


def needs_digits(expression: str) -> bool:
    """Tell whether an expression may turn numbers into text, which needs their original digits.

    A key of `lookup()` is text, too.
    """
    return "to_string" in expression or lookup.FUNCTION in expression


def syntax_tree(expression: str) -> Any:
    """Parse an expression to its syntax tree; raises ValueError with a plain sentence."""
    expression = with_names_quoted(expression)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PendingDeprecationWarning)
        try:
            return jmespath.compile(expression).parsed
        except PendingDeprecationWarning:
            raise ValueError(_NO_JSON) from None
        except exceptions.EmptyExpressionError:
            raise ValueError("must not be empty") from None
        except exceptions.LexerError as error:
            raise ValueError(_no_token(expression, error)) from None
        except exceptions.ParseError as error:
            raise ValueError(_misplaced(expression, error)) from None


def _no_token(expression: str, error: exceptions.LexerError) -> str:
    """Return the message for characters that form no token."""
    at = error.lexer_position
    opening = expression[at]
    if error.message.startswith("Unclosed"):
        return f"the quote {opening} at position {at} is never closed"
    if opening == "`":
        return _NO_JSON
    if opening == '"':
        return f"the name in quotes at position {at} has a bad escape or a control character"
    if opening == "=":
        return f"unexpected '=' at position {at}; write == to compare"
    return f"unexpected character at position {at}; {_NAMES}"


def _misplaced(expression: str, error: exceptions.ParseError) -> str:
    """Return the message for a token that is not allowed at its place."""
    at, kind = error.lex_position, error.token_type
    if kind in {None, "EOF"}:
        return f"ends too early, at position {len(expression)}"
    if error.msg.startswith("Quoted identifier"):  # its position is not the token's
        return "a function's name must not be in quotes"
    if error.msg.startswith("Invalid function name"):
        return f"what ends at position {at} is not a function's name"
    found = _TOKENS.get(kind, f"'{error.token_value}'")
    return f"unexpected {found} at position {at}"


def _keys_of(tree: Any) -> list[str]:
    nodes = tree["children"] if tree["type"] == "subexpression" else [tree]
    return [n["value"] for n in nodes] if all(n["type"] == "field" for n in nodes) else []


def _getter(keys: list[str]) -> Value:
    """Compile a path to a getter. As in JMESPath, a key of anything but an object is null."""
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
    """Return the subtrees of a node. A slice's children are numbers, all others are trees."""
    return (child for child in tree["children"] if isinstance(child, dict))


def _check_call(name: str, given: int) -> None:
    known = Functions.FUNCTION_TABLE
    if name not in known:
        raise ValueError(f"unknown function {name}()")
    signature = known[name]["signature"]
    more = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not more):
        least = "at least " if more else ""
        raise ValueError(f"{name}() takes {least}{len(signature)} arguments, not {given}")
