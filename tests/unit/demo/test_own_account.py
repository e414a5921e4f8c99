"""The double knows the campaigns of a config: its calls succeed, and no others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config.load import load
from consumer.demo.own_account import account_of, unknown_to_the_double
from consumer.records.call import Answer, Call, Token, Verdict
from consumer.records.input_record import InputRecord
from consumer.records.invitation import decode_call_parts
from consumer.sandbox import server
from consumer.sandbox.batch_vendor import BatchVendors
from consumer.sandbox.customer_radar import Radar
from consumer.sandbox.double import Double
from consumer.sandbox.pisano import Pisano
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS, SandboxSettings
from consumer.sandbox.wire import Received, Reply
from consumer.vendors.http_batch.http_batch import HttpBatch
from consumer.vendors.protocol import LoginVendor, login_vendor
from consumer.wiring.build import build_router, build_vendors

CONFIG = """
version: 1
application_id: surveys
kafka: {bootstrap.servers: "localhost:9092"}
pseudonym: {key_id: k1, key: a-key-for-tests-only}
quotas: {cloud: {limits: [20/5s]}, radar: {limits: [1/1s]}, other: {limits: [3/1m], share: 0.5}}
vendors:
  one: {type: pisano, base_url: "http://127.0.0.1:1", token: token-one, quota: cloud}
  two:
    type: pisano
    base_url: "http://127.0.0.1:1"
    token: token-two
    authorization: "Bearer {token}"
    trailing_slash: true
    quota: cloud
  radar:
    type: customer_radar
    base_url: "http://127.0.0.1:1"
    username: acme
    password: of-acme
    client: client-of-acme
    quota: radar
    points_of_measure: {mall: [door, till]}
  webhook:
    type: http_batch
    base_url: "http://127.0.0.1:1"
    quota: other
    token: of-surveys
    headers: {X-Key: "key {token}"}
    path: /x/{campaign}
    addresses: [phone, email]
    body: {to: $recipients, kind: survey}
    recipient: {mobile: $phone, mail: $email, ref: $id, name: $data.name}
    success: {code: [OK]}
    code: result.code
    reference: result.batch
    campaign_error: {code: [NO_CAMPAIGN]}
    credentials: {status: [403]}
  single:
    type: http_batch
    base_url: "http://127.0.0.1:1/api"
    quota: other
    oauth: {token_url: "https://login.example/token", client_id: me, client_secret: of/single}
    idempotency_key: Idempotency-Key
    method: PUT
    encoding: form
    recipients: one
    path: "/send/{phone}?by={campaign}"
    addresses: [phone]
    body: {ref: $id, fixed: {n: 5, none: null, list: [a, $campaign]}, more: $data.more}
  opaque:
    type: http_batch
    base_url: "http://127.0.0.1:1"
    quota: other
    path: /y
    addresses: [phone]
    body: {to: $recipients}
    recipient: $phone
    code: "codes[0]"
    success: {code: [OK]}
campaigns:
  first: {vendor: one, channel: sms, id: 11111111-1111-1111-1111-111111111111}
  second: {vendor: two, channel: email, id: 22222222-2222-2222-2222-222222222222}
  visit: {vendor: radar, channel: invitation, id: my-programme}
  foreign: {vendor: webhook, channel: sms, id: "1/2"}
  one-by-one: {vendor: single, channel: sms, id: "7 a"}
  unclear: {vendor: opaque, channel: sms, id: "1"}
  made: {vendor: two, channel: generated_link, id: "44444444"}
  link: {vendor: one, channel: link, id: x, link: "https://s.example/{event_id}"}
inputs: {pos: {topics: [pos], format: json, routes: all}}
routes:
  - {name: a, input: pos, recipient: {phone: p}, send: [first]}
  - {name: b, input: pos, recipient: {email: e}, send: [second]}
  - name: c
    input: pos
    recipient: {phone: p, email: e}
    send: [visit]
    data: {locationDisplayId: l, pomDisplayId: m}
  - {name: e, input: pos, recipient: {phone: p, email: e}, send: [foreign], data: {name: n}}
  - {name: g, input: pos, recipient: {phone: p}, send: [one-by-one], data: {more: {name: n, m: m}}}
  - {name: f, input: pos, recipient: {phone: p}, send: [unclear]}
  - {name: h, input: pos, recipient: {phone: p}, send: [made]}
  - {name: d, input: pos, recipient: {phone: p}, send: [link]}
