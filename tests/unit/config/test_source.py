"""YAML text → tree: JSON's types, YAML 1.2, and the line of everything."""

from __future__ import annotations

import pytest

from consumer.config.durations import duration_text, parse_duration, parse_limit
from consumer.config.source import parse
from consumer.errors import ConfigError
from consumer.lane.state.settings import Limit


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("21:00", "21:00"),
        ("2026-11-22", "2026-11-22"),
        ("0012", 12),
        ("7547e12", 7547e12),
        ("true", True),
        ("~", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("=", "="),
        (">-\n  folded\n  text", "folded text"),
    ],
)
def test_scalars_are_read_as_yaml_1_2(written: str, value: object) -> None:
    assert parse(f"key: {written}\n", "f").tree == {"key": value}


def test_lines_are_those_of_keys_and_items() -> None:
    source = parse("a:\n  b: {c: 1,\n    d: 2}\n  e:\n    - x\n    - y: z\n", "f")
    lines = {".".join(map(str, path)): line for path, line in source.lines.items() if path}
    assert lines == {
        "a": 1,
        "a.b": 2,
        "a.b.c": 2,
        "a.b.d": 3,
        "a.e": 4,
        "a.e.0": 5,
        "a.e.1": 6,
        "a.e.1.y": 6,
    }


def test_anchors_and_merges_are_followed_and_own_keys_go_first() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &a {z: 3}\nc:\n  <<: *a\n  z: 4\nd: {<<: [*a, {w: 5, z: 6}]}\n"
    tree = parse(text, "f").tree
    assert tree == {"a": {"x": 1, "y": 2}, "b": {"z": 3}, "c": {"z": 4}, "d": {"z": 3, "w": 5}}


def test_all_duplicate_keys_are_found_at_once() -> None:
    problems = parse("a: 1\nb: {c: 1, c: 2}\na: 2\n", "f").problems
    assert [str(problem) for problem in problems] == [
        "f:2: b.c: duplicate key (first in line 2)",
        "f:3: a: duplicate key (first in line 1)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: \x07", "f:1: (top level): a character that YAML does not allow"),
        ("a: !x!y z", "f:1: (top level): custom tags are not supported (quote a text that begins"),
        ("a: {b: 1\nc: 2\n", "f:1: (top level): the { that opens here is not closed"),
        ("a: 'x\n\n", "f:1: (top level): a quote is left open in this line (noticed in line 3)"),
        ("a: " + "[" * 150 + "]" * 150, "f:1: a: nested too deeply"),
        ("a: " + "[" * 2000, "f:1: (top level): not readable as YAML: nested too deeply"),
        (
            "".join(
                f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9 if i else 'x')}]\n" for i in range(9)
            ),
            "more than 100000 values",
        ),
    ],
)
def test_what_has_no_tree_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "f")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("!!binary aGk=", "custom tags are not supported"),
        ("!!int abc", "this is not what its tag says"),
        (".inf", "not a number"),
        ("0x" + "f" * 100, "too large a number"),
        ("{[a]: b}", "a key must be text"),
        ("{<<: 5}", "`<<` takes an alias of a mapping"),
        ("&a {<<: *a, x: 1}", "nested too deeply"),
    ],
)
def test_what_json_has_not_is_refused(value: str, problem: str) -> None:
    try:
        problems = parse(f"\nkey: {value}\n", "f").problems
    except ConfigError as refused:
        problems = list(refused.problems)
    assert [(each.line, each.message.startswith(problem)) for each in problems] == [(2, True)]


