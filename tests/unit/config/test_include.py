"""Included files: names of teams join those of the main file, and problems say which file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from consumer.config import Config
from consumer.config.include import folders_of
from consumer.errors import ConfigError
from consumer.operations.config_tests.cases import files_beside
from consumer.wiring.config_file import fingerprint, problems
from tests.unit.config.support import VALID, load_text

SCHEMAS = Path(__file__).parents[3] / "schemas"
MAIN = VALID + "include: [teams/*.yaml]\n"
CAFE = """
inputs:
  cafe: {topics: [cafe.sold], format: json}
campaigns:
  cafe-sms: {vendor: pisano-tr, channel: sms, id: "77"}
routes:
  - name: sold
    input: cafe
    recipient: {phone: customer.phone}
    phone_region: TR
    send: [cafe-sms]
"""


def team(folder: Path, name: str, text: str) -> Path:
    """Write a team's file."""
    file = folder / "teams" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, text: str = MAIN) -> list[str]:
    """Return file:line: path: message (hint) of each problem, files without their folder."""
    with pytest.raises(ConfigError) as error:
        load_text(text, folder)
    return [str(problem).replace(f"{folder}/teams/", "") for problem in error.value.problems]


def routes(config: Config) -> list[str]:
    return [route.name for route in config.routes]


def test_names_and_routes_of_a_team_join_those_of_the_main_file(tmp_path: Path) -> None:
    team(tmp_path, "cafe", CAFE)
    alone, config = load_text(VALID, tmp_path), load_text(MAIN, tmp_path)
    assert routes(config) == [*routes(alone), "cafe.sold"]
    assert set(config.campaigns) == {*alone.campaigns, "cafe-sms"}
    assert config.input_topics == [*alone.input_topics, "cafe.sold"]


def test_two_teams_may_choose_the_same_name_for_a_route(tmp_path: Path) -> None:
    """Their order is that of the files' names."""
    team(tmp_path, "b", CAFE.replace("cafe", "bar"))
    team(tmp_path, "a", CAFE)
    assert routes(load_text(MAIN, tmp_path))[-2:] == ["a.sold", "b.sold"]


def test_namespace_can_be_said(tmp_path: Path) -> None:
    team(tmp_path, "cafe", f"namespace: coffee\n{CAFE}")
    assert routes(load_text(MAIN, tmp_path))[-1] == "coffee.sold"


def test_sections_that_only_included_files_have_are_taken(tmp_path: Path) -> None:
    team(tmp_path, "cafe", CAFE + "policies: {late: {delay: 1h}}\n")
    assert "late" in load_text(MAIN, tmp_path).policies


def test_whole_routing_may_stand_in_included_files(tmp_path: Path) -> None:
    head = VALID[: VALID.index("campaigns:")]
    rest = VALID[VALID.index("campaigns:") : VALID.index("admin:")]
    team(tmp_path, "all", rest)
    there = load_text(head + "include: [teams/all.yaml]\n", tmp_path)
    assert routes(there) == [f"all.{name}" for name in routes(load_text(VALID, tmp_path))]


def test_contact_rule_names_routes_of_its_own_file_without_the_namespace(tmp_path: Path) -> None:
    rule = "contact_rules: {once: {at_most: 1, within: 30d, applies_to: {routes: [sold]}}}\n"
    team(tmp_path, "cafe", CAFE + rule)
    store = f"contacts: {{store: {{type: sqlite, path: {tmp_path}/c.sqlite}}}}\n"
    config = load_text(MAIN + store, tmp_path)
    assert config.contact_rules["once"].applies_to.routes == ("cafe.sold",)


def test_name_in_two_files_is_refused_with_both_places(tmp_path: Path) -> None:
    team(tmp_path, "a", CAFE)
    team(tmp_path, "b", CAFE)
    assert refused(tmp_path) == [
        "b.yaml:3: inputs.cafe: duplicate key (first in a.yaml:3)",
        "b.yaml:5: campaigns.cafe-sms: duplicate key (first in a.yaml:5)",
    ]


def test_route_twice_in_one_file_is_refused_with_both_places(tmp_path: Path) -> None:
    again = CAFE[CAFE.index("  - name") :]
    team(tmp_path, "a", CAFE + again)
    (said,) = refused(tmp_path)
    assert said.startswith("a.yaml:12: routes[")
    assert said.endswith("(first in a.yaml:7)")


def test_problem_in_an_included_file_has_its_file_and_line(tmp_path: Path) -> None:
    team(tmp_path, "cafe", CAFE.replace("[cafe-sms]", "[caffe-sms]"))
    (said,) = refused(tmp_path)
    assert said.startswith("cafe.yaml:11: routes[")
    assert "no 'caffe-sms' under `campaigns`" in said


