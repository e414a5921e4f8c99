"""What a stage follows of one config: made as a whole, swapped as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.lane.settings import LaneSettings
from consumer.routing.router import Router
from consumer.runtime.calls import Calls


@dataclass(frozen=True, slots=True)
class LaneRules:
    """A lane's. `limits`: names of its limits (`20/5s`); `relogin`: vendors with a new account."""

    settings: LaneSettings
    calls: Calls
    limits: tuple[str, ...]
    relogin: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RouterRules:
    """The router's. `inputs`: the topics that it reads."""

    router: Router
    inputs: Sequence[str]
    config_version: str
