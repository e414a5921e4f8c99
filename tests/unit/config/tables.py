"""A config with a lookup table, read from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import Config
from consumer.errors import ConfigError
from tests.unit.config.support import VALID, load_text

STORES = "store_id,location_id,city\n0042,izmir-1,İzmir\n0043,ankara-1,\n"
SECTION = "tables:\n  stores: {file: stores.csv, key: store_id}\n"
LOOKUP = "lookup('stores', store.code, 'location_id')"
TEXT = VALID.replace("\"'web'\"", f'"{LOOKUP}"') + SECTION
SECRET = "cell-4711"


def loaded(folder: Path, text: str = TEXT, stores: str | bytes = STORES) -> Config:
    content = stores.encode() if isinstance(stores, str) else stores
    (folder / "stores.csv").write_bytes(content)
    return load_text(text, folder)


def refused(folder: Path, text: str = TEXT, stores: str | bytes = STORES) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        loaded(folder, text, stores)
    assert SECRET not in str(refusal.value)
    return [str(problem).replace(f"{folder}/", "") for problem in refusal.value.problems]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1
