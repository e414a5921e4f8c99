"""Forms of `http_batch` beyond a list in a POST: one recipient, arrays, forms, logins, keys."""

from __future__ import annotations

import string
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.records.call import Answer, Call, Token, Verdict
from consumer.records.channel import Channel
from consumer.records.invitation import CallParts
from consumer.vendors.http_batch.account import HttpBatchAccount
from consumer.vendors.http_batch.http_batch import HttpBatch
from consumer.vendors.http_batch.request import UnfitPathError, encoded_form
from consumer.vendors.protocol import login_vendor
from tests.support.lanes import parts_of
from tests.unit.vendors.test_http_batch import Campaign

ONE: dict[str, Any] = {
    "type": "http_batch",
    "base_url": "https://one.example.test/v1",
    "quota": "q",
    "recipients": "one",
    "method": "PUT",
    "path": "/surveys/{campaign}/{data.store}/{id}",
    "addresses": ["phone", "email"],
    "body": {"email": "$email", "mobile": "$phone", "send": True, "more": "$data.more"},
}
LIST: dict[str, Any] = {
    "type": "http_batch",
    "base_url": "https://list.example.test/v1",
    "quota": "q",
    "path": "/feeds/{campaign}",
    "addresses": ["email"],
    "body": "$recipients",
    "recipient": {"mail": "$email"},
}
OAUTH = {
    "token_url": "https://login.example.test/oauth/token",
    "client_id": "me",
    "client_secret": "hush-hush",
}
ADA = parts_of({"email": "ada@a.test"}, {"store": "17/A", "more": {"tier": "gold", "x": "é&="}})


def vendor(entry: dict[str, Any], **changes: object) -> HttpBatch:
    """A change to None takes the key away."""
    made = {key: value for key, value in (entry | changes).items() if value is not None}
    return HttpBatch(HttpBatchAccount.model_validate_json(orjson.dumps(made)))


def built(entry: dict[str, Any], *people: CallParts, **changes: object) -> Call:
    return vendor(entry, **changes).build(Campaign(), people or (ADA,), "t0k3n")


def test_one_recipient_stands_in_body_and_path() -> None:
    call = built(ONE)

    assert (call.method, call.path) == ("PUT", "/surveys/7/17%2FA/i1")
    assert orjson.loads(call.body) == {
        "email": "ada@a.test",
        "send": True,
        "more": {"tier": "gold", "x": "é&="},
    }
    with pytest.raises(ValueError, match="unpack"):
        built(ONE, ADA, ADA)


def test_one_recipient_a_call_bounds_the_window_and_requires_what_the_path_has() -> None:
    one, several = vendor(ONE).spec(Channel.SMS), vendor(LIST).spec(Channel.SMS)

    assert (one.most, sorted(one.required)) == (1, ["store"])
    assert (sorted(one.fields), sorted(one.maps)) == (["more", "store"], ["more"])
    assert (several.most, sorted(several.required)) == (0, [])


@pytest.mark.parametrize("store", ["", ".", "..", None, {"a": "b"}])
def test_a_value_never_leads_to_another_path(store: object) -> None:
    person = parts_of({"email": "a@a.test"}, {} if store is None else {"store": store})  # type: ignore[dict-item]  # what a router never makes

    with pytest.raises(UnfitPathError):
        built(ONE, person)


def test_a_list_may_be_the_whole_body() -> None:
    assert orjson.loads(built(LIST, ADA, ADA).body) == [{"mail": "ada@a.test"}] * 2
    assert built(LIST, method="PATCH").method == "PATCH"


def test_a_form_names_inner_keys_in_brackets() -> None:
    body = {
        "e": ["$email"],
        "m": "$phone",
        "x": "$data.more",
        "n": None,
        "s": False,
        "i": 7,
    }
    call = built(ONE, encoding="form", body=body)

    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(call.body.decode(), strict_parsing=True) == [
        ("e[]", "ada@a.test"),
        ("x[tier]", "gold"),
        ("x[x]", "é&="),
        ("s", "false"),
        ("i", "7"),
    ]


@given(st.dictionaries(st.text(), st.text()))
def test_no_value_of_a_form_leaves_its_place(values: dict[str, str]) -> None:
    pairs = parse_qsl(encoded_form(dict(values)).decode(), keep_blank_values=True)

    assert pairs == list(values.items())


def test_an_answer_to_a_form_is_searched_for_what_the_form_says() -> None:
    """Percent-encoded, a customer's words would not be found in the vendor's."""
    call = built(ONE, encoding="form")

    assert b"ada@a.test" in call.readable
    assert "é&=".encode() in call.readable
    assert b"17/A" in call.readable
    assert built(LIST).readable == built(LIST).body


def test_basic_login() -> None:
    headers = built(ONE, basic_auth="k3y:").headers

    assert b64decode(headers["Authorization"].removeprefix("Basic ")) == b"k3y:"


def test_a_session_is_in_the_header_that_asks_for_it() -> None:
    assert built(ONE, oauth=OAUTH).headers["Authorization"] == "Bearer t0k3n"
    own = built(ONE, oauth=OAUTH, headers={"X-Token": "v1 {token}"})
    assert (own.headers["X-Token"], "Authorization" in own.headers) == ("v1 t0k3n", False)
    assert (
        vendor(ONE, oauth=OAUTH).build(Campaign(), [ADA], None).headers["Authorization"]
        == "Bearer "
    )


