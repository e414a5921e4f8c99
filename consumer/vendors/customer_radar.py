"""Customer Radar: e-mail or SMS invitations, behind a login whose token is valid for an hour.

Source: the vendor's page on feedback invitations. Its table and its text differ on the required
address, and its key names are partly blank: the names are those of its JSON sample, and the
account's `recipient` says which address counts. The answer has one id for the whole `sendData`, so
it holds for every recipient of the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

import orjson
from pydantic import Field, SecretStr

from consumer.records.call import (
    Answer,
    Call,
    Outcome,
    Token,
    Verdict,
)
from consumer.records.channel import Channel, ChannelSpec, Listed
from consumer.records.invitation import CallParts
from consumer.vendors import protocol
from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import (
    as_reference,
    code_in,
    message_in,
    outcome,
    parse,
    row_of,
    row_of_status,
)
from consumer.vendors.json_parts import Json, json_list, named_object, parsed
from consumer.vendors.retry_after import moment

TOKEN_LIFETIME: Final = 3_600.0
"""Seconds that a token is valid by the vendor's page, if the answer has no usable expiration."""

_LONGEST_LIFETIME = 86_400.0

_DATE_RESOLUTION = 1.0
"""Seconds that an HTTP date may be behind the vendor's clock."""

SUCCESS: Final = "00000"

CODES: Final[Mapping[str, Row]] = {
    SUCCESS: Row(Kind.ACCEPTED, "The vendor took the call."),
}
"""The only code on the vendor's page. It is a string and means success only with HTTP 200."""

MESSAGES: Final[Mapping[str, Row]] = {
    # The page's text names client and programme (ours) beside location and point of measure (an
    # entry's). So it does not tell which of them is wrong.
    "no feedback code found": Row(
        Kind.PLACE, "Client, programme, location and point of measure do not belong together."
    ),
    "must set postmark id": Row(Kind.CAMPAIGN, "The programme is not set up for e-mail."),
}
"""A part of a refusal's text, in lower case → its meaning: the page has no codes for these."""

FAILURE: Final = Row(Kind.UNCLEAR, "A success by its status, but with a failure's code.")
"""A 2xx with another code than `SUCCESS`. By the page a 200 means that the invitations were
triggered, and a 400 that something was wrong. It does not say that a 200 may invite no customer."""

SILENCE: Final = Row(Kind.UNCLEAR, "A success by its status, but the answer does not say so.")
"""A 2xx without a readable code, or with a zero that is not `SUCCESS`."""

STATUSES: Final[Mapping[int, Row]] = {401: Row(Kind.SESSION, "The token is not valid any more.")}
"""Statuses of a call whose meaning differs from other vendors'."""

_REFUSED = "The login was refused: user name or password is wrong."
_NO_TOKEN = "The login's answer holds no usable token."  # noqa: S105 - a message, not a secret

_REFUSING = frozenset({400, 401, 403, 422})
"""Statuses that refuse a login: user and password are all that it contains."""

_NO_LOGIN = frozenset({Kind.CREDENTIALS, Kind.THROTTLED})
"""Kinds that mean the same for a login as for any call."""

_ADDRESSES: Final[Mapping[str, tuple[tuple[Literal["phone", "email"], str], ...]]] = {
    "email_or_mobile": (("email", "email"), ("phone", "mobile")),
    "email": (("email", "email"),),
    "mobile": (("phone", "mobile"),),
}
"""The account's `recipient` → (our kind of address, the vendor's key), in the sample's order."""

_DisplayId = Annotated[str, Field(min_length=1)]

_FIELDS = ("firstName", "lastName", "locationDisplayId", "pomDisplayId")


class CustomerRadarAccount(protocol.Account):
    """A config entry of `type: customer_radar`; a campaign's id is the programmeDisplayId."""

    type: Annotated[Literal["customer_radar"], Field(description="the vendor")]
    username: Annotated[str, Field(min_length=1, description="the user that logs in")]
    password: Annotated[SecretStr, Field(min_length=1, description="that user's password")]
    client: Annotated[str, Field(min_length=1, description="the clientDisplayId")]
    recipient: Annotated[
        Literal["email_or_mobile", "email", "mobile"],
        Field(description="which address a recipient needs; other addresses do not travel"),
    ] = "email_or_mobile"
    points_of_measure: Annotated[
        dict[str, Annotated[tuple[_DisplayId, ...], Field(min_length=1)]],
        Field(description="locationDisplayId → its pomDisplayIds, for locations with several"),
    ] = Field(default_factory=dict)


