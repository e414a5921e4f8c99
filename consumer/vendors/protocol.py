"""The interface of every vendor module: build a call, read an answer; no I/O, no clock.

A vendor is one file: its account, its channels, its bodies and the table of its codes' meanings.
`answers.py` has what vendors share in reading an answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Final, Protocol, Self, runtime_checkable

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import Url

from consumer.records.call import Answer, Call, Outcome, Token
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.invitation import CallParts

_TOKEN = re.compile(r"[\x21-\x7e]+")
_CERT: Final = "-----BEGIN CERTIFICATE-----"
_KEY: Final = "-----BEGIN PRIVATE KEY-----"


def _parsed(value: str, example: str = "https://host.example") -> Url:
    try:
        url = Url(value)
    except ValueError:
        # The cause would repeat the value, which may contain a password.
        raise ValueError(f"must be a URL such as {example}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"must be a URL such as {example}")
    return url


def _has(mark: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if mark not in value.get_secret_value():
            raise ValueError(f'must be PEM text with {mark}; a file is written "${{file:PATH}}"')
        return value

    return AfterValidator(check)


def _plain_proxy(value: SecretStr) -> SecretStr:
    url = _parsed(value.get_secret_value(), "http://host:port")
    if url.scheme != "http" or url.path not in {None, "", "/"} or url.query or url.fragment:
        raise ValueError("must be http://host:port: calls go through it by CONNECT")
    return value


# The examples also replace the files when a config is checked without its secrets.
Certificates = Annotated[SecretStr, _has(_CERT), Field(examples=[_CERT])]
PrivateKey = Annotated[SecretStr, _has("PRIVATE KEY-----"), Field(examples=[_KEY])]
_Proxy = Annotated[
    SecretStr, AfterValidator(_plain_proxy), Field(examples=["http://proxy.example:3128"])
]


def plain_url(value: str, *, http_allowed: bool) -> str:
    """Return a URL in normal form, to which a path can be appended; raises ValueError."""
    url = _parsed(value)
    if url.username or url.password:
        raise ValueError("must not contain a user name or password")
    if url.query is not None or url.fragment is not None:
        raise ValueError("must not have a query (?) or a fragment (#)")
    if url.scheme != "https" and not (http_allowed or _is_loopback(url.host or "")):
        raise ValueError(
            "must start with https://; http needs a loopback host or `allow_http: true`"
        )
    return str(url).rstrip("/")


class Account(BaseModel):
    """One account at a vendor: what its config entry has besides the vendor's own fields.

    `base_url` is kept in normal form (lower-case host, no default port, no slash at the end), so
    that a call's path can be appended to it. What certificates and keys are worth, `http.tls`
    finds out: here they are text.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,  # a refused URL or token must not appear in the error
    )

    type: str
    paused: Annotated[
        bool, Field(description="its invitations wait until this is false again, or expire")
    ] = False
    # Precedes `base_url`, whose validator reads it.
    allow_http: Annotated[bool, Field(description="accept http on any host (on-premises)")] = False
    base_url: Annotated[str, Field(description="https, or http on a loopback host")]
    quota: Annotated[str, Field(description="a name under `quotas`: one quota, one lane")]
    ca: Annotated[
        Certificates | None,
        Field(description="CA certificates to trust, and no others: ${file:PATH}"),
    ] = None
    client_cert: Annotated[
        Certificates | None, Field(description="our certificate for the vendor: ${file:PATH}")
    ] = None
    client_key: Annotated[
        PrivateKey | None, Field(description="the key of `client_cert`: ${file:PATH}")
    ] = None
    proxy: Annotated[
        _Proxy | None,
        Field(description="the proxy on the way: http://host:port, user:password@ before the host"),
    ] = None

    @field_validator("base_url")
    @classmethod
    def _plain_base_url(cls, value: str, info: ValidationInfo) -> str:
        # A refused `allow_http` is absent here: then one problem is reported, not two.
        return plain_url(value, http_allowed=info.data.get("allow_http", True))

    @model_validator(mode="after")
    def _certificate_has_key(self) -> Self:
        if (self.client_cert is None) != (self.client_key is None):
            raise ValueError("`client_cert` and `client_key` go together")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_header_token(value: str) -> bool:
    """Tell whether a token fits an HTTP header: printable ASCII without spaces, not empty."""
    return _TOKEN.fullmatch(value) is not None


def checked_token(secret: SecretStr) -> SecretStr:
    """Return the secret; raises ValueError (without its value) if it does not fit a header."""
    if not is_header_token(secret.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces (an HTTP header carries it)")
    return secret


class VendorCampaign(Protocol):
    """What every vendor module may read of a campaign."""

    @property
    def channel(self) -> Channel: ...
    @property
    def id(self) -> str: ...


class CampaignOptions(BaseModel):
    """Keys of a campaign's config entry that this vendor alone reads; by default none."""


class Vendor(Protocol):
    """One vendor account. `Account` is the pydantic model of its config entry (with `type`), and
    `CampaignOptions` adds keys to those of every campaign.

    `channels` is what the vendor offers; `spec` is this account's version of one of them. `codes`
    are those that its page or its config names: any other may be a customer's word. With their
    meanings (code → our words) these stand beside the codes in log and status.
    """

    Account: ClassVar[type[Account]]
    CampaignOptions: ClassVar[type[CampaignOptions]]
    channels: ClassVar[Mapping[Channel, ChannelSpec]]

    @property
    def codes(self) -> Collection[str]: ...

    def __init__(self, account: Any) -> None:
        """Keep `account`, an instance of this class's own `Account`."""

    def spec(self, channel: Channel) -> ChannelSpec:
        """Return what a recipient needs, and may carry, on a channel of `channels`."""

    def build(self, campaign: Any, invitations: Sequence[CallParts], token: str | None) -> Call:
        """Build one sharing call for all invitations, whose parts are JSON already.

        `campaign` is a `VendorCampaign` that has the keys of this class's own `CampaignOptions`.
        The router and the window guarantee at least one invitation, for each an address and the
        fields that `spec` requires, and distinct recipients.
        """

    def read(self, answer: Answer) -> Outcome:
        """Return the outcome of an answer for every invitation of the call; never raises."""


@runtime_checkable
class LoginVendor(Protocol):
    """A vendor whose calls need a session: `build` is given its token. Where only some accounts
    need one, its `logs_in` says whether this one does."""

    def login(self) -> Call:
        """Build the call that opens a session."""

    def read_login(self, answer: Answer, now: float) -> Token | Outcome:
        """Return the token, or why there is none; never raises. `now` is epoch seconds."""


@runtime_checkable
class CallReader(Protocol):
    """A vendor whose answers mean more beside the call that they answer."""

    def read_call(self, answer: Answer, call: Call) -> Outcome:
        """Return the outcome of this very call's answer, in place of `read`; never raises."""


def login_vendor(vendor: Vendor) -> LoginVendor | None:
    """Return the vendor if this account's calls need a session, else None."""
    needed = isinstance(vendor, LoginVendor) and getattr(vendor, "logs_in", True)
    return vendor if needed else None  # type: ignore[return-value]  # an instance, as it says
