"""Descriptors of Protobuf in a config: the file, its message, and the config's version."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import Config, load
from consumer.config.checks import descriptors
from consumer.errors import ConfigError
from consumer.wiring.config_file import fingerprint
from tests.support.protos import ORDERS, image_of
from tests.unit.config.support import VALID, load_text
from tests.unit.config.tables import line_of

OLD = "    format: json\n"
NEW = "    format: protobuf\n    descriptors: {file: image.binpb, message: shop.Order}\n"
TEXT = VALID.replace(OLD, NEW, 1)
SECRET = "ARTICLE-4711"


def loaded(folder: Path, text: str = TEXT, image: bytes | None = None) -> Config:
    (folder / "image.binpb").write_bytes(image_of(ORDERS) if image is None else image)
    return load_text(text, folder)


def refused(folder: Path, text: str = TEXT, image: bytes | None = None) -> str:
    with pytest.raises(ConfigError) as refusal:
        loaded(folder, text, image)
    (problem,) = refusal.value.problems
    said = str(problem).replace(f"{folder}/", "")
    place = f"config.yaml:{line_of(text, '    descriptors:')}: inputs.pos.descriptors.file: "
    assert said.startswith(place)
    return said.removeprefix(place)


def test_file_counts_from_the_configs_folder(tmp_path: Path) -> None:
    described = loaded(tmp_path).inputs["pos"].descriptors
    assert described is not None
    assert described.content == image_of(ORDERS)


def test_unusable_file_is_named_with_what_makes_it(tmp_path: Path) -> None:
    hint = " (make it with protoc --include_imports --descriptor_set_out, or buf build)"
    assert refused(tmp_path, image=b"\xff") == f"the file image.binpb is no FileDescriptorSet{hint}"
    other = TEXT.replace("shop.Order", "shop.Ordr")
    assert refused(tmp_path, other) == f"the file image.binpb has no message 'shop.Ordr'{hint}"


def test_missing_file_is_named(tmp_path: Path) -> None:
    missing = TEXT.replace("image.binpb", "other.binpb")
    said = "the file other.binpb cannot be read: No such file or directory"
    assert refused(tmp_path, missing).startswith(said)
    assert "no name that a file can have" in refused(
        tmp_path, TEXT.replace("image.binpb", '"a\\0b"')
    )


def test_long_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "MOST_BYTES", len(image_of(ORDERS)) - 1)
    assert "has more than" in refused(tmp_path)


def test_content_is_part_of_the_rules_and_its_path_is_not(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "image.binpb").write_bytes(image_of(ORDERS))
    moved = loaded(tmp_path, TEXT.replace("image.binpb", "sub/image.binpb"))
    newer = loaded(tmp_path, image=image_of(ORDERS.replace("string id = 1;", "string id = 99;")))
    assert before.config_version == moved.config_version
    assert before.config_version != newer.config_version


def test_change_of_the_file_is_seen(tmp_path: Path) -> None:
    loaded(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(TEXT)
    before = fingerprint(config)
    (tmp_path / "image.binpb").write_bytes(b"")
    assert fingerprint(config) != before


def test_descriptors_are_read_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "image.binpb").write_bytes(image_of(ORDERS))
    assert load(TEXT, base=tmp_path, secrets=False, env={}).inputs["pos"].descriptors
