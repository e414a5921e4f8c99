"""The double's settings: credentials, campaigns, quotas, latency and faults.

`SandboxSettings()` works as it is: it knows the sample ids of the vendors' published pages, has no
quota, answers at once and shows no faults. All ids and credentials are made up or public samples,
so none is a secret of a real account.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from consumer.sandbox.throttle import Algorithm, Limit, parse_limit

Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """A misspelt setting is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


PisanoChannel = Literal["sms", "email", "push", "generated_link"]


class PisanoCampaign(_Strict):
    """A campaign of the pretended Pisano account.

    `authorization`, `trailing_slash`: where it belongs to another account than the others. `quota`:
    a name under `quotas` that its calls count against, instead of `pisano_quota`.
    """

    id: str
    channel: PisanoChannel
    authorization: Annotated[str | None, Field(repr=False)] = None
    trailing_slash: bool | None = None
    quota: str | None = None


class RadarProgramme(_Strict):
    """A programme at Customer Radar.

    `locations`: location id → ids of its points of measure (two or more: the entry must name
    one). `any_location`: others are known too. `postmark`: e-mail is set up, so an entry with an
    e-mail but no mobile can be sent. `client`: where it is another one's than the account says.
    `quota`: a name under `quotas` that its calls count against, instead of `radar_quota`.
    """

    id: str
    locations: dict[str, list[str]]
    postmark: bool = True
    any_location: bool = False
    client: str | None = None
    quota: str | None = None


class BatchAnswer(_Strict):
    """An answer of a vendor that is known by its account alone: its status and its code."""

    status: int
    code: str | None = None


class BatchLogin(_Strict):
    """OAuth's client credentials of an account: where a token is asked for, and with what.

    `fields`: what the form holds. `authorization`: the header's value, if one is asked for.
    """

    path: str
    fields: Annotated[dict[str, str], Field(repr=False)]
    authorization: Annotated[str | None, Field(repr=False)] = None


class BatchFailures(_Strict):
    """How an answer lists the entries of an accepted call that failed, by keys that lead there.

    `name_at`: where a failure has the entry's name, which is `named_by`; `first`: the number of the
    first entry. `status`, `code`: of such an answer, and of each failure.
    """

    status: int
    list_at: list[str]
    named_by: Literal["index", "address", "id"]
    name_at: list[str]
    first: int = 0
    code_at: list[str] = []
    code: str = "E1"


class BatchAccount(_Strict):
    """An account at a vendor that takes invitations by HTTP: the form of its calls and answers.

    `path`, `body`, `recipient`: templates as of the program's `http_batch`; without `recipient` a
    call has one recipient, whose places stand in path and body. `base_path`: what may stand before
    the path. `headers`: values to ask for, {token} is that of a login; `private_headers`: those
    that carry a credential; `other_headers`: those that may have any value. `code_at`,
    `reference_at`: the keys that lead to a code and to the id of an accepted call; empty: an answer
    has none. `failures`: bad recipients do not refuse the call, but are listed in its answer.
    """

    method: str = "POST"
    encoding: Literal["json", "form"] = "json"
    path: str
    base_path: str = ""
    headers: Annotated[dict[str, str], Field(repr=False)] = {}
    private_headers: list[str] = []
    other_headers: list[str] = []
    login: BatchLogin | None = None
    body: JsonValue
    recipient: JsonValue = None
    campaigns: list[str] = []
    quota: str | None = None
    code_at: list[str] = []
    reference_at: list[str] = []
    success: BatchAnswer = BatchAnswer(status=200)
    bad_recipient: BatchAnswer = BatchAnswer(status=422)
    campaign_error: BatchAnswer = BatchAnswer(status=404)
    credentials: BatchAnswer = BatchAnswer(status=401)
    failures: BatchFailures | None = None


class Quota(_Strict):
    """A vendor's throttle. No limits: unlimited.

    `limits`: `<calls>/<number><ms|s|m|h|d>`, all in force together. `offset`: seconds by which
    the windows of `fixed` and `weighted` are shifted from multiples of their period.
    `send_retry_after`: put `Retry-After` on a 429; the vendors' pages promise none.
    """

    limits: list[str] = []
    algorithm: Algorithm = "fixed"
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    send_retry_after: bool = False

    @model_validator(mode="after")
    def _limits_are_readable(self) -> Self:
        self.parsed()
        return self

    def parsed(self) -> tuple[Limit, ...]:
        """Return the limits as calls and seconds; raises `ValueError` for a malformed one."""
        return tuple(map(parse_limit, self.limits))


class Latency(_Strict):
    """How long an answer takes, in milliseconds.

    `fixed`: `ms`. `uniform`: `ms` ± `spread`. `lognormal`: median `ms`, sigma `spread` (1.0 is a
    heavy tail). `before`: the share of it that passes before the request is counted and acted
    on, as a slow network does: two requests then arrive in another rhythm than they left.
    """

    kind: Literal["fixed", "uniform", "lognormal"] = "fixed"
    ms: Milliseconds = 0.0
    spread: Milliseconds = 0.0
    before: Share = 0.5


Code = Annotated[str, Field(pattern=r"^[0-9]{5}$")]
FaultKind = Annotated[
    str,
    Field(
        pattern=r"^(error_500|error_503|reset|hang|truncate|html_200|gateway_403|gateway_404"
        r"|unauthorized|[0-9]{5})$"
    ),
]
"""A fault of `Faults` by its name, or a vendor's error code."""


