"""Lookup tables of a config: files, `lookup()` in expressions, and the config's version."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from consumer.config import load
from consumer.config.changes import compare
from consumer.config.table_files import paths_named, read_table
from consumer.errors import ConfigError
from tests.unit.config.support import ENV, VALID, load_text
from tests.unit.config.tables import LOOKUP, SECRET, SECTION, STORES, TEXT, line_of, loaded, refused

# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (STORES.encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        (STORES.encode("cp1254"), "is not UTF-8 text: save it as UTF-8"),
        (b"store_id\n1\0\n", "holds zero bytes, as UTF-16 text does: save it as UTF-8"),
    ],
)
def test_other_encodings_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    line = line_of(TEXT, "  stores:")
    assert refused(tmp_path, stores=content) == [
        f"config.yaml:{line}: tables.stores.file: the file stores.csv {said}"
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("none.csv", "the file none.csv cannot be read: No such file or directory"),
        ("'.'", "cannot be read: Is a directory"),
        ('"a\\0b"', "has no name that a file can have"),
        ('"${file:stores.csv}"', "this is the file's content (write the path alone: stores.csv)"),
        ("''", "must not be empty"),
        ("5", "expected text, but YAML reads 5 as a number"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_by_its_place(
    file: str, said: str, tmp_path: Path
) -> None:
    text = TEXT.replace("file: stores.csv", f"file: {file}")
    (problem,) = refused(tmp_path, text)
    assert problem.startswith(f"config.yaml:{line_of(text, '  stores:')}: tables.stores.file: ")
    assert said in problem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key: store_id", "key: [a]", "tables.stores.key: expected text"),
        ("{file: stores.csv, key: store_id}", "[]", "tables.stores: expected a mapping"),
        ("{file: stores.csv, key: store_id}", "{}", "tables.stores.file: is required"),
        (", key: store_id", "", "tables.stores.key: is required"),
        ("store_id}", 'store_id, delimiter: ":"}', "delimiter: expected ',', ';', '|' or 'tab'"),
        ("  stores:", "  a b:", "tables.a b: this name cannot be used"),
    ],
)  # fmt: skip
def test_a_bad_section_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = VALID + SECTION.replace(old, new)
    assert [problem for problem in refused(tmp_path, text) if said in problem]


# -- lookups --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "lookup('store', a, 'city')",
            "lookup(): no table 'store' under `tables` (did you mean 'stores'? there are: stores)",
        ),
        (
            "a || lookup('stores', a, 'citi')",
            "lookup(): no column 'citi' in table 'stores' (did you mean 'city'? COLUMNS)",
        ),
        (
            "lookup('stores', lookup('x', a, b), c)",
            "lookup(): no table 'x' under `tables` (there are: stores)",
        ),
        (
            "lookup(`[1]`, a, 'city')",
            "lookup(): a table's name must be text under `tables` (there are: stores)",
        ),
        (
            "lookup('stores', a, `{}`)",
            "lookup(): a column's name must be text in table 'stores' (COLUMNS)",
        ),
        ("lookup('stores', a)", "not a JMESPath expression: lookup() takes 3 arguments, not 2"),
    ],
)
@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("locationDisplayId: ", "routes[1].data.locationDisplayId"),
        ("metadata: {Basket: ", "routes[1].data.metadata.Basket"),
        ("recipient: {email: ", "routes[1].recipient.email"),
        ("event: {id: ", "inputs.pos.event.id"),
    ],
)
def test_a_literal_that_names_nothing_is_refused_at_its_place(
    expression: str, said: str, place: str, path: str, tmp_path: Path
) -> None:
    before, _, after = TEXT.rpartition(place)
    end = "\n" if place == "locationDisplayId: " else min("},", key=lambda c: after.find(c) % 999)
    text = before + place + f'"{expression}"' + after[after.index(end) :]
    line = line_of(text, expression)
    said = said.replace("COLUMNS", "there are: store_id, location_id, city")
    assert f"config.yaml:{line}: {path}: {said}" in refused(tmp_path, text)


def test_policies_splits_and_persons_are_checked_too(tmp_path: Path) -> None:
    wrong = "\"lookup('x', a, 'b')\""
    policy = (
        f"policy: {{timezone: [{wrong}, \"'UTC'\"], consent: {{sms: {wrong}}}, "
        f"customer_since: {{at: {wrong}, at_least: 1d}}, "
        f"sample: {{rate: 0.5, salt: s, by: {wrong}}}}}"
    )
    text = TEXT.replace("policy: {expire_after: 72h}", policy)
    split = f"[{{split: {{purchase-sms: 1, purchase-email: 1}}, by: {wrong}}}]"
    text = text.replace("[purchase-sms, purchase-email]", split)
    text = text.replace("format: json}", f"format: json, person: {{id: {wrong}}}}}")
    problems = refused(tmp_path, text)
    assert all("no table 'x'" in problem for problem in problems)
    assert [problem.split(": ")[1] for problem in problems] == [
        "inputs.web.person.id",
        "routes[0].send[0].by",
        "routes[0].policy.consent.sms",
        "routes[0].policy.customer_since.at",
        "routes[0].policy.sample.by",
        "routes[0].policy.timezone[0]",
    ]


def test_columns_of_a_file_that_cannot_be_read_are_not_asked_for(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, stores="")
    assert problem.startswith("stores.csv:1: ")


def test_names_that_are_computed_are_taken(tmp_path: Path) -> None:
    config = loaded(tmp_path, TEXT.replace(LOOKUP, "lookup(a.table, b, c.column)"))
    assert config.warnings == ()


def test_a_name_without_quotes_and_an_unused_table_are_warned_of(tmp_path: Path) -> None:
    config = loaded(tmp_path, TEXT.replace(LOOKUP, "lookup(stores, a, 'none')"))
    (warning,) = config.warnings
    assert (warning.path, warning.message, warning.hint) == (
        "routes[1].data.locationDisplayId",
        "stores is a field here, not a table",
        "a table's name has quotes: 'stores'",
    )
    (warning,) = loaded(tmp_path, VALID + SECTION).warnings
    assert (warning.path, warning.message) == ("tables.stores", "nothing uses this")
    more = "  more: {file: stores.csv, key: location_id}\n"
    (warning,) = loaded(tmp_path, TEXT + more).warnings
    assert warning.path == "tables.more"


# -- version --------------------------------------------------------------------------------------


def test_content_changes_the_version_and_the_path_does_not(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    changed = loaded(tmp_path, stores=STORES + "0044,van-1,Van\n")
    assert before.config_version != changed.config_version
    assert not compare(before, changed).nothing
    (tmp_path / "other.csv").write_text(STORES, encoding="utf-8")
    moved = load_text(TEXT.replace("file: stores.csv", "file: other.csv"), tmp_path)
    assert moved.config_version == before.config_version
    keyed = loaded(tmp_path, TEXT.replace("key: store_id", "key: location_id"))
    assert keyed.config_version not in (before.config_version, changed.config_version)


def test_tables_are_read_without_secrets(tmp_path: Path) -> None:
    version = loaded(tmp_path).config_version
    assert load(TEXT, base=tmp_path, secrets=False).config_version == version
    with pytest.raises(ConfigError, match="no column 'citi'"):
        load(TEXT.replace("'location_id'", "'citi'"), base=tmp_path, secrets=False)
    hidden = TEXT.replace("file: stores.csv", 'file: "${env:STORES}"')
    assert load(hidden, base=tmp_path, secrets=False, env={}).tables["stores"].content.rows == {}


def test_a_path_from_a_variable_is_not_repeated(tmp_path: Path) -> None:
    text = TEXT.replace("file: stores.csv", 'file: "${env:STORES_FOLDER}/none.csv"')
    with pytest.raises(ConfigError) as refusal:
        load_text(text, tmp_path, {**ENV, "STORES_FOLDER": "somewhere"})
    assert "${env:STORES_FOLDER}/none.csv cannot be read" in str(refusal.value)
    assert "somewhere" not in str(refusal.value)


def test_a_key_from_a_variable_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "stores.csv").write_text(STORES, encoding="utf-8")
    text = TEXT.replace("key: store_id", 'key: "${env:KEY_COLUMN}"')
    with pytest.raises(ConfigError) as refusal:
        load_text(text, tmp_path, {**ENV, "KEY_COLUMN": "somewhere"})
    assert "names no column '${env:KEY_COLUMN}'" in str(refusal.value)


def test_equal_content_is_one_object_while_it_is_in_use(tmp_path: Path) -> None:
    before, after = loaded(tmp_path), loaded(tmp_path)
    assert before.tables["stores"].content is after.tables["stores"].content
    assert before == after
    assert compare(before, after).nothing
    path = tmp_path / "stores.csv"
    path.write_text(STORES + "x,y,z\n", encoding="utf-8")
    first = id(read_table(path, "store_id")[0])
    gc.collect()
    table, _ = read_table(path, "store_id")
    assert read_table(path, "store_id")[0] is table
    assert read_table(path, "location_id")[0] is not table
    assert first  # nothing held the first one


def test_no_cell_is_in_what_prints_a_config(tmp_path: Path) -> None:
    config = loaded(tmp_path, stores=STORES.replace("izmir-1", SECRET))
    assert SECRET not in repr(config) + str(config) + config.model_dump_json()


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("tables: {a: {file: a.csv}, b: {file: /b.csv}}", ["a.csv", "/b.csv"]),
        ("tables: {a: {file: 5}, b: [x], c: {key: k}, d: x}", []),
        ("tables: [a]", []),
        ("tables: x", []),
        ("# no tables\nversion: 1", []),
        ("tables: [", []),
        ("tables: {a: {file: '${env:STORES:-x}/a.csv'}}", ["x/a.csv"]),
        ("inputs: {a: {descriptors: {file: a.binpb}}, b: {}, c: x}", ["a.binpb"]),
        ("inputs: [descriptors]", []),
    ],
)
def test_the_files_of_a_text_are_listed(text: str, files: list[str], tmp_path: Path) -> None:
    assert paths_named(text, tmp_path) == [tmp_path / file for file in files]
