"""The config of the rules before a survey is sent, as far as they look at one event alone.

The rules that look at a person's history are in `contact_sections`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, JsonValue, Tag, model_validator

from consumer.config.contact_sections import Deduplicate, Pace
from consumer.config.durations import Duration, PositiveDuration
from consumer.config.fields import Expression, Name, Text
from consumer.config.section import Section
from consumer.policy import quiet_hours
from consumer.policy.quiet_hours import QuietTime
from consumer.policy.quiet_text import (
    dates_from_text,
    quiet_time_from_parts,
    quiet_time_from_text,
    time_of_day_from_text,
)
from consumer.records.channel import Channel

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of all, from 0 to 1."""

Delay = Annotated[Duration, Field(le=90 * 86400.0)]
"""Seconds; the delay topics keep a record for at most 100 days."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _checked_by(parse: Callable[[str], object]) -> AfterValidator:
    """Return a validator that keeps the text; `parse` raises ValueError for a bad one."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


TimeOfDay = Annotated[str, _checked_by(time_of_day_from_text), Field(examples=["10:00"])]
TimeRange = Annotated[str, _checked_by(quiet_time_from_text), Field(examples=["21:00-09:00"])]
Dates = Annotated[str, _checked_by(dates_from_text), Field(examples=["2026-12-25"])]


class QuietDays(Section):
    """Quiet times of some days only."""

    times: TimeRange | None = None
    """From when to when, as in 21:00-09:00; it belongs to the day on which it begins."""
    all_day: bool = False
    """From midnight to midnight."""
    days: tuple[Weekday, ...] | None = None
    """Days of the week: mon, tue, wed, thu, fri, sat, sun."""
    dates: (
        Annotated[
            Annotated[Dates, Tag("<lines>")] | Annotated[tuple[Dates, ...], Tag("<list>")],
            Discriminator(lambda value: "<lines>" if isinstance(value, str) else "<list>"),
        ]
        | None
    ) = None
    """Dates, as in 2026-12-25: a list, or lines of a file: `${file:holidays.txt}`."""

    @model_validator(mode="after")
    def _some_time(self) -> QuietDays:
        if self.days is None and self.dates is None:
            raise ValueError("expected days or dates; for every day write the times alone")
        self.compiled()
        return self

    def compiled(self) -> QuietTime:
        """Return the quiet time. Raises ValueError for keys that exclude each other."""
        return quiet_time_from_parts(
            times=self.times, days=self.days, dates=self.dates, all_day=self.all_day
        )


QuietEntry = Annotated[
    Annotated[TimeRange, Tag("<each day>")] | Annotated[QuietDays, Tag("<some days>")],
    Discriminator(lambda value: "<each day>" if isinstance(value, str) else "<some days>"),
]


class QuietHours(Section):
    """When no survey is sent, by the customer's own clock."""

    times: Annotated[tuple[QuietEntry, ...], Field(min_length=1, max_length=50)]
    """Stretches of each day, as in 21:00-09:00, or of some days."""
    margin: Duration = 0.0
    """No call in this time before a quiet stretch: the vendor's own queue sends later."""
    at_quiet: Literal["wait", "drop"] = "wait"
    """An invitation due in quiet hours waits for their end, or ends `suppressed`."""

    def compiled(self) -> quiet_hours.QuietHours:
        """Return the quiet hours that the rules ask."""
        times = (
            quiet_time_from_text(entry) if isinstance(entry, str) else entry.compiled()
            for entry in self.times
        )
        return quiet_hours.QuietHours(tuple(times), self.margin, self.at_quiet)


class CustomerSince(Section):
    """The least time since a person became a customer."""

    at: Expression
    """JMESPath to the time since when; an event without it is held back."""
    at_least: PositiveDuration
    """Counted back from the transaction."""


