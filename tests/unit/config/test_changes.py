"""What a running process is told of a config's changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import Config
from consumer.config.changes import Changes, compare
from tests.unit.config.support import ENV, edited, load_text

SAME = Changes(
    nothing=False, fixed=(), new_lanes=(), left_lanes=(), new_inputs=(), accounts=frozenset()
)


@pytest.fixture
def old(tmp_path: Path) -> Config:
    return load_text(edited("weight: 1", "weight: 1"), tmp_path)


def changes(old: Config, folder: Path, was: str, now: str, **env: str) -> Changes:
    """From the valid config to one with a place or a secret replaced."""
    return compare(old, load_text(edited(was, now), folder, env={**ENV, **env}))


def test_the_same_text_changes_nothing(old: Config, tmp_path: Path) -> None:
    assert changes(old, tmp_path, "weight: 1", "weight: 1").nothing


def test_comments_and_order_change_nothing(old: Config, tmp_path: Path) -> None:
    assert changes(old, tmp_path, "channel: sms\n", "channel: sms # by text\n").nothing


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("weight: 1", "weight: 2"),
        ("expire_after: 72h", "expire_after: 71h"),
        ("share: 0.9", "share: 0.8"),
        ("send: [purchase-sms, purchase-email]", "send: [purchase-email]"),
        ("sms: true", "sms: 1"),  # equal to Python, not to an event
    ],
)
def test_rules_and_limits_change_while_it_runs(
    old: Config, tmp_path: Path, was: str, now: str
) -> None:
    """Nothing is made again for them: neither a lane nor an account."""
    assert changes(old, tmp_path, was, now) == SAME


@pytest.mark.parametrize(
    ("section", "was", "now"),
    [
        ("application_id", "application_id: surveys", "application_id: others"),
        ("kafka", "localhost:9092", "localhost:9093"),
        ("pseudonym", "key_id: k1", "key_id: k2"),
        ("admin", "port: 9464", "port: 9465"),
    ],
)
def test_what_needs_a_restart_is_named(
    old: Config, tmp_path: Path, section: str, was: str, now: str
) -> None:
    assert changes(old, tmp_path, was, now).fixed == (section,)


def test_a_secret_of_kafka_or_of_pseudonyms_needs_a_restart(old: Config, tmp_path: Path) -> None:
    """They change neither the text nor the config's version."""
    same = "weight: 1", "weight: 1"
    rotated = changes(old, tmp_path, *same, BROKER_PASSWORD="another-password")
    assert (rotated.fixed, rotated.nothing) == (("kafka",), False)
    rotated = changes(old, tmp_path, *same, PSEUDONYM_KEY="another-key-of-16-bytes")
    assert rotated.fixed == ("pseudonym",)


def test_an_account_is_another_with_its_token_address_or_timeout(
    old: Config, tmp_path: Path
) -> None:
    rotated = changes(old, tmp_path, "weight: 1", "weight: 1", PISANO_TOKEN="another-token")
    assert (rotated.nothing, rotated.accounts) == (False, frozenset({"pisano-tr"}))
    moved = changes(old, tmp_path, "https://radar.", "https://eu.radar.")
    assert moved.accounts == {"radar"}
    slower = changes(old, tmp_path, "{limits: [1/1s]}", "{limits: [1/1s], call_timeout: 31s}")
    assert slower.accounts == {"radar"}


def test_lanes_come_and_go_with_the_quotas_that_campaigns_use(old: Config, tmp_path: Path) -> None:
    """A quota by another name is another lane, and its account another one."""
    text = edited("  radar: {limits", "  eu: {limits").replace("quota: radar", "quota: eu")
    found = compare(old, load_text(text, tmp_path))
    assert (found.new_lanes, found.left_lanes) == (("eu",), ("radar",))
    assert found.accounts == {"radar"}


def test_new_inputs_are_named_and_those_that_went_are_not(old: Config, tmp_path: Path) -> None:
    assert changes(old, tmp_path, "web.orders", "web.baskets").new_inputs == ("web.baskets",)
