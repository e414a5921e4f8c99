"""Pause: what an operator paused, or resumed, by command; a record of `<application_id>.pauses`.

The topic is compacted and kept for ever: the last record of a key is in force. The key names what
is paused, and the value repeats it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from consumer.records.fields import RECORD_VERSION, Moment, Name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
"""A name of a config."""

WHY_LIMIT = 200
"""Characters of an operator's reason."""


class PauseKind(StrEnum):
    """What a pause holds back; `everything` has no name."""

    ROUTE = "route"
    CAMPAIGN = "campaign"
    VENDOR = "vendor"
    EVERYTHING = "everything"


class Pausable(NamedTuple):
    """What can be paused: a route, a campaign, a vendor or everything."""

    kind: PauseKind
    name: str = ""

    @property
    def key(self) -> str:
        """The key of its records."""
        return f"{self.kind}|{self.name}"

    @property
    def text(self) -> str:
        """It in words, as the command takes it."""
        return f"{self.kind} {self.name}".rstrip()

    @classmethod
    def from_key(cls, key: str) -> Pausable | None:
        """Return what a record's key names; None for any other key."""
        kind, bar, name = key.partition("|")
        if not bar or kind not in set(PauseKind):
            return None
        fits = not name if kind == PauseKind.EVERYTHING else _NAME(name) is not None
        return cls(PauseKind(kind), name) if fits else None


class Pause(BaseModel):
    """A pause, or its end (`paused: false`), given at `at`. `why`: an operator's reason."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = RECORD_VERSION
    kind: PauseKind
    name: Name = ""
    paused: bool
    at: Moment
    why: Annotated[str, StringConstraints(max_length=WHY_LIMIT)] | None = Field(default=None)
