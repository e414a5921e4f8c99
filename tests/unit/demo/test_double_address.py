"""A config reaches the double by the variables that it reads, and a note says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import load
from consumer.demo.double_address import double_address
from consumer.operations.first_config.choices import Choices, vendors
from consumer.operations.first_config.files import first_config, write

URL = "http://127.0.0.1:8080"


def config_with(folder: Path, vendor: str, *edits: tuple[str, str]) -> Path:
    made = first_config(folder, Choices(vendor, "sms", region="TR"), 0.0)
    write(made)
    text = made.config.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    made.config.write_text(text)
    return made.config


@pytest.mark.parametrize("vendor", vendors())
def test_the_first_config_needs_no_edit_for_the_double(vendor: str, tmp_path: Path) -> None:
    if vendor == "customer_radar":
        config = config_with(tmp_path, vendor, ("channel: sms", "channel: invitation"))
    else:
        config = config_with(tmp_path, vendor)
    found = double_address(config, load(config), URL)
    assert found.variables == {"VENDOR_URL": URL, "FIRST_START": "unused"}
    assert found.notes == []
    there = load(config, env=found.variables)
    assert double_address(config, there, URL) == type(found)()
    assert {account.base_url for account in there.vendors.values()} == {URL}


def test_what_no_variable_can_change_is_noted_with_its_line(tmp_path: Path) -> None:
    edits = (
        ("${env:VENDOR_URL:-https://put-yours.example.com}", "https://pisano.example.com"),
        ('first_start: "${env:FIRST_START:-used}"', ""),
    )
    config = config_with(tmp_path, "pisano", *edits)
    found = double_address(config, load(config), URL)
    assert found.variables == {}
    one, two = map(str, found.notes)
    assert "vendors.pisano.base_url: is not the double's address" in one
    assert 'write "${env:VENDOR_URL:-https://…}"' in one
    assert "quotas.pisano.first_start: of the first start the first call waits 625 s" in two


def test_a_config_from_standard_input_is_taken_as_it_is(tmp_path: Path) -> None:
    config = config_with(tmp_path, "pisano")
    assert double_address(Path("-"), load(config), URL).variables == {}


def test_a_token_of_oauth_is_asked_for_at_the_double_too(tmp_path: Path) -> None:
    secret = "client_id: me, client_secret: of-the-tests"
    oauth = f'oauth: {{token_url: "${{env:LOGIN:-https://a.example/oauth/token}}", {secret}}}'
    edits = [
        ('token: "${file:secrets/surveys-token}"', oauth),
        ("credentials: {status: [401, 403]}", ""),
    ]
    config = config_with(tmp_path, "http_batch", *edits)
    found = double_address(config, load(config), URL)
    assert found.variables["LOGIN"] == f"{URL}/oauth/token"
