"""When the config's files count as changed, and where a problem with a section stands."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from consumer.errors import ConfigError
from consumer.wiring.config_file import fingerprint, problems, read
from tests.unit.config.support import ENV, RADAR_PASSWORD, VALID

TEXT = 'a: "${file:secrets/token}"\nb: "x${file:second}y"\n# $${file:escaped}\nkafka: {}\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_text("one")
    (tmp_path / "second").write_text("two")
    path = tmp_path / "routing.yaml"
    path.write_text(TEXT)
    return path


def test_the_version_changes_with_the_text_and_with_every_file_that_it_names(config: Path) -> None:
    seen = [fingerprint(config)]
    for path in (config.parent / "second", config.parent / "secrets" / "token", config):
        path.write_text(path.read_text() + "#")
        seen.append(fingerprint(config))
    assert len(set(seen)) == 4


def test_the_version_does_not_change_with_what_is_not_named(config: Path) -> None:
    before = fingerprint(config)
    (config.parent / "escaped").write_text("three")
    assert fingerprint(config) == before


def test_a_link_that_is_swapped_above_the_files_is_seen(config: Path) -> None:
    """As Kubernetes does it; the files themselves never change."""
    before = fingerprint(config)
    folder = config.parent / "secrets"
    folder.rename(config.parent / "..1")
    folder.symlink_to("..1")
    assert fingerprint(config) == before
    (config.parent / "..2").mkdir()
    (config.parent / "..2" / "token").write_text("rotated")
    folder.unlink()
    folder.symlink_to("..2")
    assert fingerprint(config) != before


def test_the_version_changes_with_a_tables_file(config: Path) -> None:
    config.write_text(TEXT + "tables: {stores: {file: stores.csv, key: id}}\n")
    stores = config.parent / "stores.csv"
    seen = [fingerprint(config)]
    for content in ("id,city\n", "id,city\n1,a\n", "id,city\n1,b\n"):
        stores.write_text(content)
        seen.append(fingerprint(config))
    config.write_text("\ufeff" + config.read_text().replace("stores.csv", "secrets/stores.csv"))
    seen.append(fingerprint(config))
    stores.rename(config.parent / "secrets" / "stores.csv")
    seen.append(fingerprint(config))
    assert len(set(seen)) == 6


def test_what_is_missing_has_a_fingerprint_too(config: Path) -> None:
    """It may come back, and that is a change."""
    whole = fingerprint(config)
    (config.parent / "second").unlink()
    assert fingerprint(config) != whole
    config.unlink()
    assert fingerprint(config) == fingerprint(config.parent / "nothing.yaml")


def test_problems_stand_on_their_sections_lines(config: Path) -> None:
    (found,) = problems(config, ["kafka"], "wrong", "do this")
    assert str(found) == f"{config}:4: kafka: wrong (do this)"
    config.unlink()
    (found,) = problems(config, ["kafka"], "wrong")
    assert found.line == 1


def test_a_setting_that_librdkafka_refuses_is_a_problem_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "radar-password").write_text(RADAR_PASSWORD)
    path = tmp_path / "routing.yaml"
    path.write_text(VALID)
    assert read(path).lanes == ("pisano-cloud", "radar")
    path.write_text(VALID.replace("sasl.password", "sasl.pasword"))
    with pytest.raises(ConfigError) as refused:
        read(path)
    assert f"{path}:3: kafka" in str(refused.value)
    assert ENV["BROKER_PASSWORD"] not in str(refused.value)


def test_a_dash_is_standard_input_and_its_problems_have_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files that it names count from the working directory."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "radar-password").write_text(RADAR_PASSWORD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(VALID.encode())))
    assert read(Path("-")).lanes == ("pisano-cloud", "radar")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"version: 1\nkafka: [\n")))
    with pytest.raises(ConfigError, match=r"^<stdin>:\d+: "):
        read(Path("-"))