class Faults(_Strict):
    """Trouble by kind: for a share of the calls, or for all calls of a campaign or a customer. At
    most one kind meets a call: a customer's first, then the campaign's, then one by chance.

    `reset`: the connection is cut without an answer. `hang`: no answer ever. `truncate`: half of
    the body. `html_200`: a page of a proxy. `gateway_403`, `gateway_404`: a firewall and a gateway
    refuse the call before it reaches the vendor. `unauthorized`: the vendor refuses the token.
    `code`: vendor's error code → share; codes that begin with 13 are Pisano's, others Customer
    Radar's; they refuse the whole call. `act_before_fault`: a call that shows any fault but a
    refusal was carried out all the same; the client cannot know, the journal does.

    `campaigns`: kind → ids of campaigns (or programmes) whose every call meets it. `customers`:
    kind → addresses; every call that carries one of them meets it.
    """

    error_500: Share = 0.0
    error_503: Share = 0.0
    reset: Share = 0.0
    hang: Share = 0.0
    truncate: Share = 0.0
    html_200: Share = 0.0
    gateway_403: Share = 0.0
    gateway_404: Share = 0.0
    unauthorized: Share = 0.0
    code: dict[Code, Share] = {}
    campaigns: dict[FaultKind, frozenset[str]] = {}
    customers: Annotated[dict[FaultKind, frozenset[str]], Field(repr=False)] = {}
    act_before_fault: bool = True
    vendors: frozenset[Literal["pisano", "radar", "batch"]] = frozenset(
        {"pisano", "radar", "batch"}
    )

    @model_validator(mode="after")
    def _rates_are_shares_of_one(self) -> Self:
        if sum(self.rates().values()) > 1 + 1e-9:
            raise ValueError("the fault rates add up to more than 1")
        return self

    @model_validator(mode="after")
    def _each_has_one_kind(self) -> Self:
        for field, kinds in (("campaigns", self.campaigns), ("customers", self.customers)):
            listed = list(chain.from_iterable(kinds.values()))
            if len(set(listed)) < len(listed):
                raise ValueError(f"one of the {field} is listed under two kinds of fault")
        return self

    def rates(self) -> dict[str, float]:
        """Return kind → share; a code is a kind of its own, named by its digits."""
        others = {"code", "campaigns", "customers", "act_before_fault", "vendors"}
        kinds = [name for name in type(self).model_fields if name not in others]
        return {kind: getattr(self, kind) for kind in kinds} | self.code


SAMPLE_TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but this double
SAMPLE_PASSWORD = "sandbox-password"  # noqa: S105 - opens nothing but this double
SAMPLE_CAMPAIGNS = (
    PisanoCampaign(id="ae51458c-9e82-417f-8f1d-e074891ea5c1", channel="sms"),
    PisanoCampaign(id="735c19a7-ee54-4b03-a84a-93dfe2a94a56", channel="email"),
    PisanoCampaign(id="a6aa1866-dcaa-462c-a52d-0c22b0ca1616", channel="push"),
)
SAMPLE_PROGRAMME = RadarProgramme(
    id="1cf118a0326d47aa851a90b9674e90aa",
    locations={"1cf118a0326d47aa851a90b9674e90aa": ["7547ct569yh67n0326vghddte86bkkn"]},
)


class Account(_Strict):
    """What the vendors know of us; it may change while they serve (`POST /_sandbox/account`).

    `pisano_authorization`: the form that is asked for. `pisano_trailing_slash`: whether paths are
    known with a slash at their end, and only so. `radar_users`: further users and their passwords,
    `radar_user_quotas` the quotas of their logins. `quotas`: further throttles, by name.
    `bad_recipients`: addresses for which the whole call is refused.
    """

    pisano_token: Annotated[str, Field(min_length=1, repr=False)] = SAMPLE_TOKEN
    pisano_authorization: Annotated[str, Field(pattern=r"\{token\}")] = "Token token={token}"
    pisano_trailing_slash: bool = False
    radar_username: str = "sandbox"
    radar_password: Annotated[str, Field(repr=False)] = SAMPLE_PASSWORD
    radar_users: Annotated[dict[str, str], Field(repr=False)] = {}
    radar_client: str = "8291a9ed952342c5b5fe2915f2189e7c"
    campaigns: list[PisanoCampaign] = list(SAMPLE_CAMPAIGNS)
    radar_programmes: list[RadarProgramme] = [SAMPLE_PROGRAMME]
    radar_user_quotas: dict[str, str] = {}
    batch_accounts: list[BatchAccount] = []
    quotas: dict[str, Quota] = {}
    bad_recipients: Annotated[frozenset[str], Field(repr=False)] = frozenset()


class SandboxSettings(Account):
    """Everything that `create_app` and `SandboxServer` need.

    `port` 0 is any free port. `token_ttl`: seconds that a Customer Radar token lives.
    `max_customers`: recipients of one Pisano call; Customer Radar documents no such limit.
    `journal_file`: one JSON line per call, with recipients in clear, for a checker; it is appended
    to.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    pisano_quota: Quota = Quota()
    radar_quota: Quota = Quota()
    latency: Latency = Latency()
    faults: Faults = Faults()
    seed: int = 0
    max_customers: Annotated[int, Field(ge=1)] = 5000
    token_ttl: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600.0
    journal_file: Path | None = None

    def with_account(self, account: Account) -> SandboxSettings:
        """Return a copy with the fields set in `account`; its defaults change nothing."""
        said = {name: getattr(account, name) for name in account.model_fields_set}
        return self.model_copy(update=said)
