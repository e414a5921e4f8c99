"""The parts of the routing config: what each key means, its bounds and its default.

The attributes' docstrings feed the JSON Schema that editors complete from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    StringConstraints,
    create_model,
    model_validator,
)

from consumer.config.descriptors_section import Descriptors
from consumer.config.durations import Duration, PositiveDuration, RateLimit
from consumer.config.fields import (
    KEY_ID,
    DataValue,
    Expression,
    Name,
    SecretKey,
    Text,
    TimeZone,
    TopicName,
)
from consumer.config.person_section import Person
from consumer.config.policy_sections import PolicyChoice, RoutePolicy, SendEntry, Testers
from consumer.config.section import Section
from consumer.policy.set_times import SetTimes, check_cron
from consumer.records.channel import Channel
from consumer.records.fields import USUAL_PRIORITY, Priority
from consumer.routing.decoding.formats import FORMATS, SCHEMA_FORMATS
from consumer.routing.decoding.times import TimeUnit
from consumer.routing.link import EXAMPLE
from consumer.routing.link_responses import checked_response
from consumer.routing.recipients.recipients import UntextedType
from consumer.vendors.registry import VENDORS

if TYPE_CHECKING:
    InputFormat = str
else:
    InputFormat = Literal[(*FORMATS, *SCHEMA_FORMATS)]


def _cron(text: str) -> str:
    check_cron(text)
    return text


CronTime = Annotated[str, AfterValidator(_cron), Field(examples=["0 10 * * mon-fri"])]


class PseudonymKey(Section):
    """A key of pseudonyms."""

    key_id: Annotated[str, StringConstraints(pattern=KEY_ID)]
    """Stands in front of each pseudonym, so that the key can be changed."""
    key: SecretKey
    """The secret key, 16 bytes or more; keep it in a file: `${file:/path}`."""


class Pseudonym(PseudonymKey):
    """How a recipient is named where the address may not travel: HMAC-SHA-256."""

    previous: Annotated[tuple[PseudonymKey, ...], Field(max_length=4)] = ()
    """Former keys, while contacts and opt-outs are still known by them alone."""


class Quota(Section):
    """A named set of limits: one quota, one lane."""

    limits: Annotated[tuple[RateLimit, ...], Field(max_length=16)]
    """All hold together; an empty list means unlimited."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The part of the limits that is ours; the rest is left to other users of the quota."""
    reserve: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    """Permits are kept as for one burst of so many full calls a day; unset: as bursts came."""
    skew: Duration = 2.0
    """Clock skew between the vendor's servers, added to each period."""
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 16
    """Calls that may be under way at once."""
    linger: Duration = 1.0
    """How long a window that is not full waits; unlimited quotas only. In a backlog up to 5s."""
    max_retry_after: PositiveDuration | None = None
    """How long `Retry-After` may close it; else its longest period, 1m or more (no limits: 1h)."""
    first_start: Literal["used", "unused"] = "used"
    """Without a checkpoint: take the quota as used up (safe), or as unused."""
    max_buffered: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Invitations that the lane holds in memory; the log keeps what is beyond."""
    max_buffered_bytes: Annotated[int, Field(ge=2**20, le=100 * 2**30)] = 100_000_000
    """Bytes that they may take: about 1.4 kB each, and 256 KiB of data at most."""
    keep: PositiveDuration = 7 * 86400.0
    """How long settled invitations stay on the lane's topic, so that they can be sent again."""
    call_timeout: PositiveDuration = 30.0
    """How long an answer is waited for."""


class Window(Section):
    """When a campaign's waiting invitations become a call."""

    max_batch: Annotated[int, Field(ge=1, le=100_000)] = 5000
    """Invitations in one call, at most."""
    max_bytes: Annotated[int, Field(ge=1, le=2**30)] = 10 * 2**20
    """Bytes of them in one call, as they stand on the lane's topic: more than its body has."""
    max_wait: Duration = 600.0
    """An invitation that waited so long goes with the next permit, whatever it costs."""
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """How much this campaign's waiting counts beside that of the lane's other campaigns."""


