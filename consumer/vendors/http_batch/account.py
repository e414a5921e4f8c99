"""The config entry of an `http_batch` account: templates, headers, rules, validated on loading."""

from __future__ import annotations

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
from consumer.vendors.http_batch import templates
from consumer.vendors.http_batch.answer_rules import (
    BY_RULE,
    Rule,
    Success,
    code_getter,
    header_problem,
)

_OF_CALL: Final = ("recipients", "campaign")
_OF_ENTRY: Final = ("phone", "email", "id", "campaign")
_CODELESS = "where an answer has its code must be said with `code`, for a rule names codes"


def _expression(value: str) -> str:
    code_getter(value, ())
    return value


_Expression = Annotated[str, AfterValidator(_expression)]


class HttpBatchAccount(protocol.Account):
    """A config entry of `type: http_batch`; its templates are checked when it is read."""

    type: Annotated[Literal["http_batch"], Field(description="the vendor")]
    token: Annotated[
        Annotated[SecretStr, AfterValidator(protocol.checked_token)] | None,
        Field(description="a secret for `headers`"),
    ] = None
    headers: Annotated[
        dict[str, str],
        Field(
            description="HTTP headers; {token} is the token",
            default_factory=dict,
            validate_default=True,
        ),
    ]
    path: Annotated[str, Field(description="after `base_url`; {campaign} is the campaign's id")]
    addresses: Annotated[
        tuple[Literal["phone", "email"], ...],
        Field(min_length=1, description="the addresses that the vendor takes; one is enough"),
    ]
    body: Annotated[
        dict[str, JsonValue], Field(description="a call: $recipients and $campaign are filled in")
    ]
    recipient: Annotated[
        JsonValue,
        Field(description="one entry of $recipients: $phone, $email, $id, $campaign, $data.<name>"),
    ]
    code: Annotated[
        _Expression | None,
        Field(description="JMESPath to the code in an answer", examples=["error.code"]),
    ] = None
    reference: Annotated[
        _Expression | None,
        Field(description="JMESPath to the vendor's id of an accepted call", examples=["batch_id"]),
    ] = None
    success: Annotated[Success, Field(description="answers that accept the call")] = Success()
    bad_recipient: Annotated[Rule, Field(description="answers about some recipient")] = Rule()
    campaign_error: Annotated[Rule, Field(description="answers about the campaign")] = Rule()
    credentials: Annotated[Rule, Field(description="answers about the account")] = Rule()
    trouble: Annotated[
        Rule, Field(description="answers that invited no customer, and may be tried again")
    ] = Rule()

    @field_validator("headers")
    @classmethod
    def _usable_headers(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        problems = (header_problem(name, text) for name, text in value.items())
        if problem := next(filter(None, problems), None):
            raise ValueError(problem)
        used = any("{token}" in text for text in value.values())
        if "token" in info.data and used != (info.data["token"] is not None):
            raise ValueError("{token} needs `token`" if used else "no header has {token}")
        return value

    @field_validator("path")
    @classmethod
    def _usable_path(cls, value: str) -> str:
        rest = value.replace("{campaign}", "")
        if (
            not value.startswith("/")
            or not protocol.is_header_token(value)
            or set(rest) & set("{}#")
        ):
            raise ValueError("must begin with / and hold no space, #, or braces but {campaign}")
        return value

    @field_validator("body")
    @classmethod
    def _usable_body(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if "recipients" not in templates.check(value, _OF_CALL):
            raise ValueError("must have $recipients: the list of all entries")
        return value

    @field_validator("recipient")
    @classmethod
    def _usable_recipient(cls, value: JsonValue, info: ValidationInfo) -> JsonValue:
        if not isinstance(value, dict | str):
            # pydantic would not report a TypeError as a problem of the config.
            raise ValueError("must be a mapping, or $phone or $email alone")  # noqa: TRY004 - see above
        found = templates.check(value, _OF_ENTRY, data=True)
        wanted = set(info.data.get("addresses", ()))
        there = {"phone", "email"}.intersection(found)
        # An entry without any address would reach no customer, and be reported accepted.
        if wanted and there != wanted:
            odd = min(wanted ^ there)
            raise ValueError(f"${odd} stands here if, and only if, it is one of `addresses`")
        return value

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        codes: list[object] = [code for rule in self.rules.values() for code in rule.code]
        statuses: list[object] = [status for rule in self.rules.values() for status in rule.status]
        codes += self.success.code
        for named in (codes, statuses):
            if twice := {str(value) for value in named if named.count(value) > 1}:
                raise ValueError(f"two rules name {min(twice)}")
        if codes and self.code is None:
            raise ValueError(_CODELESS)
        return self

    @property
    def rules(self) -> dict[str, Rule]:
        """The account's rules by name, all but `success`."""
        return {name: getattr(self, name) for name in BY_RULE}


def data_names(recipient: JsonValue) -> frozenset[str]:
    """Return the names of `$data` in an entry's template."""
    places = templates.check(recipient, _OF_ENTRY, data=True)
    start = templates.DATA
    return frozenset(place[len(start) :] for place in places if place.startswith(start))