"""

OWN = load(CONFIG, env={})
VENDORS = build_vendors(OWN)
EVENT = {
    "id": "t-1",
    "time": "2026-11-22T15:37:07Z",
    "p": "+905321234567",
    "e": "ada@example.com",
    "l": "mall",
    "m": "door",
}


def settings() -> SandboxSettings:
    plain = SandboxSettings()
    return plain.with_account(account_of(OWN, plain))


def call_of(campaign: str, token: str | None = None, **changes: str | None) -> Call:
    """The call that the program makes of an event for a campaign."""
    event = orjson.dumps(EVENT | changes)
    routed = build_router(OWN, VENDORS).route([InputRecord("pos", 0, 0, event)], 1_795_361_827.0)
    (made,) = [each.value for each in routed.invitations if each.campaign == campaign]
    found = OWN.campaigns[campaign]
    return VENDORS[found.vendor].build(found, [decode_call_parts(made)], token)


def said(double: Pisano | Radar | BatchVendors, call: Call) -> Reply:
    headers = {name.lower(): value for name, value in call.headers.items()}
    return double.answer(Received(call.method, call.path, headers, call.body, 1_000.0))


@pytest.mark.parametrize("campaign", ["first", "second"])
def test_calls_of_the_configs_own_pisano_campaigns_succeed(campaign: str) -> None:
    """Two accounts, each with its token, its header and its form of path."""
    call = call_of(campaign)
    assert said(Pisano(settings()), call).accepted
    assert said(Pisano(SandboxSettings()), call).status in {301, 401, 404}
    headers = {**call.headers, "Authorization": "Token token=of-another"}
    assert (
        said(Pisano(settings()), Call(call.method, call.path, headers, call.body)).code == "13001"
    )


def test_a_campaign_that_is_in_no_config_stays_unknown() -> None:
    call = call_of("first")
    path = call.path.replace("11111111-", "99999999-")
    wrong = Call(call.method, path, call.headers, call.body)
    assert said(Pisano(settings()), wrong).code == "13002"


@pytest.mark.parametrize(("place", "point"), [("mall", "door"), ("kiosk", None), ("kiosk", "new")])
def test_calls_of_the_configs_own_programmes_succeed(place: str, point: str | None) -> None:
    """Locations come from events: all are known, and those of the config with their points."""
    double = Radar(settings())
    radar = VENDORS["radar"]
    assert isinstance(radar, LoginVendor)
    session = said(double, radar.login())
    assert session.status == 200
    token = orjson.loads(session.body)["token"]
    assert said(double, call_of("visit", token, l=place, m=point)).accepted


@pytest.mark.parametrize("user", ["sandbox", "acme", "nobody", None])
def test_each_user_has_its_own_password(user: str | None) -> None:
    double = Radar(settings())
    for password in ("sandbox-password", "of-acme", None):
        body = orjson.dumps({"username": user, "password": password})
        json = {"content-type": "application/json"}
        reply = double.answer(Received("POST", "/auth/login", json, body, 0.0))
        right = (user, password) in {("sandbox", "sandbox-password"), ("acme", "of-acme")}
        assert (reply.status == 200) is right


def test_the_samples_stay_known_and_vendors_without_a_double_are_named() -> None:
    known = settings()
    assert set(SAMPLE_CAMPAIGNS) < set(known.campaigns)
    assert "'of-acme'" not in repr(known)
    assert "token-one" not in repr(known)
    unclear = "`code` of vendor opaque is no plain path of keys"
    assert unknown_to_the_double(OWN) == {"unclear": unclear}


@pytest.mark.parametrize("changes", [{}, {"p": None}, {"e": None, "n": "Ada"}])
def test_calls_of_the_configs_own_batch_vendors_succeed(changes: dict[str, str | None]) -> None:
    """The program reads the double's answers as they are meant, by the account's own rules."""
    double, call = BatchVendors(settings()), call_of("foreign", **changes)
    vendor = VENDORS["webhook"]
    reply = said(double, call)
    read = vendor.read(Answer(reply.status, {}, reply.body))
    assert (read.verdict, read.reference) == (Verdict.ACCEPTED, "sandbox-1")
    assert reply.recipients == ((EVENT | changes)["p"] or EVENT["e"],)


@pytest.mark.parametrize("changes", [{}, {"n": "Ada & Co"}, {"m": None}])
def test_a_form_with_one_recipient_and_a_login_is_doubled(changes: dict[str, str | None]) -> None:
    double, vendor = BatchVendors(settings()), VENDORS["single"]
    assert isinstance(vendor, LoginVendor)
    login = vendor.login()
    session = said(double, replace(login, path="/token"))
    token = vendor.read_login(Answer(session.status, {}, session.body), 1_000.0)
    assert isinstance(token, Token)
    call = call_of("one-by-one", token.value, **changes)
    assert said(double, call).accepted
    assert said(double, call).recipients == (EVENT["p"],)
    without_key = {name: value for name, value in call.headers.items() if "Idem" not in name}
    assert said(double, replace(call, headers=without_key)).status == 400
    assert said(double, replace(call, body=call.body + b"&x=1")).status == 400
    assert said(double, replace(call, body=call.body.replace(b"n%5D=5", b"n%5D=6"))).status == 400
    assert said(double, replace(call, path=call.path.replace("%2B90", "%2B"))).status == 200
    assert said(double, replace(call, path=call.path.replace("%2B90", "0"))).status == 400
    assert said(double, call_of("one-by-one", "another", **changes)).status == 401
    wrong = replace(login, path="/token", body=login.body + b"&scope=all")
    assert said(double, wrong).status == 401


def test_refusals_of_batch_vendors_are_read_as_they_are_meant() -> None:
    double, call, vendor = BatchVendors(settings()), call_of("foreign"), VENDORS["webhook"]

    def read(**changes: Any) -> tuple[str, str | None]:
        reply = said(double, replace(call, **changes))
        outcome = vendor.read(Answer(reply.status, {}, reply.body))
        return reply_text(reply), "parked" if outcome.parked else outcome.code

    assert read(headers={**call.headers, "X-Key": "another"})[0].startswith("403 header X-Key")
    assert read(path="/x/3") == ("400 no such campaign", "parked")
    assert read(body=call.body.replace(b"survey", b"other"))[0] == (
        "400 body.kind: expected the template's own value"
    )
    assert read(path="/z")[0] == "404 no such path"


def reply_text(reply: Reply) -> str:
    return f"{reply.status} {orjson.loads(reply.body)['message']}"


def test_the_configs_limits_are_counted_in_any_period_by_the_quota_and_not_by_the_vendor() -> None:
    """Other campaigns of the double are not limited by them."""
    now = 1_000.0
    double = Double(settings(), lambda: now)

    def status(call: Call, path: str | None = None) -> int:
        headers = {name.lower(): value for name, value in call.headers.items()}
        return double.call(call.method, path or call.path, headers, call.body).status_code

    foreign, first = call_of("foreign"), call_of("first")
    assert [status(foreign) for _ in range(4)] == [200, 200, 200, 429]
    assert status(first) == 200
    now = 1_059.0
    assert status(foreign) == 429
    now = 1_120.0
    assert status(foreign) == 200
    radar = VENDORS["radar"]
    assert isinstance(radar, LoginVendor)
    assert [status(radar.login()) for _ in range(2)] == [200, 429]
    assert status(call_of("visit", "no-token")) == 429
    sample = f"/v1/sms_campaigns/{SAMPLE_CAMPAIGNS[0].id}/sms_sharings"
    assert {status(first, sample) for _ in range(30)} == {401}  # of another account, and unlimited


def test_the_command_takes_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(CONFIG)
    served: list[SandboxSettings] = []

    async def serve(wanted: SandboxSettings, listener: object) -> None:
        served.append(wanted)
        listener.close()  # type: ignore[attr-defined]  # a socket

    monkeypatch.setattr(server, "serve", serve)
    told = CliRunner().invoke(app, ["sandbox", "-c", str(file), "--port", "0"])
    assert told.exit_code == 0, told.output
    assert "campaign unclear: the sandbox cannot answer its calls: `code` of" in told.output
    assert "export" not in told.output  # the config reads no variable
    assert f"{file}:8: vendors.one.base_url: is not the double's address (write" in told.output
    assert "sandbox at http://127.0.0.1:" in told.output
    assert {campaign.id for campaign in served[0].campaigns} >= {OWN.campaigns["first"].id}
    assert served[0].port == 0


def test_a_misspelt_setting_of_a_campaign_is_refused() -> None:
    with pytest.raises(ValidationError):
        SandboxSettings.model_validate({"campaigns": [{"id": "a", "channel": "sms", "tokn": "x"}]})


EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
OF_EXAMPLES: dict[str, dict[str, Any]] = {
    "delighted": {
        "type": "order-delivered",
        "store": "Kadıköy & Co",
        "customer": {"email": "ada@shop.com", "name": "Zoë"},
    },
    "qualtrics": {
        "type": "visit-closed",
        "store": 17,
        "customer": {"id": "c-1", "email": "ada@shop.com", "first_name": "Zoë"},
    },
    "medallia": {
        "type": "checked-out",
        "guest": {"email": "ada@shop.com", "first_name": "Zoë"},
        "hotel": {"id": "h-1"},
    },
}


@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_the_double_takes_the_calls_of_the_shipped_examples(name: str) -> None:
    text = (EXAMPLES / f"routing-config-{name}.yaml").read_text()
    config = load(re.sub(r"\$\{file:[^}]*\}", "0123456789abcdef", text), env={})
    (vendor,), (campaign,) = build_vendors(config).values(), config.campaigns.values()
    plain = SandboxSettings()
    double = BatchVendors(plain.with_account(account_of(config, plain)))
    token = None
    if (login := login_vendor(vendor)) is not None:
        asked = login.login()
        reply = said(double, replace(asked, path=urlsplit(asked.url or "").path))
        session = login.read_login(Answer(reply.status, {}, reply.body), 1_000.0)
        assert isinstance(session, Token)
        token = session.value
    event = orjson.dumps({"id": "t-1", "time": EVENT["time"], **OF_EXAMPLES[name]})
    record = InputRecord(config.input_topics[0], 0, 0, event)
    (made,) = (
        build_router(config, build_vendors(config)).route([record], 1_795_361_827.0).invitations
    )
    reply = said(double, vendor.build(campaign, [decode_call_parts(made.value)], token))
    assert vendor.read(Answer(reply.status, {}, reply.body)).verdict is Verdict.ACCEPTED
    assert reply.recipients == ("ada@shop.com",)


BY_PHONE = "recipient: {phone: p}, send: [foreign]"


@pytest.mark.parametrize(
    ("named", "recipient"),
    [
        ("index: row, first: 1", "{tel: $phone}"),
        ("address: entry.tel", "{tel: $phone}"),
        ("id: ref", "{tel: $phone, ref: $id}"),
        ("index: 'row[0]'", "{tel: $phone}"),  # found by an expression: the call is refused
    ],
)
def test_bad_recipients_are_listed_where_the_account_reads_them(named: str, recipient: str) -> None:
    entry = CONFIG.split("  webhook:\n")[1].split("  single:", maxsplit=1)[0]
    text = CONFIG.replace(
        entry,
        f"""\
    type: http_batch
    base_url: "http://127.0.0.1:1"
    quota: other
    path: /x/{{campaign}}
    addresses: [phone]
    body: {{to: $recipients}}
    recipient: {recipient}
    code: code
    success: {{status: [200, 207]}}
    bad_recipient: {{code: [NO_PHONE]}}
    failed_entries: {{list: "result.errors[*]", {named}, code: why}}