class SharedCampaign(Section):
    """What shares a call: a vendor account, a channel, the vendor's campaign id."""

    vendor: Name
    """A name under `vendors`."""
    channel: Channel
    """One that the vendor offers."""
    id: Text
    """The vendor's id of the campaign (Customer Radar: the programme); write it in quotes."""
    link: Annotated[Text, Field(examples=[EXAMPLE])] | None = None
    """Of channel `link` only: the link, with names of the route's `data` in braces."""
    responses: (
        Annotated[
            dict[Text, str],
            AfterValidator(checked_response),
            Field(examples=["{question_key: $key, body: $value}"]),
        ]
        | None
    ) = None
    """Of channel `link` only: one element of {responses}, base64 JSON of `built_in_responses`."""
    required: tuple[Text, ...] = ()
    """Keys of the route's `data`, or `map.key`, without which the vendor refuses a recipient."""
    window: Window = Window()
    """When waiting invitations become a call."""
    paused: bool = False
    """Its invitations wait until this is false again, or expire."""
    in_doubt: Literal["report", "resend"] = "report"
    """Sent, but no answer came: report `unknown`, or send again (a survey may come twice)."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Calls that one invitation is tried in before it has failed."""
    bisect_calls: Annotated[int, Field(ge=0, le=100_000)] = 200
    """Calls that a refused batch may cost to find the bad recipients; the rest has then failed."""


_ALL_OPTIONS = [vendor.CampaignOptions for vendor in VENDORS.values()]
OPTION_KEYS = frozenset(key for options in _ALL_OPTIONS for key in options.model_fields)
"""Keys of a campaign that one vendor alone reads."""

if TYPE_CHECKING:
    Campaign = SharedCampaign
else:  # a new vendor's keys need no line here
    with_keys = (options for options in _ALL_OPTIONS if options.model_fields)
    bases = (*with_keys, SharedCampaign)
    Campaign = create_model("Campaign", __base__=bases, __doc__=SharedCampaign.__doc__)


class EventKeys(Section):
    """Where an event has its identity."""

    id: Expression = "id"
    """JMESPath to the event's id."""
    time: Expression = "time"
    """JMESPath to the transaction's time: ISO 8601 with an offset, or epoch s, ms, us or ns."""
    time_unit: TimeUnit = "auto"
    """Unit of a time that is a number; `auto` goes by its size."""
    timezone: TimeZone | None = None
    """Zone of times without an offset, as Europe/Istanbul; without it such are refused."""


class DeadLetterShare(Section):
    """How many of an input's records may be unreadable before it stops."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of the last `of` records of a topic no larger share may be dead letters."""
    of: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Records that are looked at together."""


class InputSchedule(Section):
    """When the invitations of an input may be sent: at set times only."""

    cron: Annotated[tuple[CronTime, ...], Field(min_length=1, max_length=20)]
    """Cron expressions of five fields, as `0 10 * * mon-fri`; what comes between waits."""
    timezone: TimeZone
    """Zone of these times, as Europe/Istanbul."""

    def compiled(self) -> SetTimes:
        """Return the set times."""
        return SetTimes(self.cron, ZoneInfo(self.timezone))


class Input(Section):
    """Topics whose events have one form."""

    topics: Annotated[tuple[TopicName, ...], Field(min_length=1)]
    """The topics to read; none in two inputs."""
    format: InputFormat
    """How the events are written."""
    descriptors: Descriptors | None = None
    """Format protobuf: the schema from a file, and the registry is not asked."""
    validated: Annotated[bool, Field(alias="validate")] = False
    """Format json_schema: a value that does not fit its schema of the registry is a dead letter."""
    body: Expression | None = None
    """JMESPath to the event inside an envelope, as payload.after; parse_json() opens a text."""
    skip: dict[str, JsonValue] = {}
    """An event pattern of records that are no transaction; matched before `body` is taken."""
    tombstones: Literal["skip", "dead_letter"] = "dead_letter"
    """What becomes of a record without a value."""
    event: EventKeys = EventKeys()
    """Where an event has its identity."""
    person: Person = Person()
    """Who the customer is, for the rules that count or choose persons."""
    schedule: InputSchedule | None = None
    """Set times at which its invitations are due; else at once, or as policies say."""
    routes: Literal["first", "all"] = "first"
    """An event takes the first route that matches, or all that match."""
    max_event_bytes: Annotated[int, Field(ge=1, le=100 * 2**20)] = 2**20
    """A longer event becomes a dead letter."""
    dead_letter_limit: DeadLetterShare | None = DeadLetterShare()
    """Beyond it the input's topic stops, until `dlq continue` or another config; null: never."""

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        if self.descriptors is not None and self.format != "protobuf":
            raise ValueError("`descriptors` is for format protobuf")
        if self.validated and self.format != "json_schema":
            raise ValueError("`validate` is for format json_schema")
        return self


