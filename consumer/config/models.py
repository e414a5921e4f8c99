"""The routing config as pydantic models: what each key means, its bounds and its default.

The field descriptions feed the JSON Schema that editors complete from. What pydantic cannot
say (references, patterns, expressions) is in `check.py`; configs are read with `load.load`.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from consumer.config.durations import Duration, PositiveDuration, RateLimit, duration_text
from consumer.config.topics import Topics
from consumer.errors import Problem
from consumer.model import Channel
from consumer.vendors import VENDORS
from consumer.vendors.base import Account

TOPIC_SAFE = r"^[a-z0-9][a-z0-9._-]{0,63}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
TOPIC = r"^[A-Za-z0-9._-]{1,249}$"
KEY_ID = r"^[A-Za-z0-9_-]{1,32}$"

PATTERN_WORDS = {
    TOPIC_SAFE: "1 to 64 of a-z 0-9 . _ - that begin with a letter or digit (it names topics)",
    NAME: "1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit",
    TOPIC: "a Kafka topic name: 1 to 249 of A-Z a-z 0-9 . _ -",
    KEY_ID: "1 to 32 of A-Z a-z 0-9 _ -",
}
"""The patterns above, as sentences end with them."""

MIN_KEY_BYTES = 16

TopicSafe = Annotated[str, StringConstraints(pattern=TOPIC_SAFE)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
TopicName = Annotated[str, StringConstraints(pattern=TOPIC)]
Text = Annotated[str, StringConstraints(min_length=1)]
Expression = Annotated[
    str,
    StringConstraints(min_length=1),
    Field(description="JMESPath into the event", examples=["customer.id", "items[0].sku"]),
]


def _as_setting(value: object) -> str:
    """librdkafka takes text; YAML writers write numbers and booleans, too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise ValueError("expected text, a whole number, true or false; a list is one text: a,b,c")


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) < MIN_KEY_BYTES:
        raise ValueError(f"expected a key of at least {MIN_KEY_BYTES} bytes")
    return key


KafkaSetting = Annotated[
    str, BeforeValidator(_as_setting), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]


KAFKA_EXAMPLE = {"bootstrap.servers": "${env:KAFKA_BOOTSTRAP:-localhost:9092}"}


class Section(BaseModel):
    """What all parts of the config share: nothing unknown, nothing converted, nothing changed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        """Show the defaults of durations as a user would write them, and not as seconds."""
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            if field.get("type") == "string" and isinstance(field.get("default"), float):
                field["default"] = duration_text(field["default"])
        return schema


class Pseudonym(Section):
    """How a recipient is named where the address may not travel: HMAC-SHA-256."""

    key_id: Annotated[str, StringConstraints(pattern=KEY_ID)]
    """Stands in front of each pseudonym, so that the key can be changed."""
    key: Annotated[SecretStr, AfterValidator(_long_enough)]
    """The secret key, 16 bytes or more; keep it in a file: `${file:/path}`."""


class Quota(Section):
    """A named set of limits: one quota, one lane."""

    limits: tuple[RateLimit, ...]
    """All hold together; an empty list means unlimited."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The part of the limits that is ours; the rest is left to others who use the quota."""
    skew: Duration = 2.0
    """Clock skew between the vendor's servers, added to each period."""
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 16
    """Calls that may be under way at once."""
    linger: Duration = 1.0
    """How long a window that is not full waits; only for unlimited quotas."""
    first_start: Literal["used", "unused"] = "used"
    """Without a checkpoint: take the quota as used up (safe), or as unused."""
    max_held: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Invitations that the lane holds in memory."""
    call_timeout: PositiveDuration = 30.0
    """How long an answer is waited for."""


class Window(Section):
    """When a campaign's waiting invitations become a call."""

    max_batch: Annotated[int, Field(ge=1, le=100_000)] = 5000
    """Invitations in one call, at most."""
    max_wait: Duration = 600.0
    """An invitation that waited so long goes with the next permit, whatever it costs."""
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """How much this campaign's waiting counts beside that of the lane's other campaigns."""


class Campaign(Section):
    """What shares a call: a vendor account, a channel, the vendor's campaign id."""

    vendor: Name
    """A name under `vendors`."""
    channel: Channel
    """One that the vendor offers."""
    id: Text
    """The vendor's id of the campaign (Customer Radar: the programme); write it in quotes."""
    window: Window = Window()
    """When waiting invitations become a call."""
    in_doubt: Literal["report", "resend"] = "report"
    """Sent, but no answer came: report `unknown`, or send again (a survey may come twice)."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Calls that one invitation is tried in before it has failed."""
    responses_key: Literal["built_in_responses", "transactional_data"] = "built_in_responses"
    """The key in the call that carries the responses (Pisano only)."""


