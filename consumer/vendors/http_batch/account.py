"""The config entry of an `http_batch` account: templates, headers, rules, validated on loading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from consumer.vendors import protocol
from consumer.vendors.client_credentials import ClientCredentials
from consumer.vendors.http_batch import templates
from consumer.vendors.http_batch.account_checks import (
    OF_ENTRY,
    check_entry,
    check_logins,
    check_path,
)
from consumer.vendors.http_batch.answer_rules import (
    BY_RULE,
    Rule,
    Success,
    checked_expression,
    header_problem,
)
from consumer.vendors.http_batch.failed_entries import FailedEntries
from consumer.vendors.http_batch.request import PLACE

_OF_CALL: Final = ("recipients", "campaign")
_CODELESS = "where an answer has its code must be said with `code`, for a rule names codes"


_Expression = Annotated[str, AfterValidator(checked_expression)]


def _header_name(value: str) -> str:
    if problem := header_problem(value, ""):
        raise ValueError(problem)
    return value


class HttpBatchAccount(protocol.Account):
    """A config entry of `type: http_batch`; its templates are checked when it is read."""

    type: Annotated[Literal["http_batch"], Field(description="the vendor")]
    token: Annotated[
        Annotated[SecretStr, AfterValidator(protocol.checked_token)] | None,
        Field(description="a secret for `headers`"),
    ] = None
    basic_auth: Annotated[
        SecretStr | None,
        Field(description="user:password of HTTP's Basic login", examples=["key:"]),
    ] = None
    oauth: Annotated[
        ClientCredentials | None,
        Field(description="OAuth's client credentials: {token} in `headers` is the session's"),
    ] = None
    headers: Annotated[
        dict[str, str],
        Field(
            description="HTTP headers; {token} is the token",
            default_factory=dict,
            validate_default=True,
        ),
    ]
    method: Annotated[
        Literal["POST", "PUT", "PATCH"], Field(description="HTTP method of a call")
    ] = "POST"
    encoding: Annotated[
        Literal["json", "form"],
        Field(description="how `body` is written; `form` with `recipients: one`"),
    ] = "json"
    recipients: Annotated[
        Literal["list", "one"],
        Field(description="of one call: $recipients in `body`, or one, whose places `body` has"),
    ] = "list"
    addresses: Annotated[
        tuple[Literal["phone", "email"], ...],
        Field(min_length=1, description="the addresses that the vendor takes; one is enough"),
    ]
    path: Annotated[
        str,
        Field(
            description="after `base_url`; {campaign} is the campaign's id. With `recipients: one`"
            " also {id}, {phone}, {email}, {data.<name>}"
        ),
    ]
    body: Annotated[JsonValue, Field(description="a call: $recipients and $campaign are filled in")]
    recipient: Annotated[
        JsonValue,
        Field(
            description="one entry of $recipients: $phone, $email, $id, $campaign, $data.<name>",
            validate_default=True,
        ),
    ] = None
    idempotency_key: Annotated[
        Annotated[str, AfterValidator(_header_name)] | None,
        Field(
            description="a header with the same value whenever the same content is sent again",
            examples=["Idempotency-Key"],
        ),
    ] = None
    code: Annotated[
        _Expression | None,
        Field(description="JMESPath to the code in an answer", examples=["error.code"]),
    ] = None
    reference: Annotated[
        _Expression | None,
        Field(description="JMESPath to the vendor's id of an accepted call", examples=["batch_id"]),
    ] = None
    success: Annotated[Success, Field(description="answers that accept the call")] = Success()
    failed_entries: Annotated[
        FailedEntries | None,
        Field(description="where an accepted call's answer says which of its entries failed"),
    ] = None
    bad_recipient: Annotated[Rule, Field(description="answers about some recipient")] = Rule()
    campaign_error: Annotated[Rule, Field(description="answers about the campaign")] = Rule()
    credentials: Annotated[Rule, Field(description="answers about the account")] = Rule()
    trouble: Annotated[
        Rule, Field(description="answers that invited no customer, and may be tried again")
    ] = Rule()

    @field_validator("basic_auth")
    @classmethod
    def _user_and_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and ":" not in value.get_secret_value():
            raise ValueError("must be user:password; the password may be empty")
        return value

    @field_validator("oauth")
    @classmethod
    def _usable_url(
        cls, value: ClientCredentials | None, info: ValidationInfo
    ) -> ClientCredentials | None:
        if value is None:
            return None
        allowed = info.data.get("allow_http", True)
        return value.model_copy(
            update={"token_url": protocol.plain_url(value.token_url, http_allowed=allowed)}
        )

    @field_validator("headers")
    @classmethod
    def _usable_headers(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        problems = (header_problem(name, text) for name, text in value.items())
        if problem := next(filter(None, problems), None):
            raise ValueError(problem)
        if {"token", "basic_auth", "oauth"} <= info.data.keys():
            check_logins(value, info.data)
        return value

    @field_validator("idempotency_key")
    @classmethod
    def _one_header(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and value.lower() in map(str.lower, info.data.get("headers", ())):
            raise ValueError("stands in `headers`, too: leave it out there")
        return value

    @field_validator("path")
    @classmethod
    def _usable_path(cls, value: str, info: ValidationInfo) -> str:
        if "recipients" in info.data:
            check_path(value, info.data)
        return value

    @field_validator("body")
    @classmethod
    def _usable_body(cls, value: JsonValue, info: ValidationInfo) -> JsonValue:
        recipients = info.data.get("recipients")
        if info.data.get("encoding") == "form":
            if recipients == "list":
                raise ValueError("a form has one recipient: `recipients: one`")
            if not isinstance(value, dict):
                raise ValueError("of a form must be a mapping")
        if recipients == "one":
            check_entry(value, info.data, PLACE.findall(info.data.get("path", "")))
        elif recipients and "recipients" not in templates.check(value, _OF_CALL):
            raise ValueError("must have $recipients: the list of all entries")
        return value

    @field_validator("recipient")
    @classmethod
    def _usable_recipient(cls, value: JsonValue, info: ValidationInfo) -> JsonValue:
        recipients = info.data.get("recipients")
        if recipients == "one" and value is not None:
            raise ValueError("with `recipients: one` its places stand in `body`")
        if recipients != "list":
            return value
        if value is None:
            raise ValueError("is required with `recipients: list`: one entry of $recipients")
        if not isinstance(value, dict | str):
            # pydantic would not report a TypeError as a problem of the config.
            raise ValueError("must be a mapping, or $phone or $email alone")  # noqa: TRY004 - see above
        check_entry(value, info.data)
        return value

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        codes: list[object] = [code for rule in self.rules.values() for code in rule.code]
        statuses: list[object] = [status for rule in self.rules.values() for status in rule.status]
        codes += self.success.code
        for named in (codes, statuses):
            if twice := {str(value) for value in named if named.count(value) > 1}:
                raise ValueError(f"two rules name {min(twice)}")
        by_entry = self.failed_entries is not None and self.failed_entries.code is not None
        if codes and self.code is None and not by_entry:
            raise ValueError(_CODELESS)
        if self.oauth is not None and 401 in statuses:
            raise ValueError("with `oauth` a 401 asks for a new token: leave it out of the rules")
        return self

    @property
    def rules(self) -> dict[str, Rule]:
        """The account's rules by name, all but `success`."""
        return {name: getattr(self, name) for name in BY_RULE}

    @property
    def one_a_call(self) -> bool:
        """Whether a call has one recipient."""
        return self.recipients == "one"


def data_names(account: HttpBatchAccount) -> frozenset[str]:
    """Return the names of `$data` in an entry's template."""
    template = account.body if account.one_a_call else account.recipient
    places = templates.check(template, OF_ENTRY, data=True)
    return frozenset(_data_of(places))


def path_names(account: HttpBatchAccount) -> frozenset[str]:
    """Return the names of the data in the path: without them there is no call."""
    return frozenset(_data_of(PLACE.findall(account.path)))


def _data_of(places: Iterable[str]) -> Iterator[str]:
    start = templates.DATA
    return (place[len(start) :] for place in places if place.startswith(start))
