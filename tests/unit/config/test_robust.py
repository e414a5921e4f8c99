"""Whatever stands in a config: a Config or a ConfigError comes out, and no secret ever."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumer.config import config_schema, load
from consumer.config.source import parse
from consumer.errors import ConfigError
from tests.unit.config.support import ENV, HERE, RADAR_PASSWORD, SECRETS, VALID

TREE = parse(VALID, "valid").tree
PATHS = [path for path in parse(VALID, "valid").lines if path]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["${env:PISANO_TOKEN}", "${file:radar-password}", "${", "pisano", "sms"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def refusal(text: str, folder: Path) -> ConfigError | None:
    """Why a text is no config; None if it is one."""
    try:
        load(text, env=ENV, base=folder)
    except ConfigError as refused:
        return refused
    return None


@settings(max_examples=60)
@given(edits=st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_any_edit_gives_a_config_or_named_problems(
    edits: list[tuple[tuple[str, ...], object]],
) -> None:
    tree = json.loads(json.dumps(TREE))
    for path, value in edits:
        place = tree
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "radar-password").write_text(RADAR_PASSWORD, encoding="utf-8")
        refused = refusal(json.dumps(tree), Path(folder))
    if refused is not None:
        assert refused.problems
        assert not any(secret in str(refused) for secret in SECRETS)


@settings(max_examples=150)
@given(text=st.text(max_size=40) | st.text("ab:{}[]-&*!|>'\"%@`#\n \t,?<", max_size=40))
def test_any_text_gives_problems(text: str) -> None:
    refused = refusal(text, Path())
    assert refused is not None
    assert all(problem.line >= 1 for problem in refused.problems)


def test_the_json_schema_accepts_the_examples_and_describes_every_key() -> None:
    validator = Draft202012Validator(config_schema())
    for name in ("example.yaml", "valid.yaml"):
        tree = parse((HERE / name).read_text(encoding="utf-8"), name).tree
        assert [error.message for error in validator.iter_errors(tree)] == []
    for name, model in config_schema()["$defs"].items():
        for key, field in model.get("properties", {}).items():
            assert "description" in field or "$ref" in field, f"{name}.{key}"


def test_the_json_schema_refuses_what_is_unknown() -> None:
    tree = json.loads(json.dumps(TREE))
    tree["quotas"]["radar"]["limit"] = []
    assert not Draft202012Validator(config_schema()).is_valid(tree)
