"""The rules of plugins, by the names that a policy's `rules` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.plugins import load_plugins, not_callable
from consumer.policy.own_rules import RuleFactory

RULE_PLUGINS: Final[Mapping[str, RuleFactory]] = load_plugins("rules", (), not_callable)
"""Name in a policy's `rules` → its factory."""
