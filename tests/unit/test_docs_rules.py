"""The page about the rules: each example loads as a part of a config, without a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from consumer.config import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rules.md"
WHOLE = sorted((ROOT / "schemas" / "examples").glob("routing-config-*.yaml"))
YAML_PARSER = YAML(typ="safe", pure=True)
BASE = """
version: 1
application_id: surveys
kafka: {bootstrap.servers: localhost:9092}
pseudonym: {key_id: k1, key: "${env:KEY}"}
quotas: {vendor: {limits: [20/5s]}}
vendors:
  pisano: {type: pisano, base_url: "https://pisano.example", token: "${env:TOKEN}", quota: vendor}
campaigns:
  purchase-sms: {vendor: pisano, channel: sms, id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616}
  purchase-sms-b: {vendor: pisano, channel: sms, id: b6aa1866-dcaa-462c-a52d-0c22b0ca1616}
  purchase-email: {vendor: pisano, channel: email, id: 735c19a7-ee54-4b03-a84a-93dfe2a94a56}
inputs: {pos: {topics: [pos.transaction-completed], format: json}}
contacts: {store: {type: sqlite, path: contacts.sqlite}}
contact_rules: {everyone: {within: 30d}}
policies: {standard: {expire_after: 72h}}
routes:
  - name: store-purchase
    input: pos
    match: {channel: pos}
    recipient: {phone: customer.phone, email: customer.email}
    phone_region: TR
    send: [{split: {purchase-sms: 50, purchase-sms-b: 50}}, purchase-email]
    data: {custom_attributes: {name: customer.name}}
    policy: standard
    tags: [nps, store]
  - name: complaint-closed
    input: pos
    match: {channel: care}
    recipient: {phone: customer.phone, email: customer.email}
    phone_region: TR
    send: [purchase-sms, purchase-email]
    data: {custom_attributes: {name: customer.name}}
    tags: [care]
"""


def examples() -> list[str]:
    tokens = MarkdownIt("commonmark").parse(PAGE.read_text(encoding="utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info == "yaml"]


def laid_over(base: Any, part: Any) -> Any:
    """Replace values of the base, but go into mappings, and into routes by their place."""
    if isinstance(base, dict) and isinstance(part, dict):
        return base | {key: laid_over(base.get(key), value) for key, value in part.items()}
    if isinstance(part, list) and part and isinstance(part[0], dict) and "name" in part[0]:
        changed = [laid_over(*pair) for pair in zip(base, part, strict=False)]
        return [*changed, *base[len(part) :]]
    return part


@pytest.mark.parametrize("example", examples(), ids=lambda text: text.split("\n")[1].strip()[:40])
def test_each_example_of_the_page_loads_without_a_warning(example: str, tmp_path: Path) -> None:
    document = laid_over(YAML_PARSER.load(BASE), YAML_PARSER.load(example))
    path = tmp_path / "routing.yaml"
    with path.open("w") as out:
        YAML_PARSER.dump(document, out)
    assert load(path, secrets=False).warnings == ()


def test_an_example_is_a_part_of_a_config_and_not_all_of_it() -> None:
    assert len(examples()) > 12
    assert all("version:" not in example for example in examples())


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_each_whole_policy_loads_without_a_warning(path: Path) -> None:
    assert load(path, secrets=False).warnings == ()