def test_broken_yaml_of_an_included_file_has_its_file_and_line(tmp_path: Path) -> None:
    team(tmp_path, "cafe", "routes:\n  - name: 'sold\n")
    assert any(said.startswith("cafe.yaml:") for said in refused(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka: {}\n", "cafe.yaml:1: kafka: stands in the main file alone"),
        ("include: [x]\n", "cafe.yaml:1: include: stands in the main file alone"),
        ("namespace: 'a b'\n", "cafe.yaml:1: namespace: is no name"),
        ("namespace: [a]\n", "cafe.yaml:1: namespace: is no name"),
        ("campaigns: [a]\n", "cafe.yaml:1: campaigns: expected a mapping"),
        ("routes: {a: 1}\n", "cafe.yaml:1: routes: expected a list"),
    ],
)
def test_file_of_another_form_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    team(tmp_path, "cafe", text)
    assert any(said.startswith(expected) for said in refused(tmp_path))


def test_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "teams" / "cafe.yaml").mkdir(parents=True)
    assert refused(tmp_path) == ["cafe.yaml:1: (file): cannot be read: Is a directory"]


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    team(tmp_path, "cafe", "").write_bytes(b"\xff\xfea\0")
    assert any(said.startswith("cafe.yaml:1: (file): is UTF-16") for said in refused(tmp_path))


def test_pattern_that_no_file_fits_is_refused(tmp_path: Path) -> None:
    assert any("no file fits 'teams/*.yaml'" in said for said in refused(tmp_path))


@pytest.mark.parametrize("include", ["teams/*.yaml", "[7]", "{a: b}"])
def test_include_of_another_type_is_refused(include: str, tmp_path: Path) -> None:
    said = refused(tmp_path, f"{VALID}include: {include}\n")
    assert any(": include" in one for one in said)


def test_wrong_type_in_the_main_file_is_said_of_the_main_file(tmp_path: Path) -> None:
    team(tmp_path, "cafe", CAFE)
    head = VALID[: VALID.index("campaigns:")]
    said = refused(tmp_path, f"{head}campaigns: 7\nroutes: 8\ninclude: [teams/*.yaml]\n")
    assert any(one.startswith("config.yaml:") and " campaigns: " in one for one in said)
    assert any(one.startswith("config.yaml:") and " routes: " in one for one in said)


def test_tests_beside_an_included_file_are_found_and_not_included(tmp_path: Path) -> None:
    main = tmp_path / "routing.yaml"
    main.write_text("include: [teams/*.yaml]\n")
    team(tmp_path, "cafe", CAFE)
    tests = team(tmp_path, "cafe.tests", "tests: {}\n")
    assert files_beside(main) == [tests]
    assert folders_of(Path("-")) == [Path()]


def test_change_of_an_included_file_is_noticed(tmp_path: Path) -> None:
    """Also of a secret that it names, and of a file that is new."""
    main = tmp_path / "routing.yaml"
    main.write_text("include: [teams/*.yaml]\n")
    file = team(tmp_path, "cafe", CAFE)
    seen = [fingerprint(main)]
    for change in (
        lambda: file.write_text(CAFE + "tables: {stores: {file: stores.csv, key: id}}\n"),
        lambda: (tmp_path / "stores.csv").write_text("id\n7\n"),
        lambda: team(tmp_path, "bar", ""),
        lambda: (tmp_path / "teams" / "bar.yaml").rename(tmp_path / "teams" / "pub.yaml"),
    ):
        change()
        seen.append(fingerprint(main))
    assert len(set(seen)) == 5
    assert fingerprint(main) == seen[-1]


def test_later_problems_have_the_included_files_lines(tmp_path: Path) -> None:
    """Those that are found once the config has been read."""
    main = tmp_path / "routing.yaml"
    main.write_text("include: [teams/*.yaml]\n")
    team(tmp_path, "cafe", CAFE)
    (said,) = problems(main, [("campaigns", "cafe-sms", "id")], "is not known")
    assert (Path(said.file).name, said.line) == ("cafe.yaml", 5)


def test_version_of_a_config_is_not_changed_by_how_it_is_divided(tmp_path: Path) -> None:
    team(tmp_path, "cafe", CAFE)
    one = load_text(MAIN, tmp_path).config_version
    team(tmp_path, "cafe", "")
    team(tmp_path, "coffee", f"namespace: cafe\n{CAFE}")
    said = VALID + "include: [teams/coffee.yaml]\n"
    assert load_text(said, tmp_path).config_version == one


def test_schema_for_editors_takes_what_an_included_file_may_have() -> None:
    schema = json.loads((SCHEMAS / "routing-config-included.schema.json").read_text())
    validator = Draft202012Validator(schema)
    assert list(validator.iter_errors(YAML(typ="safe").load(CAFE))) == []
    assert list(validator.iter_errors({"kafka": {"bootstrap.servers": "localhost:9092"}}))
