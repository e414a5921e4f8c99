"""Pisano: SMS, e-mail and push sharing calls, and links that it makes.

A sharing call carries up to 5,000 recipients. Source: the vendor's pages on sharing by SMS, e-mail
and push notification. They document no success body, no 429, no 5xx and no result per recipient. So
a 2xx means that every recipient of the call was invited, unless it has the form of a page, and a
coded 4xx that none was.

Links that it makes have calls of their own (`pisano_links.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, Literal, Protocol
from urllib.parse import quote

from msgspec import Raw
from pydantic import AfterValidator, Field, JsonValue, SecretStr, field_validator

from consumer.records.call import Answer, Call, Outcome
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.invitation import CallParts
from consumer.vendors import protocol
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import (
    FOREIGN_SUCCESS,
    code_in,
    decided_by_status,
    has_form,
    message_in,
    outcome,
    parse,
    row_of,
)
from consumer.vendors.http_batch.answer_rules import checked_expression, value_getter
from consumer.vendors.json_parts import json_list, json_object, named_object
from consumer.vendors.pisano_links import SPEC, is_link_call, link_call, read_link

CODES: Final[Mapping[str, Row]] = {
    "13000": Row(Kind.TROUBLE, "The vendor reports an error of its own."),
    "13001": Row(Kind.CREDENTIALS, "The API token is wrong."),
    "13002": Row(Kind.CAMPAIGN, "There is no such campaign, or not on this channel."),
    "13003": Row(Kind.BY_STATUS, "A reset token is missing (not from a sharing call)."),
    "13005": Row(Kind.CAMPAIGN, "No flow is connected to the campaign's node or its parents."),
    "13007": Row(Kind.CAMPAIGN, "The account may not change the campaign's node."),
    "13008": Row(Kind.BY_STATUS, "A record cannot be deleted (not from a sharing call)."),
    "13009": Row(Kind.BY_STATUS, "A question has answers already (not from a sharing call)."),
    "13010": Row(Kind.CAMPAIGN, "The user behind the campaign does not exist."),
    "13011": Row(Kind.CREDENTIALS, "The user that owns the token is inactive."),
    "13012": Row(Kind.BY_STATUS, "An old password does not match (not from a sharing call)."),
    "13013": Row(Kind.CAMPAIGN, "The account may not use this campaign."),
    "13014": Row(Kind.BY_STATUS, "An activation code is wrong (not from a sharing call)."),
    "13015": Row(Kind.RECIPIENT, "A required field is missing for a recipient."),
    "13016": Row(Kind.CREDENTIALS, "The vendor does not know the API token."),
    "13017": Row(Kind.RECIPIENT, "A value that must be unique appears twice."),
    "13018": Row(Kind.BY_STATUS, "A response does not exist (not from a sharing call)."),
    "13019": Row(Kind.BY_STATUS, "An activation token is missing (not from a sharing call)."),
    "13020": Row(Kind.BY_STATUS, "A node type is reserved (not from a sharing call)."),
    "13024": Row(Kind.RECIPIENT, "A recipient has several responses where one is allowed."),
    "13026": Row(Kind.BY_STATUS, "A captcha is wrong (not from a sharing call)."),
    "13028": Row(Kind.RECIPIENT, "A recipient or one of its values is not valid."),
    "13029": Row(Kind.BY_STATUS, "A security hash is wrong (not from a sharing call)."),
    "13030": Row(Kind.CREDENTIALS, "The API token is not valid."),
    "13031": Row(Kind.BY_STATUS, "The vendor's proxy settings are wrong."),
    "13032": Row(Kind.CREDENTIALS, "The account's credentials are wrong."),
    "13033": Row(Kind.CREDENTIALS, "The SDK credentials are wrong."),
    "13034": Row(Kind.CAMPAIGN, "The campaign's flow is not valid."),
    "13035": Row(Kind.CAMPAIGN, "The campaign's node does not exist."),
    "13036": Row(Kind.CREDENTIALS, "The account is locked."),
    "13037": Row(Kind.BY_STATUS, "A CSV file is malformed (not from a sharing call)."),
    "13038": Row(Kind.RECIPIENT, "A recipient lacks a key that identifies the customer."),
}
"""Every code on the vendor's pages → its meaning for a sender.

