"""Pisano's Link Sharings API: the page's body, and the link out of the answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, SecretStr, ValidationError

from consumer.records.call import Answer, Call, Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.fields import LINK_LIMIT
from consumer.records.invitation import Address, Data
from consumer.vendors.pisano import Pisano, PisanoAccount
from tests.support.lanes import parts_of
from tests.unit.vendors.test_pisano import Campaign

ID = "9f3f1d4e-70c5-4a43-8a52-1d1f6f0b7c11"
LINK = "https://survey.example/s/abc?x=1"


def pisano(**more: Any) -> Pisano:
    account = {"type": "pisano", "base_url": "https://tr.example.test", "quota": "q"}
    secret = {"token": SecretStr("t0k3n")}
    return Pisano(PisanoAccount.model_validate({**account, **secret, **more}))


def asked(
    address: Address, data: Data, *, options: dict[str, JsonValue] | None = None, **account: Any
) -> Call:
    campaign = Campaign(Channel.GENERATED_LINK, ID, link_options=options or {})
    return pisano(**account).build(campaign, [parts_of(address, data)], None)


CALL = asked({"phone": "+905321234567"}, {})


def read(body: object, status: int = 200, **account: Any) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return pisano(**account).read_call(Answer(status, {}, raw), CALL)


def test_a_call_asks_for_one_customers_link() -> None:
    call = asked(
        {"phone": "+905321234567", "email": "ada@example.test"},
        {
            "custom_attributes": {"name": "Ada", "external_id": "7", "tier": "gold"},
            "built_in_responses": {"segment": "gold"},
        },
        options={"short_link": True},
        authorization="Bearer {token}",
    )

    assert (call.method, call.path) == ("POST", f"/external/v1/link_sharings/{ID}/generate_link")
    assert call.headers == {"Authorization": "Bearer t0k3n", "Content-Type": "application/json"}
    assert orjson.loads(call.body) == {
        "customer": {
            "name": "Ada",
            "external_id": "7",
            "email": "ada@example.test",
            "phone_number": "+905321234567",
        },
        "built_in_responses": {"segment": "gold"},
        "options": {"short_link": True},
    }


def test_what_is_not_there_is_left_out_but_the_customer() -> None:
    call = asked({"phone": "+905321234567"}, {"built_in_responses": {}}, trailing_slash=True)

    assert call.path.endswith("/generate_link/")
    assert orjson.loads(call.body) == {"customer": {"phone_number": "+905321234567"}}


def test_an_address_of_the_attributes_travels_where_the_recipient_has_none() -> None:
    own = asked({"phone": "+901"}, {"custom_attributes": {"email": "a@a.test"}})
    both = asked({"email": "b@b.test"}, {"custom_attributes": {"email": "a@a.test"}})

    assert orjson.loads(own.body)["customer"] == {"email": "a@a.test", "phone_number": "+901"}
    assert orjson.loads(both.body)["customer"] == {"email": "b@b.test"}


def test_the_channel_has_one_customer_a_call_and_may_be_repeated() -> None:
    spec = pisano().spec(Channel.GENERATED_LINK)

    assert (spec.most, spec.repeatable, spec.anyone) == (1, True, False)
    assert Channel.GENERATED_LINK.called
    assert not pisano().spec(Channel.SMS).repeatable


@pytest.mark.parametrize(
    "answer",
    [
        {"link": LINK},
        {"data": {"url": LINK, "id": "7"}},
        {"result": {"link": LINK, "again": LINK}},
        LINK,
    ],
)
def test_the_one_link_of_an_answer_is_the_customers(answer: object) -> None:
    outcome = read(answer)

    assert (outcome.verdict, outcome.link) == (Verdict.ACCEPTED, LINK)
    assert LINK not in repr(outcome)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        b"",
        {"link": ""},
        {"link": "http://survey.example/s"},
        {"link": "https://survey.example/a b"},
        {"link": f"https://survey.example/{'x' * LINK_LIMIT}"},
        {"link": LINK, "short_link": "https://psn.example/x"},
        {"link": {"deep": {"deeper": LINK}}},
    ],
)
def test_a_success_without_the_one_link_has_the_campaign_wait(answer: object) -> None:
    outcome = read(answer)

    assert (outcome.verdict, outcome.parked, outcome.link) == (Verdict.RETRY, True, None)
    assert not outcome.counts


def test_the_config_says_which_link_counts() -> None:
    both = {"link": LINK, "short": {"url": "https://psn.example/x"}}

    assert read(both, link_at="short.url").link == "https://psn.example/x"
    assert read(both, link_at="short").parked
    with pytest.raises(ValidationError, match="JMESPath"):
        pisano(link_at="a[")


def test_a_page_and_a_refusal_are_read_as_any_other_calls() -> None:
    assert read(b"<html>", 200).verdict is Verdict.IN_DOUBT
    assert read({"code": 13028, "link": LINK}, 400).divisible
    assert read({"code": 13002}, 404).parked
    assert read({"link": LINK}, 500).verdict is Verdict.IN_DOUBT


def test_a_link_in_the_answer_to_another_call_is_none() -> None:
    sms = pisano().build(Campaign(Channel.SMS), [parts_of({"phone": "+901"}, {})], None)

    assert pisano().read_call(Answer(200, {}, orjson.dumps({"link": LINK})), sms).link is None


@given(st.integers(100, 599), st.binary())
def test_reading_never_raises(status: int, body: bytes) -> None:
    outcome = pisano().read_call(Answer(status, {}, body), CALL)

    assert outcome.verdict is not Verdict.ACCEPTED or outcome.link is not None