class EventKeys(Section):
    """Where an event has its identity."""

    id: Expression = "id"
    """JMESPath to the event's id."""
    time: Expression = "time"
    """JMESPath to the transaction's time: RFC 3339 with an offset, or epoch milliseconds."""


class Input(Section):
    """Topics whose events have one form."""

    topics: Annotated[tuple[TopicName, ...], Field(min_length=1)]
    """The topics to read; none in two inputs."""
    format: Literal["json"]
    """How the events are written."""
    event: EventKeys = EventKeys()
    """Where an event has its identity."""
    routes: Literal["first", "all"] = "first"
    """An event takes the first route that matches, or all that match."""
    max_event_bytes: Annotated[int, Field(ge=1, le=100 * 2**20)] = 2**20
    """A longer event becomes a dead letter."""


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


class Policy(Section):
    """The rules before a survey is sent."""

    expire_after: PositiveDuration = 72 * 3600.0
    """Counted from the transaction: later than that no survey is sent."""


DataValue = Annotated[
    Annotated[Expression, Tag("<expression>")] | Annotated[dict[Text, Expression], Tag("<map>")],
    Discriminator(lambda value: "<map>" if isinstance(value, dict) else "<expression>"),
]


class Route(Section):
    """One rule: which events, which customer, which survey, with which data."""

    name: Name
    """Unique; it is part of each invitation's id."""
    input: Name
    """A name under `inputs`."""
    match: dict[str, JsonValue] = {}
    """An event pattern (as Amazon EventBridge's); empty matches every event."""
    recipient: Recipient
    """Where the event has the customer's addresses."""
    phone_region: str | None = None
    """Region of phone numbers without a country code: two letters, as in TR."""
    send: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Names under `campaigns`: the first that can reach the recipient is used."""
    data: dict[Text, DataValue] = {}
    """The vendor's names → JMESPath, or a map of free names → JMESPath."""
    policy: Policy = Policy()
    """The rules before a survey is sent."""


class Admin(Section):
    """The HTTP server for metrics and health; it shows no personal data."""

    host: Text = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the container
    """The address to listen at."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """The port to listen at; 0 lets the system choose."""


def _any_account() -> Any:
    """The union of what the vendor modules register: a new vendor needs no line here."""
    accounts = tuple(vendor.Account for vendor in VENDORS.values())
    return Annotated[Union[accounts], Field(discriminator="type")]  # noqa: UP007


if TYPE_CHECKING:
    AnyAccount = Account
else:
    AnyAccount = _any_account()


class Config(Section):
    """The routing config of one application."""

    version: Literal[1]
    """Version of this format."""
    application_id: TopicSafe
    """Prefix of topics, groups and transactional ids."""
    kafka: Annotated[dict[str, KafkaSetting], Field(repr=False, examples=[KAFKA_EXAMPLE])]
    """librdkafka's settings, but for those that the program owns."""
    pseudonym: Pseudonym
    """How a recipient is named where the address may not travel."""
    quotas: Annotated[dict[TopicSafe, Quota], Field(min_length=1)]
    """Name → limits: one quota, one lane."""
    vendors: Annotated[dict[Name, AnyAccount], Field(min_length=1)]
    """Name → account; two tenants, two entries."""
    campaigns: Annotated[dict[Name, Campaign], Field(min_length=1)]
    """Name → what shares a call."""
    inputs: Annotated[dict[Name, Input], Field(min_length=1)]
    """Name → topics whose events have one form."""
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """The rules, in order."""
    admin: Admin = Admin()
    """The HTTP server for metrics and health."""

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any, /) -> None:
        """Keep what the checks found odd, which `load` passes as `{"warnings": …}`."""
        self._warnings = tuple((context or {}).get("warnings", ()))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd, but no reason to refuse the config."""
        return self._warnings

    @cached_property
    def config_version(self) -> str:
        """12 hex digits that change with the rules, not with secrets or the cluster's address.

        All of `kafka` is left out: any of its settings may carry a credential.
        """
        rules = self.model_dump(mode="json", exclude={"kafka"})
        text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def topics(self) -> Topics:
        """The names of the program's own topics."""
        return Topics(self.application_id)

    @cached_property
    def lanes(self) -> tuple[str, ...]:
        """The quotas that some campaign uses, in the config's order."""
        used = {self.lane_of(name) for name in self.campaigns}
        return tuple(quota for quota in self.quotas if quota in used)

    def lane_of(self, campaign: str) -> str:
        """The quota, and so the lane, of a campaign. Raises `KeyError` for an unknown one."""
        return self.vendors[self.campaigns[campaign].vendor].quota

    def campaigns_of(self, lane: str) -> dict[str, Campaign]:
        """A lane's campaigns by name, in the config's order."""
        return {
            name: campaign
            for name, campaign in self.campaigns.items()
            if self.lane_of(name) == lane
        }