The code decides before the status: refused credentials come as 400, 401, 403, 404 and 409.
"""


@dataclass(frozen=True, slots=True)
class _Sharing:
    """The names of one channel: path segments, the key of the recipients, their address."""

    campaigns: str
    sharings: str
    recipients: str
    address: Literal["phone", "email"]


_SHARINGS: Final[Mapping[Channel, _Sharing]] = {
    Channel.SMS: _Sharing("sms_campaigns", "sms_sharings", "phone_numbers", "phone"),
    Channel.EMAIL: _Sharing("email_campaigns", "email_sharings", "emails", "email"),
    # Push needs phone numbers, too: the vendor finds the customer's devices by them.
    Channel.PUSH: _Sharing(
        "push_notification_campaigns", "push_notification_sharings", "phone_numbers", "phone"
    ),
}

_DIGITS = 5

PATH_HINT: Final = (
    "check the campaign's `id` and `channel`, and the account's `base_url` and `trailing_slash`"
)
"""What an operator checks if the vendor does not know the path."""

_OF_PATH: Final = frozenset({"13002", "13035"})
_PATH_STATUSES: Final = frozenset({301, 307, 308, 404, 405})

_MAPS = ("custom_attributes", "built_in_responses")
_EMPTY = Raw(b"{}")


class PisanoAccount(protocol.Account):
    """A config entry of `type: pisano`.

    `authorization` is the header's template, for the vendor's pages give two forms of it.
    """

    type: Annotated[Literal["pisano"], Field(description="the vendor")]
    token: Annotated[SecretStr, Field(description="the API token")]
    authorization: Annotated[
        str, Field(description="the Authorization header; must contain {token}")
    ] = "Token token={token}"
    trailing_slash: Annotated[
        bool, Field(description="whether calls' paths end in / (an installation may ask for it)")
    ] = False

    link_at: Annotated[
        Annotated[str, AfterValidator(checked_expression)] | None,
        Field(
            description="JMESPath to the link in the answer of a `generated_link`; else it is the"
            " answer's one https link",
            examples=["link"],
        ),
    ] = None

    _token = field_validator("token")(protocol.checked_token)

    @field_validator("authorization")
    @classmethod
    def _has_token(cls, value: str) -> str:
        if "{token}" not in value:
            raise ValueError("must contain {token}")
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise ValueError("must be printable ASCII without spaces at its ends")
        return value


class PisanoOptions(protocol.CampaignOptions):
    """Pisano's own keys of a campaign."""

    responses_key: Annotated[
        Literal["built_in_responses", "transactional_data"],
        Field(description="The key in the call that carries the responses (Pisano only)."),
    ] = "built_in_responses"
    link_options: Annotated[
        dict[str, JsonValue],
        Field(description="The `options` of a call for a `generated_link` (Pisano only)."),
    ] = Field(default_factory=dict)


class PisanoCampaign(protocol.VendorCampaign, Protocol):
    """A campaign with `PisanoOptions`."""

    @property
    def responses_key(self) -> str: ...
    @property
    def link_options(self) -> Mapping[str, JsonValue]: ...


