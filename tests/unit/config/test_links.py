"""Campaigns that make links: what their routes must say, and that they have no lane."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import Config, load
from consumer.errors import ConfigError
from tests.unit.config.support import ENV, VALID, load_text

CAMPAIGN = '  app: {vendor: pisano-tr, channel: link, id: a, link: "https://a.example/s?%s"%s}\n'
ROUTE = """\
  - name: app
    input: web
    recipient: {%s}
    send: [%s]
    data: {%s}
    phone_region: TR
"""
ALL = ("topics: [web.orders], format: json", "topics: [web.orders], format: json, routes: all")


def text(
    query: str,
    data: str = "",
    recipient: str = "phone: customer.phone",
    send: str = "app",
    more: str = "",
) -> str:
    """The valid config with a link, sent by a route of its own."""
    campaign, route = CAMPAIGN % (query, more), ROUTE % (recipient, send, data)
    with_campaign = VALID.replace("inputs:\n", campaign + "inputs:\n")
    return with_campaign.replace("admin:", route + "admin:").replace(*ALL)


def problems(config: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_text(config, folder)
    return [str(problem).removeprefix("config.yaml:") for problem in refused.value.problems]


def warnings(config: str, folder: Path) -> list[str]:
    found: Config = load_text(config, folder)
    return [str(warning).removeprefix("config.yaml:") for warning in found.warnings]


@pytest.mark.parametrize(
    ("query", "data", "recipient"),
    [
        ("a=1", "", "phone: p"),
        ("n={name}", "name: customer.name", "phone: p"),
        ("n={of.name}", "of: {name: customer.name, id: customer.id}", "phone: p"),
        ("p={phone}&e={email}", "", "phone: p, email: e"),
        ("w={pseudonym}&i={event_id}", "", "email: e"),
    ],
)
def test_names_of_the_route_and_given_ones_are_known(
    query: str, data: str, recipient: str, tmp_path: Path
) -> None:
    assert warnings(text(query, data, recipient), tmp_path) == []


@pytest.mark.parametrize(
    ("query", "data", "recipient", "expected"),
    [
        (
            "n={nme}",
            "name: customer.name",
            "phone: p",
            [
                (
                    "30: campaigns.app.link: route 'app' has no 'nme' under `data` (did you mean "
                    "'name'? there are: name, phone, event_id, pseudonym)"
                ),
                (
                    "64: routes[2].data.name: no vendor of this route's campaigns takes this (did "
                    "you mean 'nme'? there are: nme)"
                ),
            ],
        ),
        (
            "n={name}",
            "of: {name: customer.name}",
            "phone: p",
            [
                (
                    "30: campaigns.app.link: route 'app' has no 'name' under `data` (did you mean "
                    "'of.name'? there are: of.name, phone, event_id, pseudonym)"
                ),
                (
                    "64: routes[2].data.of: no vendor of this route's campaigns takes this (there "
                    "are: name)"
                ),
            ],
        ),
        (
            "m={email}",
            "",
            "phone: p",
            [
                (
                    "30: campaigns.app.link: route 'app' has no 'email' under `recipient` (say "
                    "where the event has it)"
                ),
            ],
        ),
        (
            "m={phone}",
            "phone: customer.mobile",
            "email: e",
            [
                (
                    "30: campaigns.app.link: route 'app' has no 'phone' under `recipient` (say "
                    "where the event has it)"
                ),
                (
                    "64: routes[2].data.phone: no vendor of this route's campaigns takes this "
                    "(there are none)"
                ),
            ],
        ),
    ],
)
def test_a_name_that_a_route_does_not_know_is_refused(
    query: str, data: str, recipient: str, expected: list[str], tmp_path: Path
) -> None:
    assert problems(text(query, data, recipient), tmp_path) == expected


def test_each_route_that_sends_a_link_must_know_its_names(tmp_path: Path) -> None:
    two = text("n={name}", "name: customer.name").replace("send: [visit]", "send: [visit, app]")
    assert problems(two, tmp_path) == [
        (
            "30: campaigns.app.link: route 'web-visit' has no 'name' under `data` (there are: "
            "firstName, locationDisplayId, metadata.Basket, email, event_id, pseudonym)"
        )
    ]


def test_a_link_shares_a_routes_data_with_what_is_called(tmp_path: Path) -> None:
    """`send` by SMS where there is a phone number, else by link."""
    shared = text("n={custom_attributes.name}", "custom_attributes: {name: n}", "phone: p")
    assert warnings(shared.replace("send: [app]", "send: [purchase-sms, app]"), tmp_path) == []


def test_what_stands_behind_a_link_is_never_chosen(tmp_path: Path) -> None:
    shown = warnings(text("a=1", send="app, purchase-sms"), tmp_path)
    assert shown == [
        "63: routes[2].send[1]: never chosen ('app' stands before it and needs no address)"
    ]


def test_settings_of_calls_are_in_vain(tmp_path: Path) -> None:
    shown = warnings(text("a=1", more=", max_attempts: 3, window: {max_wait: 80h}"), tmp_path)
    message = "has no effect: a link is made without a call (leave it out)"
    assert shown == [f"30: campaigns.app.{key}: {message}" for key in ("window", "max_attempts")]


def test_only_campaigns_that_call_have_a_lane(tmp_path: Path) -> None:
    config = load_text(text("a=1"), tmp_path)
    assert config.lanes == ("pisano-cloud", "radar")
    assert list(config.campaigns_of("pisano-cloud")) == ["purchase-sms", "purchase-email"]
    assert set(config.campaigns) - set(config.called) == {"app"}


def test_an_account_that_only_makes_links_has_a_quota_and_no_lane(tmp_path: Path) -> None:
    token = '"${env:PISANO_TOKEN}"'
    account = (
        f"  own: {{type: pisano, base_url: https://b.example, token: {token}, quota: spare}}\n"
    )
    config = text("a=1").replace("vendor: pisano-tr, channel: link", "vendor: own, channel: link")
    config = config.replace("campaigns:\n", account + "campaigns:\n")
    config = config.replace("vendors:\n", "  spare: {limits: []}\nvendors:\n")
    loaded = load_text(config, tmp_path)
    assert loaded.lanes == ("pisano-cloud", "radar")
    assert loaded.warnings == ()


def test_a_link_that_is_not_read_is_not_judged(tmp_path: Path) -> None:
    """Without secrets: what a variable holds is not known."""
    whole = text("a=1").replace('"https://a.example/s?a=1"', '"${env:LINK}"')
    assert load(whole, secrets=False, env={}).campaigns["app"].link is not None
    assert load_text(whole, tmp_path, {**ENV, "LINK": "https://a.example"}).warnings == ()
    with pytest.raises(ConfigError, match=r"30: campaigns\.app\.link: not a link: must begin"):
        load_text(whole, tmp_path, {**ENV, "LINK": "a.example"})


def test_a_missing_point_of_measure_is_odd(tmp_path: Path) -> None:
    account = "username: acme\n    points_of_measure: {mall: [door, till]}"
    shown = warnings(VALID.replace("username: acme", account), tmp_path)
    assert shown == [
        (
            "56: routes[1].data.pomDisplayId: is missing: campaign 'visit' needs it for some "
            "locationDisplayId (see the account of its vendor)"
        )
    ]


def test_a_link_cannot_wait_for_the_set_times_of_an_input(tmp_path: Path) -> None:
    schedule = '{cron: ["0 10 * * *"], timezone: Europe/Istanbul}'
    config = text("a=1").replace("format: json, routes: all", f"format: json, schedule: {schedule}")
    (problem,) = problems(config, tmp_path)
    assert "inputs.web.schedule: campaign 'app' makes a link, at once" in problem


RESPONSES = ", responses: {question_key: $key, body: $value}"
VALUES = "built_in_responses: {segment: customer.segment}"


def test_the_values_of_a_route_may_stand_in_a_link(tmp_path: Path) -> None:
    whole = text("responses={responses}", VALUES, more=RESPONSES)

    assert warnings(whole, tmp_path) == []


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (
            text("responses={responses}", more=RESPONSES),
            (
                "campaigns.app.link: route 'app' has no 'responses' under `data` "
                "(responses are the values of `built_in_responses`: add it)"
            ),
        ),
        (
            text("a=1", VALUES, more=RESPONSES),
            (
                "campaigns.app.responses: the link has no {responses} "
                "(add responses={responses} to it)"
            ),
        ),
        (
            text("responses={responses}", VALUES, more=", responses: {a: $key}"),
            (
                "campaigns.app.responses: must have $key and $value once each, "
                "as in {question_key: $key, …}"
            ),
        ),
        (
            text("responses={responses}", VALUES),
            "campaigns.app.link: route 'app' has no 'responses' under `data`",
        ),
        (
            text("a=1").replace(
                "channel: sms\n", "channel: sms\n    responses: {a: $key, b: $value}\n"
            ),
            (
                "campaigns.purchase-sms.responses: belongs to a campaign with `channel: link` "
                "(leave it out)"
            ),
        ),
    ],
)
def test_values_that_cannot_stand_in_a_link_are_refused(
    whole: str, told: str, tmp_path: Path
) -> None:
    assert told in "\n".join(problem.partition(": ")[2] for problem in problems(whole, tmp_path))