class Results(Section):
    """What results say beside what becomes of an invitation."""

    fields: Annotated[dict[Name, Expression], Field(max_length=20)] = {}
    """Name → JMESPath: values of the event in each result's `event`, never an address."""
    schema_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """The registry's id of the schema of results (`schemas --register`): stands before each."""


class Recipient(Section):
    """Where an event has the customer's addresses; at least one of them."""

    phone: Expression | None = None
    """JMESPath to the phone number."""
    email: Expression | None = None
    """JMESPath to the e-mail address."""

    @model_validator(mode="after")
    def _some_address(self) -> Recipient:
        if self.phone is None and self.email is None:
            raise ValueError("expected phone, email or both")
        return self


class Route(Section):
    """One rule: which events, which customer, which survey, with which data."""

    name: Name
    """Unique; it is part of each invitation's id."""
    input: Name
    """A name under `inputs`."""
    match: dict[str, JsonValue] = {}
    """An event pattern (as Amazon EventBridge's); empty matches every event."""
    for_each: Expression | None = None
    """JMESPath to a list: one invitation for each item, which expressions see as $item."""
    recipient: Recipient
    """Where the event has the customer's addresses."""
    phone_region: str | None = None
    """Region of phone numbers without a country code: two letters, as in TR."""
    phone_types: tuple[UntextedType, ...] = ()
    """Types of numbers that channel `sms` takes too; as a rule only those that texts reach."""
    send: Annotated[tuple[SendEntry, ...], Field(min_length=1)]
    """Names under `campaigns`, or a split: the first that can reach the recipient is used."""
    data: dict[Text, DataValue] = {}
    """The vendor's names → JMESPath, or a map of free names → JMESPath."""
    policy: PolicyChoice = RoutePolicy()
    """The rules before a survey is sent: a name under `policies`, or the rules themselves."""
    tags: tuple[Name, ...] = ()
    """Sets of routes that contact rules speak of, as in nps or store."""
    priority: Priority = USUAL_PRIORITY
    """Of two invitations that a contact rule allows one of, the higher goes."""
    contact: Literal["obey", "exempt", "off"] = "obey"
    """Contact rules: obey them; or pass, but count; or neither. An opt-out holds in each."""
    mode: Literal["live", "shadow", "redirect"] = "live"
    """`shadow` does all but the call; `redirect` sends to `testers` instead of the customer."""
    testers: Testers | None = None
    """Where the surveys of `mode: redirect` go."""
    paused: bool = False
    """Invitations wait until this is false again, or expire."""

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The names of all campaigns that `send` may choose."""
        lists = ([entry] if isinstance(entry, str) else entry.split for entry in self.send)
        return tuple(dict.fromkeys(name for names in lists for name in names))