class CustomerRadar:
    """One Customer Radar account: a client, its user and the address that reaches a recipient."""

    Account: ClassVar[type[protocol.Account]] = CustomerRadarAccount
    CampaignOptions: ClassVar[type[protocol.CampaignOptions]] = protocol.CampaignOptions
    channels: ClassVar[Mapping[Channel, ChannelSpec]] = {
        Channel.INVITATION: ChannelSpec(
            addresses=("email", "phone"),
            fields=frozenset(_FIELDS),
            maps=frozenset({"metadata"}),
            required=frozenset({"locationDisplayId"}),
        )
    }
    codes: ClassVar[Mapping[str, str]] = {code: row.meaning for code, row in CODES.items()}

    def __init__(self, account: CustomerRadarAccount) -> None:
        self._account = account
        self._addresses = _ADDRESSES[account.recipient]

    def spec(self, channel: Channel) -> ChannelSpec:
        """Return the channel with the addresses and points of measure of the account."""
        poms = {place: frozenset(ids) for place, ids in self._account.points_of_measure.items()}
        return replace(
            self.channels[channel],
            addresses=tuple(kind for kind, _ in self._addresses),
            listed=(Listed("pomDisplayId", "locationDisplayId", poms),) if poms else (),
        )

    def build(
        self,
        campaign: protocol.VendorCampaign,
        invitations: Sequence[CallParts],
        token: str | None,
    ) -> Call:
        """Build POST /invitation, keys in the order of the vendor's sample.

        Absent keys are left out, and blank ones too: one blank key makes the vendor refuse the
        whole call. E-mail and mobile are both sent if both exist and `recipient` allows them.
        Without a token the header is empty: the answer, a 401, asks for a login.
        """
        body = {
            "clientDisplayId": orjson.dumps(self._account.client),
            "programmeDisplayId": orjson.dumps(campaign.id),
            "sendData": json_list(map(self._entry, invitations)),
        }
        headers = {"Authorization": token or "", "Content-Type": "application/json"}
        return Call("POST", "/invitation", headers, named_object(body))

    def _entry(self, invitation: CallParts) -> bytes:
        address, data = invitation.address, invitation.data
        entry: dict[str, Json] = {
            key: address[kind] for kind, key in self._addresses if kind in address
        }
        for name in _FIELDS:
            if name in data and str(parsed(data[name])).strip():
                entry[name] = data[name]
        metadata = parsed(data.get("metadata", b"null"))
        if metadata and isinstance(metadata, dict):
            pairs = [{"key": key, "value": value} for key, value in metadata.items()]
            entry["metadata"] = orjson.dumps(pairs)
        return named_object(entry)

    def read(self, answer: Answer) -> Outcome:
        """Read an answer: accepted with HTTP 200 and the code "00000"; a 401 asks for a new token.

        Every other 2xx is in doubt. `MESSAGES` give a refusal's subject; a refusal that is not in
        the vendor's form is not the vendor's own. Everything else goes by the status.
        """
        document = parse(answer.body)
        code, message = code_in(document), message_in(document)
        row = STATUSES.get(answer.status) or row_of(answer, own=_is_own(document, code, message))
        if row.kind is Kind.ACCEPTED:
            row = _success(answer, document, code)
        if row.kind is Kind.ACCEPTED:
            sent = document.get("data") if isinstance(document, dict) else None
            accepted = outcome(answer, Kind.ACCEPTED, SUCCESS, None)
            return replace(accepted, reference=as_reference(sent))
        if row is SILENCE:
            return outcome(answer, row.kind, code, row.meaning)
        named = _named(message) if row.kind is Kind.RECIPIENT else None
        return outcome(answer, named or row.kind, code, message or row.meaning)

    def login(self) -> Call:
        """Build POST /auth/login. It goes to the same host, so it needs a permit like any call."""
        body = {
            "username": self._account.username,
            "password": self._account.password.get_secret_value(),
        }
        headers = {"Content-Type": "application/json"}
        return Call("POST", "/auth/login", headers, orjson.dumps(body))

    def read_login(self, answer: Answer, now: float) -> Token | Outcome:
        """Return the token, or a RETRY that counts against no invitation: none was sent.

        `refused` and `relogin` mean that the account itself was refused. `now` and
        `Token.expires_at` are epoch seconds by our clock: the answer's `Date` tells how far the
        vendor's differs. An `expiration` that is missing, no number, past or more than a day ahead
        is replaced by now + `TOKEN_LIFETIME`. The lane logs in again ahead of `expires_at`, one
        login at a time, and once more on a 401.
        """
        document, row = parse(answer.body), row_of_status(answer.status)
        if answer.status in _REFUSING:
            return _no_session(answer, Kind.CREDENTIALS, _REFUSED)
        if row.kind is not Kind.ACCEPTED:
            kind = row.kind if row.kind in _NO_LOGIN else Kind.TROUBLE
            return _no_session(answer, kind, row.meaning)
        fields = document if isinstance(document, dict) else {}
        value = fields.get("token")
        if not (isinstance(value, str) and protocol.is_header_token(value)):
            return _no_session(answer, Kind.TROUBLE, _NO_TOKEN)
        return Token(value, _expires_at(fields.get("expiration"), answer, now))


def _success(answer: Answer, document: object, code: str | None) -> Row:
    """Return the meaning of a 2xx by its body."""
    said = document.get("code") if isinstance(document, dict) else None
    if answer.status == 200 and said == SUCCESS:
        return CODES[SUCCESS]
    return FAILURE if code is not None and code.strip("0") else SILENCE


def _is_own(document: object, code: str | None, message: str | None) -> bool:
    """Tell whether a refusal has the vendor's form.

    That is a `description`, as in the page's sample, a code of as many digits, or a text of the
    page. A gateway's answer has none of them."""
    described = isinstance(document, dict) and "description" in document
    coded = code is not None and len(code) == len(SUCCESS)
    return described or coded or _named(message) is not None


def _named(message: str | None) -> Kind | None:
    """Return the kind of a refusal by its text; None if the text is unknown."""
    text = (message or "").lower()
    return next((row.kind for part, row in MESSAGES.items() if part in text), None)


def _no_session(answer: Answer, kind: Kind, message: str) -> Outcome:
    """Make the outcome of a failed login: the call carried no recipients, so no attempt counts."""
    refused = kind is Kind.CREDENTIALS
    said = outcome(answer, kind, None, message)
    return replace(said, verdict=Verdict.RETRY, counts=False, divisible=False, relogin=refused)


def _expires_at(expiration: object, answer: Answer, now: float) -> float:
    said = moment(answer.headers.get("date", ""))
    ahead = 0.0 if said is None else now - said - _DATE_RESOLUTION
    if isinstance(expiration, int | float) and 0 < expiration + ahead - now <= _LONGEST_LIFETIME:
        return expiration + ahead
    return now + TOKEN_LIFETIME