def test_only_oauth_logs_in_and_asks_for_a_new_token_on_a_401() -> None:
    with_login, without = vendor(ONE, oauth=OAUTH), vendor(ONE)
    assert login_vendor(without) is None
    assert login_vendor(with_login) is with_login
    assert with_login.login().url == "https://login.example.test/oauth/token"
    assert isinstance(with_login.read_login(Answer(200, {}, b'{"access_token":"x"}'), 0.0), Token)

    refused = Answer(401, {}, b"{}")
    assert (with_login.read(refused).relogin, with_login.read(refused).counts) == (True, False)
    assert (without.read(refused).relogin, without.read(refused).refused) == (False, True)


def test_the_same_content_has_the_same_key_and_no_other() -> None:
    def key(entry: dict[str, Any], *people: CallParts, **changes: object) -> str:
        return built(entry, *people, idempotency_key="Idempotency-Key", **changes).headers[
            "Idempotency-Key"
        ]

    bob = parts_of({"email": "bob@a.test"}, {"store": "1"})
    again = parts_of({"email": "bob@a.test"}, {"store": "1"})
    assert key(LIST, ADA, bob) == key(LIST, ADA, again)
    kinds = [
        key(LIST, ADA, bob),
        key(LIST, ADA),  # a half
        key(LIST, bob),
        key(LIST, bob, ADA),
        key(LIST, ADA, bob, path="/other"),
        key(LIST, ADA, bob, recipient={"e": "$email"}),
        key(LIST, ADA, bob, method="PUT"),
        key(ONE, ADA),
    ]
    assert len(set(kinds)) == len(kinds)
    assert set(key(LIST)) <= {*string.hexdigits, "-"}
    assert "Idempotency-Key" not in built(LIST).headers


def test_two_invitations_of_one_customer_have_two_keys() -> None:
    first, second = (parts_of({"email": "a@a.test"}, {}, number) for number in (1, 2))
    keys = {built(LIST, one, idempotency_key="X-Key").headers["X-Key"] for one in (first, second)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("entry", "changes", "field", "why"),
    [
        (ONE, {"recipient": {"e": "$email"}}, "recipient", "stand in `body`"),
        (ONE, {"body": {"e": "$email"}}, "body", r"\$phone stands here"),
        (ONE, {"body": {"all": "$recipients"}}, "body", "not known"),
        (ONE, {"path": "/{phone}"}, "path", r"`addresses` must be \[phone\]"),
        (ONE, {"path": "/{campaign"}, "path", "braces but {campaign}, {id}, {phone}, {email}, {d"),
        (ONE, {"path": "/{data.}"}, "path", "braces but"),
        (ONE, {"path": "/{other}"}, "path", "braces but"),
        (ONE, {"recipients": "two"}, "recipients", "'list' or 'one'"),
        (LIST, {"path": "/{id}"}, "path", r"braces but \{campaign\} \["),
        (LIST, {"encoding": "form"}, "body", "one recipient"),
        (ONE, {"encoding": "form", "body": "$email"}, "body", "must be a mapping"),
        (LIST, {"body": 7}, "body", r"must have \$recipients"),
        (LIST, {"basic_auth": "hush-hush"}, "basic_auth", "user:password"),
        (LIST, {"basic_auth": "a:b", "headers": {"authorization": "x"}}, "headers", "basic_auth"),
        (LIST, {"oauth": OAUTH, "headers": {"Authorization": "x"}}, "headers", "of `oauth`"),
        (LIST, {"oauth": OAUTH, "basic_auth": "a:b"}, "headers", "or of `oauth`"),
        (LIST, {"oauth": OAUTH, "token": "x"}, "headers", "leave one out"),
        (LIST, {"oauth": OAUTH | {"token_url": "http://a.test"}}, "oauth", "https"),
        (LIST, {"oauth": OAUTH | {"client_id": ""}}, "oauth.client_id", "at least 1"),
        (LIST, {"oauth": OAUTH, "trouble": {"status": [401]}}, "", "asks for a new token"),
        (LIST, {"idempotency_key": "a b"}, "idempotency_key", "header's name"),
        (LIST, {"idempotency_key": "X", "headers": {"x": "1"}}, "idempotency_key", "too"),
    ],
)
def test_a_form_that_cannot_work_is_refused_with_its_reason(
    entry: dict[str, Any], changes: dict[str, object], field: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        vendor(entry, **changes)

    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [field]
    assert "hush-hush" not in str(refused.value)


def test_a_null_is_no_login() -> None:
    entry = LIST | {"oauth": None, "basic_auth": None, "idempotency_key": None}

    account = HttpBatchAccount.model_validate_json(orjson.dumps(entry))

    assert login_vendor(HttpBatch(account)) is None


def test_http_to_the_token_url_needs_the_same_word_as_to_the_vendor() -> None:
    plain = OAUTH | {"token_url": "http://login.intra/token"}

    assert vendor(ONE, oauth=plain, allow_http=True).login().url == "http://login.intra/token"


def test_an_address_may_stand_in_the_path_where_it_is_the_only_one() -> None:
    only = {"addresses": ["phone"], "path": "/people/{phone}", "body": {"a": "$data.more"}}
    person = parts_of({"phone": "+905551234567"}, {"more": "x"})

    assert unquote(built(ONE, person, **only).path) == "/people/+905551234567"
    assert vendor(ONE, **only).read(Answer(200, {}, b"")).verdict is Verdict.ACCEPTED
