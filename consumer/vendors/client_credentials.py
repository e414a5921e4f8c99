"""OAuth's client credentials (RFC 6749, 4.4): a token of an identity provider for a vendor's calls.

The lane decides when to log in: ahead of a token's end, one login at a time, and once more when a
call is answered 401 (`consumer/lane/account/login_session.py`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from consumer.records.call import Answer, Call, Outcome, Token, Verdict
from consumer.vendors import protocol
from consumer.vendors.answer_kinds import Kind
from consumer.vendors.answers import outcome, parse, row_of_status

FORM: Final = "application/x-www-form-urlencoded"

TOKEN_LIFETIME: Final = 3_600.0
"""Seconds that a token counts as valid if the answer does not say it."""

LONGEST_LIFETIME: Final = 86_400.0
"""Seconds after which a token is fetched again, whatever the answer says."""

REFUSED: Final = "The login was refused: client id, client secret or scope is wrong."
NO_TOKEN: Final = "The login's answer holds no usable token."  # noqa: S105 - a message, no secret

_REFUSING = frozenset({400, 401, 403, 422})
"""Statuses that refuse a login (RFC 6749 5.2: 400, 401): it carries nothing but the account."""

_SAME_AS_CALLS = frozenset({Kind.CREDENTIALS, Kind.THROTTLED})


class ClientCredentials(BaseModel):
    """Where and how a token is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    token_url: Annotated[
        str,
        Field(
            description="where a token is asked for; any host",
            examples=["https://login.example/oauth2/token"],
        ),
    ]
    client_id: Annotated[str, Field(min_length=1, description="the id of this program there")]
    client_secret: Annotated[SecretStr, Field(min_length=1, description="its secret: ${file:PATH}")]
    scope: Annotated[str | None, Field(min_length=1, description="the scope to ask for")] = None
    audience: Annotated[
        str | None,
        Field(min_length=1, description="the API to ask for, where the provider wants it"),
    ] = None
    client_auth: Annotated[
        Literal["basic", "body"],
        Field(description="where id and secret stand: in HTTP's Basic header, or in the body"),
    ] = "basic"


def login_call(oauth: ClientCredentials) -> Call:
    """Build the request for a token (RFC 6749 4.4.2)."""
    secret = oauth.client_secret.get_secret_value()
    fields: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "scope": oauth.scope,
        "audience": oauth.audience,
    }
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    if oauth.client_auth == "basic":
        # RFC 6749 2.3.1: both are form-encoded before they are joined.
        headers["Authorization"] = basic(f"{quote_plus(oauth.client_id)}:{quote_plus(secret)}")
    else:
        fields |= {"client_id": oauth.client_id, "client_secret": secret}
    given = {name: value for name, value in fields.items() if value is not None}
    return Call("POST", "", headers, urlencode(given).encode(), url=oauth.token_url)


def basic(user_and_password: str) -> str:
    """Return the value of a Basic `Authorization` header."""
    return f"Basic {b64encode(user_and_password.encode()).decode()}"


def read_token(answer: Answer, now: float) -> Token | Outcome:
    """Return the token of an answer (RFC 6749 5.1), or a RETRY that counts no attempt."""
    row = row_of_status(answer.status)
    if answer.status in _REFUSING:
        return _no_session(answer, Kind.CREDENTIALS, REFUSED)
    if row.kind is not Kind.ACCEPTED:
        kind = row.kind if row.kind in _SAME_AS_CALLS else Kind.TROUBLE
        return _no_session(answer, kind, row.meaning)
    document = parse(answer.body)
    fields: Mapping[str, object] = document if isinstance(document, dict) else {}
    value, kind_of_token = fields.get("access_token"), str(fields.get("token_type", "bearer"))
    fits = isinstance(value, str) and protocol.is_header_token(value)
    if not isinstance(value, str) or not fits or kind_of_token.lower() != "bearer":
        return _no_session(answer, Kind.TROUBLE, NO_TOKEN)
    return Token(value, now + _lifetime(fields.get("expires_in")))


def _lifetime(said: object) -> float:
    """Return the seconds that a token is valid; some providers write the number as text."""
    number = int(said) if isinstance(said, str) and said.isascii() and said.isdigit() else said
    if isinstance(number, int | float) and not isinstance(number, bool) and number > 0:
        return float(min(number, LONGEST_LIFETIME))
    return TOKEN_LIFETIME


def _no_session(answer: Answer, kind: Kind, message: str) -> Outcome:
    """Make the outcome of a failed login. The answer's own text may repeat the client's id."""
    refused = kind is Kind.CREDENTIALS
    said = outcome(answer, kind, None, message)
    return replace(said, verdict=Verdict.RETRY, counts=False, divisible=False, relogin=refused)