class Pisano:
    """One Pisano account. The token is long-lived: there is no login."""

    Account: ClassVar[type[protocol.Account]] = PisanoAccount
    CampaignOptions: ClassVar[type[protocol.CampaignOptions]] = PisanoOptions
    channels: ClassVar[Mapping[Channel, ChannelSpec]] = {
        channel: ChannelSpec(addresses=(sharing.address,), maps=frozenset(_MAPS))
        for channel, sharing in _SHARINGS.items()
    } | {
        # The company makes and delivers the link: an address only identifies the recipient.
        Channel.LINK: ChannelSpec(addresses=("phone", "email"), anyone=True),
        Channel.GENERATED_LINK: SPEC,
    }
    codes: ClassVar[Mapping[str, str]] = {code: row.meaning for code, row in CODES.items()}

    def __init__(self, account: PisanoAccount) -> None:
        token = account.token.get_secret_value()
        self._end = "/" if account.trailing_slash else ""
        self._link_at = None if account.link_at is None else value_getter(account.link_at)
        self._headers = {
            "Authorization": account.authorization.replace("{token}", token),
            "Content-Type": "application/json",
        }

    def spec(self, channel: Channel) -> ChannelSpec:
        """Return the channel's spec, the same for every account."""
        return self.channels[channel]

    def build(
        self,
        campaign: PisanoCampaign,
        invitations: Sequence[CallParts],
        token: str | None,  # noqa: ARG002 - the interface is shared with vendors that log in
    ) -> Call:
        """Build POST /v1/<campaigns>/<id>/<sharings>, as in the pages' samples.

        Their table has a slash at the end, which the account's `trailing_slash` adds.
        `custom_attributes` and the responses are maps keyed by the recipient as in the array. A
        recipient without any is left out of a map, an empty map out of the body. `responses_key`
        applies to e-mail only, for which the vendor's pages name both. A `generated_link` is asked
        for by another call, of one customer.
        """
        if campaign.channel is Channel.GENERATED_LINK:
            (invitation,) = invitations
            path, content = link_call(campaign.id, campaign.link_options, invitation)
            return Call("POST", path + self._end, self._headers, content)
        sharing = _SHARINGS[campaign.channel]
        recipients = [invitation.address[sharing.address] for invitation in invitations]
        body = {sharing.recipients: json_list(recipients)}
        for name in _MAPS:
            entries = [
                (recipient, entry)
                for recipient, invitation in zip(recipients, invitations, strict=True)
                if (entry := invitation.data.get(name)) is not None and entry != _EMPTY
            ]
            if entries:
                body[_body_key(name, campaign)] = json_object(entries)
        path = (
            f"/v1/{sharing.campaigns}/{quote(campaign.id, safe='')}/{sharing.sharings}{self._end}"
        )
        return Call("POST", path, self._headers, named_object(body))

    def read_call(self, answer: Answer, call: Call) -> Outcome:
        """Read an answer; of an accepted link call the outcome has the link."""
        read = self.read(answer)
        return read_link(answer, read, self._link_at) if is_link_call(call) else read

    def read(self, answer: Answer) -> Outcome:
        """Read an answer by the code if a refusal (not 429) has a known one, else by the status.

        A 2xx in the form of a JSON interface is accepted, and a 5xx in doubt, whatever the body
        says. A refusal without a code of five digits is not the vendor's own.
        """
        document = parse(answer.body)
        code = code_in(document, CODES)
        by_code = CODES.get(code or "")
        by_status = row_of(answer, own=_is_coded(code))
        if by_status.kind is Kind.ACCEPTED:
            if not has_form(answer):
                return outcome(answer, FOREIGN_SUCCESS.kind, None, FOREIGN_SUCCESS.meaning)
            return outcome(answer, Kind.ACCEPTED, code if by_code else None, None)
        hint = PATH_HINT if code in _OF_PATH or answer.status in _PATH_STATUSES else None
        if by_code is None:
            message = message_in(document) or by_status.meaning
            return replace(outcome(answer, by_status.kind, code, message), hint=hint)
        status_decides = by_code.kind is Kind.BY_STATUS or by_status.kind is Kind.THROTTLED
        row = by_status if status_decides or _by_status_alone(answer.status) else by_code
        return replace(outcome(answer, row.kind, code, by_code.meaning), hint=hint)


def _is_coded(code: str | None) -> bool:
    """Tell whether a code has the vendor's form of five digits; a gateway's has three."""
    return code is not None and len(code) == _DIGITS and code.isdigit()


def _by_status_alone(status: int) -> bool:
    """Tell whether the status decides alone. A 408 with a code is the vendor's own refusal."""
    return decided_by_status(status) and status != 408


def _body_key(name: str, campaign: PisanoCampaign) -> str:
    if name == "built_in_responses" and campaign.channel is Channel.EMAIL:
        return campaign.responses_key
    return name
