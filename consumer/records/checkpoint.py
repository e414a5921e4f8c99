"""Checkpoint: a lane's whole state in one record, written in each transaction of its owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from consumer.records.fields import RECORD_VERSION, Count, Moment, Name, Position


class InFlight(BaseModel):
    """A batch whose intent is recorded: bit i of `offsets` is offset `first + i`."""

    model_config = ConfigDict(extra="ignore")

    batch_id: Name
    campaign: Name
    attempt: Count
    sealed_at: Moment
    first: Position
    offsets: str


class Tried(BaseModel):
    """Invitations that wait for another call: bit i of `offsets` is offset `first + i`."""

    model_config = ConfigDict(extra="ignore")

    attempt: Count
    first: Position
    offsets: str


class Owner(BaseModel):
    """One takeover of the lane: owner, time (epoch seconds) and config."""

    model_config = ConfigDict(extra="ignore")

    instance: Name
    config_version: Name
    at: Moment


class LimitCalls(BaseModel):
    """What a checkpoint knows of one limit. `period` has the skew in it, `calls` are ours.

    `cells` counts the calls of a large limit by 512ths of its period, up to whose ends they are
    rounded: steps from cell to cell, each followed by the calls in it. Without them the limit goes
    by `permit_log`.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    calls: Annotated[int, Field(ge=1, le=10**12)]
    period: Annotated[float, Field(gt=0, le=10**15)]
    cells: tuple[Annotated[int, Field(ge=0, le=10**15)], ...] | None = None


class BurstCount(BaseModel):
    """Bursts of `calls` full calls: their faded `count`, and `customers` (by weight) in a call."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    calls: Annotated[int, Field(ge=1, le=10**12)]
    count: Annotated[float, Field(ge=0, le=10**12)]
    customers: Annotated[float, Field(ge=0, le=10**15)]


class BurstHistory(BaseModel):
    """What a lane learnt of its bursts, in `seconds` (faded like the counts) that it saw."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    seconds: Annotated[float, Field(ge=0, le=10**15)]
    counts: Annotated[tuple[BurstCount, ...], Field(max_length=1000)] = ()


class Checkpoint(BaseModel):
    """A lane's whole state in one record of its compacted checkpoint topic.

    `done` and all `offsets` are bitmaps, zlib, base64. `permit_log` holds the response
    times of calls, epoch seconds, of the last `permit_log_reach` seconds. `quota` has the writer's
    limits; calls before `unknown_until` may have been as many as they allow. `at` is the writer's
    clock. Nothing is called before `closed_until` (after a 429). Offsets below `base` are settled.
    `tried` has those that were in a call and wait for the next; `owners` the last owners, oldest
    first. `limits_part` of the limits is in use since `limits_since` (less than 1 after a 429).
    What an older version does not know it passes over.
    """

    model_config = ConfigDict(extra="ignore")

    version: Annotated[int, Field(ge=1, le=RECORD_VERSION)] = RECORD_VERSION
    lane: Name
    topic_id: Name | None
    base: Position
    done: str
    in_flight: Sequence[InFlight]
    permit_log: Sequence[Moment]
    permit_log_reach: Moment = 0.0
    quota: tuple[LimitCalls, ...] | None = None
    unknown_until: Moment = 0.0
    at: Moment = 0.0
    config_version: Name
    closed_until: Moment = 0.0
    limits_part: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    limits_since: Moment = 0.0
    tried: tuple[Tried, ...] = ()
    owners: tuple[Owner, ...] = ()
    bursts: BurstHistory | None = None
    _appended: float | None = PrivateAttr(None)

    @property
    def appended(self) -> float | None:
        """Kafka's time of its record, epoch seconds; of one that was read, if Kafka said it."""
        return self._appended

    @appended.setter
    def appended(self, at: float | None) -> None:
        self._appended = at