""",
    )
    text = text.replace(
        "recipient: {phone: p, email: e}, send: [foreign], data: {name: n}", BY_PHONE
    )
    config = load(text, env={})
    plain = SandboxSettings(bad_recipients=frozenset({"+905321234568"}))
    double = BatchVendors(plain.with_account(account_of(config, plain)))
    vendors = build_vendors(config)
    events = [
        orjson.dumps(EVENT | {"id": str(number), "p": f"+90532123456{number}"})
        for number in (7, 8, 9)
    ]
    records = [InputRecord("pos", 0, at, event) for at, event in enumerate(events)]
    routed = build_router(config, vendors).route(records, 1_795_361_827.0)
    made = [decode_call_parts(one.value) for one in routed.invitations if one.campaign == "foreign"]
    vendor = vendors["webhook"]
    call = vendor.build(config.campaigns["foreign"], made, None)
    reply = said(double, call)
    if "[" in named:
        assert (reply.status, reply.accepted) == (400, False)
        return
    assert (reply.status, reply.recipients) == (207, ("+905321234567", "+905321234569"))
    assert isinstance(vendor, HttpBatch)
    outcome = vendor.read_call(Answer(reply.status, {}, reply.body), call)
    assert (outcome.verdict, outcome.failed) == (Verdict.ACCEPTED, {1: "NO_PHONE"})