@pytest.mark.parametrize(
    ("text", "message", "shown"),
    [
        ("a:\n\tb: 1\n", "a tab stands where only spaces may", " b: 1\n^"),
        ("a: 1\n b: 2\n", "this key cannot stand here", " b: 2\n  ^"),
        ("a:\n  b: 1\n c: 2\n", "this line is indented unlike those beside it", " c: 2\n ^"),
        (" a: 1\nb: 2\n", "this line is indented unlike the first one", "b: 2\n^"),
        ("a: x: y\n", "a second colon in one line", "a: x: y\n    ^"),
        ("a: 1\nb\nc: 2\n", "a key without a colon", "c: 2\n^"),
        ("a: @x\n", "a text that begins with @ must stand in quotes", "a: @x\n   ^"),
        ("a: `x`\n", "a text that begins with ` must stand in quotes", "a: `x`\n   ^"),
        ("a: %x\n", "a text that begins with % must stand in quotes", "a: %x\n   ^"),
        ("a: *\n", "a text that begins with * or & must stand in quotes", "a: *\n    ^"),
        ("a: &\n", "a text that begins with * or & must stand in quotes", "a: &\n    ^"),
        ("a: *x\n", "an alias without an anchor", "a: *x\n   ^"),
        ("a: >= 100\n", "a text that begins with > or | must", "a: >= 100\n    ^"),
        ("a: |x\n", "a text that begins with > or | must stand in quotes", "a: |x\n    ^"),
        ("a: !<x y\n", "custom tags are not supported", "a: !<x y\n      ^"),
        ("- a\nb: 1\n", "keys and items of a list cannot stand in one column", "b: 1\n^"),
        ("a: - b\n", "a list cannot begin here", "a: - b\n   ^"),
        ('a: "\\d"\n', "in double quotes a backslash begins an escape", 'a: "\\d"\n     ^'),
        ("a: [1, 2\nb: 3\n", "the [ that opens here is not closed", "a: [1, 2\n   ^"),
        ("a: {b: [1}\n", "the [ that opens here is not closed", "a: {b: [1}\n       ^"),
        ("a: [\n", "the text ends before a [ or { is closed", "\n^"),
        ("a: ]\n", "nothing opened the ] that stands here", "a: ]\n   ^"),
        ("a: [b]]\n", "nothing opened the ] that stands here", "a: [b]]\n      ^"),
        ("a: [1,,2]\n", "a comma without a value before it", "a: [1,,2]\n      ^"),
        ("a: 'it's'\n", "something stands behind the end of a quoted text", "a: 'it's'\n       ^"),
        ('a: "x" y\n', "something stands behind the end of a quoted text", 'a: "x" y\n       ^'),
        ('a: "x\nb: "y"\n', "a quote is left open in this line", 'a: "x\n   ^'),
        ("a: 1\n---\nb: 2\n", "a second document begins here", "---\n^"),
        ("a: \x07\n", "a character that YAML does not allow (U+0007)", "a:  \n   ^"),
    ],
)
def test_a_syntax_error_is_said_in_a_configs_words_with_a_caret(
    text: str, message: str, shown: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "f")
    (problem,) = refused.value.problems
    assert problem.message.startswith(message)
    lines = problem.excerpt.split("\n")
    assert "\n".join(line[len("    1 | ") :] for line in lines) == shown
    assert int(lines[0].partition("|")[0]) == problem.line


@pytest.mark.parametrize(
    "text",
    [
        "password: *hunter2hunter2\n",
        "password: hunter2: x\n",
        "a: {sasl.password: hunter2, b: c: d}\n",
        "url: http://ada:hunter2@h: x\n",
        "a: |\n  BEGIN\n hunter2\n",
        'X-Api-Key: "hunter2\nb: "c"\n',
    ],
)
def test_a_syntax_error_does_not_repeat_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "f")
    assert refused.value.problems[0].excerpt
    assert "hunter2" not in str(refused.value)


def test_merges_of_merges_are_bounded() -> None:
    """24 levels of two aliases each are 16 million pairs of one key."""
    levels = "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 24))
    with pytest.raises(ConfigError, match="more than 100000 values"):
        parse("a0: &a0 {x: 1}\n" + levels, "f")


def test_a_syntax_error_does_not_repeat_a_long_text() -> None:
    with pytest.raises(ConfigError) as refused:
        parse("password: *hunter2hunter2\n", "f")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("0s", 0.0),
        ("90s", 90.0),
        ("10m", 600.0),
        ("72h", 259_200.0),
        ("7d", 604_800),
    ],
)
def test_durations_are_seconds(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("written", ["", "10", "1.5s", "-1s", "1 s", "1w", "s", "1s\n", "١s", 10])
def test_other_durations_are_refused(written: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(written)


def test_a_limit_is_calls_in_a_period() -> None:
    assert parse_limit("160/625s") == Limit(160, 625.0)
    for wrong in ("20", "0/5s", "20/5", "20/0s", "/5s", 20):
        with pytest.raises(ValueError, match="expected"):
            parse_limit(wrong)
