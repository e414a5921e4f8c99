"""Status document: what the status page and `survey-dispatcher status` show of a dispatcher.

Times are epoch seconds, ages and waits are seconds; None stands for "never" or "not known here".
Names are those of the config. Nothing of an event is in it, and no vendor's text.

A snapshot comes from a running process (`status.report`) or, for a stopped one, from its topics
(`operations.status`): then `process`, and everything that only a process knows, is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson
from pydantic import TypeAdapter, ValidationError

from consumer.lane.state.snapshot import LimitSnapshot

VERSION = 1

COMMAND, CONFIG = "command", "config"
"""What pauses something."""


class Level(StrEnum):
    """Severity of a note: `bad` keeps surveys from going out, `warn` may soon."""

    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Note:
    """A problem: where it is, what it is, and what to do."""

    level: Level
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """The process. `reload` is the result of its last config check: applied, refused or
    unchanged."""

    instance: str
    version: str
    started_at: float
    config_version: str
    reload: str | None = None
    reload_at: float | None = None


@dataclass(frozen=True, slots=True)
class StageStatus:
    """A loop: `silent` seconds since its last iteration; `stopped` if it ended for good."""

    name: str
    silent: float
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """A campaign. `waiting`: all its invitations without a call, of which `delayed` are on the
    delay topics (None: not known here) and the others in the lane. `oldest_age`: of the
    ones in the lane. `parked`: the vendor cannot use the campaign as it is; it is tried again at
    `tries_at`, and `delayed` has its invitations. `circuit_open`: the campaign's own circuit
    breaker holds it back. `why`: how its last call failed, if one of these is so."""

    name: str
    waiting: int
    oldest_age: float
    parked: bool = False
    circuit_open: bool = False
    delayed: int | None = None
    tries_at: float | None = None
    why: str = ""

    @property
    def in_lane(self) -> int:
        """How many wait in the lane."""
        return self.waiting - (self.delayed or 0)


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """A vendor account: `since` when its calls are held back, and `why`: how the last one failed.
    One customer is tried at `tries_at` (None: one is being tried, or all is well)."""

    name: str
    credentials_refused: bool = False
    circuit_open: bool = False
    since: float | None = None
    why: str = ""
    tries_at: float | None = None

    @property
    def held_back(self) -> bool:
        """Whether only trials leave."""
        return self.credentials_refused or self.circuit_open


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch in flight, sealed `age` seconds ago."""

    batch: str
    campaign: str
    customers: int
    age: float


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A call that ended at `at`; `answer` is its HTTP status, or how it failed. `code` is one that
    the vendor documents, and `meaning` what it means; `why` the call was not accepted."""

    at: float
    lane: str
    vendor: str
    batch: str
    campaign: str
    customers: int
    answer: str
    verdict: str
    seconds: float
    code: str | None = None
    why: str = ""
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane. `owner`: `here`, another instance's name, or None if unknown. `waiting`,
    `delayed`: as of a campaign.

    `campaigns` are the most important ones, `campaigns_more` counts the others. `next_permit` is
    None if only an answer can bring one; `held_back_by` names the limit that delays it, or `429`.
    `stopped`: why nothing but trials leaves, empty if calls may. `drain`: seconds until no
    invitation waits in the lane, None for never. `lag`: records not settled.
    """

    name: str
    owner: str | None = None
    waiting: int = 0
    campaigns: Sequence[CampaignStatus] = ()
    campaigns_more: int = 0
    limits: Sequence[LimitSnapshot] = ()
    limits_in_use: float = 1.0
    next_permit: float | None = 0.0
    held_back_by: str | None = None
    in_flight: Sequence[BatchStatus] = ()
    accounts: Sequence[AccountStatus] = ()
    lag: int = 0
    paused: bool = False
    drain: float | None = 0.0
    delayed: int | None = None
    stopped: str = ""

    @property
    def in_lane(self) -> int:
        """How many wait in the lane."""
        return self.waiting - (self.delayed or 0)


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """What is paused, `by` config or command; a command says since when, and perhaps why."""

    kind: str
    name: str
    by: str
    since: float | None = None
    why: str | None = None

    @property
    def by_command(self) -> bool:
        """Whether `resume` ends it."""
        return self.by == COMMAND


@dataclass(frozen=True, slots=True)
class ContactStoreStatus:
    """The contact store. `phase`: how far its generation is, empty if that is not known. `why`: why
    it is unavailable, empty while it answers. `missing`: lanes that must report first. `waiting`:
    invitations without a decision."""

    phase: str = ""
    why: str = ""
    missing: Sequence[str] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """The whole status at `at`. Counts are since the process started.

    `results`: status → reason → number; `dead_letters`: reason → number; `router_lag`: topic →
    records; `delayed`: step → invitations; `delayed_campaigns`: lane → campaign → the
    same; `orphans`: lane outside the config → records;
    `stopped_inputs`, `waiting_inputs`: topic → partitions of this process that wait for `inputs
    resume`, for a schema; `in_doubt`: lane → batches; `held_back`: contact rule → reason →
    invitations; `contacts`: None without a store here. `calls` and `doubtful` (calls without a
    clear answer): newest first.
    """

    at: float
    process: ProcessStatus | None = None
    problems: Sequence[str] = ()
    notes: Sequence[Note] = ()
    stages: Sequence[StageStatus] = ()
    lanes: Sequence[LaneStatus] = ()
    calls: Sequence[CallStatus] = ()
    doubtful: Sequence[CallStatus] = ()
    in_doubt: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    router_lag: Mapping[str, int] = field(default_factory=dict)
    delayed: Mapping[str, int] = field(default_factory=dict)
    delayed_campaigns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    orphans: Mapping[str, int] = field(default_factory=dict)
    stopped_inputs: Mapping[str, int] = field(default_factory=dict)
    waiting_inputs: Mapping[str, int] = field(default_factory=dict)
    pauses: Sequence[PauseStatus] = ()
    held_back: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    contacts: ContactStoreStatus | None = None
    version: int = VERSION


_reader: TypeAdapter[StatusSnapshot] = TypeAdapter(StatusSnapshot)


def dump(snapshot: StatusSnapshot) -> bytes:
    """Return the snapshot as JSON; an infinite number is null."""
    return orjson.dumps(snapshot)


def load(text: bytes) -> StatusSnapshot:
    """Read what `dump` wrote; ignore fields that a later version adds.

    Raises ValueError with the places that do not fit, never with their values.
    """
    try:
        return _reader.validate_json(text)
    except ValidationError as error:
        places = sorted(
            {".".join(map(str, each["loc"])) or each["type"] for each in error.errors()}
        )
        raise ValueError(", ".join(places[:3])) from None