class Sample(Section):
    """A part of the customers, chosen by chance: raising the rate keeps everyone in it."""

    rate: Share
    """The part that is invited."""
    by: Expression = "person"
    """`person`, `event`, or JMESPath: equal values are in or out together."""
    salt: Text
    """Another text chooses another part."""


class Holdout(Section):
    """A control group that is never asked."""

    rate: Share
    """The part that is held out."""
    by: Expression = "person"
    """`person`, `event`, or JMESPath: equal values are in or out together."""
    salt: Text
    """Another text chooses another part; use one for all routes."""


class Policy(Section):
    """The rules before a survey is sent."""

    expire_after: PositiveDuration = 72 * 3600.0
    """Counted from the transaction: later than that no survey is sent."""
    delay: Delay = 0.0
    """From the transaction to the survey, at least."""
    timezone: tuple[Expression, ...] = ()
    """Where the customer's time zone is: JMESPath or `phone`, in order; the last one a literal."""
    send_at: TimeOfDay | None = None
    """After the delay, wait for the next such time of the customer's day."""
    spread: Duration = 0.0
    """Invitations that quiet hours held back go within this time after their end, not at once."""
    quiet_hours: QuietHours | None = None
    """When no survey is sent, by the customer's own clock."""
    consent: dict[Channel, Expression] = {}
    """Channel → JMESPath: only the value `true` allows it."""
    customer_since: CustomerSince | None = None
    """The least time since a person became a customer."""
    rules: dict[Name, dict[str, JsonValue]] = {}
    """Name of an installed plugin → its options: own rules (docs/plugins.md)."""
    sample: Sample | None = None
    """Invite a part of the customers."""
    holdout: Holdout | None = None
    """Never ask a control group."""
    pace: Pace | None = None
    """At most so many surveys in a calendar period."""
    deduplicate: Deduplicate | None = None
    """One survey for equal values."""

    @property
    def needs_zone(self) -> bool:
        """Whether a rule goes by the customer's clock."""
        return self.quiet_hours is not None or self.send_at is not None


class RoutePolicy(Policy):
    """The rules before a survey is sent: a named policy, and what differs from it."""

    base: Name | None = None
    """A name under `policies`; the keys beside it replace those of the policy."""

    def over(self, base: Policy) -> Policy:
        """Return the base with the keys that are written here."""
        values = {key: getattr(base, key) for key in Policy.model_fields}
        values |= {key: getattr(self, key) for key in self.model_fields_set - {"base"}}
        return Policy.model_construct(**values)


PolicyChoice = Annotated[
    Annotated[Name, Tag("<name>")] | Annotated[RoutePolicy, Tag("<policy>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<policy>"),
]


class Split(Section):
    """Campaigns of which chance chooses one for each customer."""

    split: Annotated[dict[Name, Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=2)]
    """Names under `campaigns` → weight."""
    by: Expression = "person"
    """`person`, `event`, or JMESPath: equal values take the same campaign."""
    salt: Text | None = None
    """Another text deals customers anew; by default the route's name."""


SendEntry = Annotated[
    Annotated[Name, Tag("<campaign>")] | Annotated[Split, Tag("<split>")],
    Discriminator(lambda value: "<campaign>" if isinstance(value, str) else "<split>"),
]


class Exclude(Section):
    """Addresses and events that are never sent a survey, whatever the route."""

    emails: tuple[Text, ...] = ()
    """E-mail addresses; `*` stands for any text, as in `*@ourcompany.example`."""
    phones: tuple[Text, ...] = ()
    """Phone numbers as in +905321234567; `*` stands for any digits."""
    match: dict[str, JsonValue] | None = None
    """An event pattern, as of a route."""


class Testers(Section):
    """Where the surveys of `mode: redirect` go."""

    phone: Text | None = None
    """A phone number with its country code."""
    email: Text | None = None
    """An e-mail address."""

    @model_validator(mode="after")
    def _some_address(self) -> Testers:
        if self.phone is None and self.email is None:
            raise ValueError("expected phone, email or both")
        return self
