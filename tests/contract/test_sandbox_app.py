"""The double as a server: totals, throttle, faults as a client meets them, start and stop."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pydantic import ValidationError

from consumer.sandbox import app
from consumer.sandbox.double import Double, draw_latency
from consumer.sandbox.faults import pick
from consumer.sandbox.server import SandboxServer, listen, serve, url_of
from consumer.sandbox.settings import Faults, Latency, Quota, SandboxSettings

SMS_ID, PUSH_ID = "ae51458c-9e82-417f-8f1d-e074891ea5c1", "a6aa1866-dcaa-462c-a52d-0c22b0ca1616"
SMS = f"/v1/sms_campaigns/{SMS_ID}/sms_sharings"
PUSH = f"/v1/push_notification_campaigns/{PUSH_ID}/push_notification_sharings"
HEADERS = {"authorization": "Token token=sandbox-token", "content-type": "application/json"}
PATIENCE = 60.0
"""Seconds for an answer that comes at once; a busy machine needs some."""

PHONES = ["+905321234567", "+905321234568"]
LOGIN = {"username": "sandbox", "password": "sandbox-password"}


def sharing(*phones: str) -> bytes:
    return orjson.dumps({"phone_numbers": phones or PHONES})


def call(double: Double, *phones: str, path: str = SMS) -> int:
    return double.call("POST", path, HEADERS, sharing(*phones)).status_code


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    server = SandboxServer(SandboxSettings())
    with server:
        yield server


@pytest.fixture
def client(server: SandboxServer) -> Iterator[httpx.Client]:
    base_url = url_of_running(server)
    with httpx.Client(base_url=base_url, headers=HEADERS, timeout=PATIENCE) as client:
        client.post("/_sandbox/reset")
        yield client


def url_of_running(server: SandboxServer) -> str:
    assert server.base_url is not None
    return server.base_url


def set_faults(client: httpx.Client, faults: Mapping[str, Any]) -> None:
    assert client.post("/_sandbox/faults", json=faults).status_code == 200


def test_the_summary_counts_what_was_accepted_and_finds_what_was_repeated(
    client: httpx.Client,
) -> None:
    for path, phones in [(SMS, PHONES), (SMS, PHONES[:1]), (PUSH, PHONES), (SMS, ["bad"])]:
        client.post(path, content=sharing(*phones))
    summary = client.get("/_sandbox/summary").json()
    assert summary.pop("first_call") <= summary.pop("last_call")
    assert summary == {
        "calls": 4,
        "accepted_calls": 3,
        "throttled": 0,
        "logins": 0,
        "accepted_recipients": 5,
        "distinct_recipients": 4,
        "repeated": 1,
        "by_campaign": {
            SMS_ID: {"calls": 2, "recipients": 3},
            PUSH_ID: {"calls": 1, "recipients": 2},
        },
        "by_status": {"200": 3, "400": 1},
        "max_batch": 2,
        "customers_per_call": 5 / 3,
    }


def test_no_page_shows_a_recipient(client: httpx.Client) -> None:
    client.post(SMS, content=sharing())
    client.post("/invitation", content=b'{"sendData": [{"mobile": "+905321234567"}]}')
    for path in ("/", "/_sandbox/summary", "/_sandbox/log", "/_sandbox/faults"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "90532" not in answer.text


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_the_log_shows_the_last_calls_newest_first(client: httpx.Client) -> None:
    client.post(SMS, content=sharing())
    client.post(SMS + "/", content=sharing(), follow_redirects=True)
    log = client.get("/_sandbox/log", params={"limit": 2}).json()
    assert [(e["status"], e["code"], e["recipients"], e["accepted"]) for e in log] == [
        (404, "13002", 0, False),
        (301, None, 0, False),
    ]
    assert len(client.get("/_sandbox/log").json()) == 3
    assert client.get("/_sandbox/log", params={"limit": "many"}).status_code == 400


def test_a_path_without_an_owner_is_recorded(client: httpx.Client) -> None:
    assert client.post("/pisano/v1/x", content=b"").status_code == 404
    assert client.get("/_sandbox/log").json()[0]["vendor"] == "unknown"


def test_both_vendors_are_served_at_one_address(client: httpx.Client) -> None:
    token = client.post("/auth/login", json=LOGIN).json()["token"]
    programme = "1cf118a0326d47aa851a90b9674e90aa"
    body = {
        "clientDisplayId": "8291a9ed952342c5b5fe2915f2189e7c",
        "programmeDisplayId": programme,
        "sendData": [{"mobile": "0211234321", "locationDisplayId": programme}],
    }
    answer = client.post("/invitation", json=body, headers={"authorization": token})
    assert answer.json()["code"] == "00000"
    summary = client.get("/_sandbox/summary").json()
    assert (summary["logins"], summary["accepted_recipients"]) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "error", "patience"),
    [
        ("reset", httpx.ReadError, PATIENCE),
        ("truncate", httpx.RemoteProtocolError, PATIENCE),
        ("hang", httpx.ReadTimeout, 0.2),
    ],
)
@pytest.mark.parametrize("acts", [True, False])
def test_an_answer_that_never_comes_whole_leaves_only_the_journal_to_tell_what_was_done(
    client: httpx.Client,
    fault: str,
    error: type[httpx.TransportError],
    patience: float,
    acts: bool,
) -> None:
    set_faults(client, {fault: 1, "act_before_fault": acts})
    with pytest.raises(error):
        client.post(SMS, content=sharing(), timeout=httpx.Timeout(PATIENCE, read=patience))
    while not (log := client.get("/_sandbox/log").json()):
        pass  # a busy machine has not read the call yet
    (logged,) = log
    assert (logged["fault"], logged["accepted"]) == (fault, acts)
    assert client.get("/_sandbox/summary").json()["accepted_recipients"] == 2 * acts


@pytest.mark.parametrize(
    ("fault", "status"), [("error_500", 500), ("error_503", 503), ("html_200", 200)]
)
@pytest.mark.parametrize("acts", [True, False])
def test_an_unclear_answer_may_have_acted(
    client: httpx.Client, fault: str, status: int, acts: bool
) -> None:
    set_faults(client, {fault: 1, "act_before_fault": acts})
    answer = client.post(SMS, content=sharing())
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert client.get("/_sandbox/summary").json()["accepted_calls"] == acts


def test_a_code_is_a_definite_no_and_meets_only_its_own_vendor(client: httpx.Client) -> None:
    set_faults(client, {"code": {"13000": 1}})
    answer = client.post(SMS, content=sharing())
    assert (answer.status_code, answer.json()["code"]) == (400, 13000)
    assert client.post("/auth/login", json=LOGIN).status_code == 200
    assert client.get("/_sandbox/summary").json()["accepted_calls"] == 0


def test_a_code_of_customer_radar_is_shown_as_text(client: httpx.Client) -> None:
    set_faults(client, {"code": {"50001": 1}})
    answer = client.post("/auth/login", json=LOGIN)
    assert (answer.status_code, answer.json()["code"]) == (400, "50001")
    assert client.post(SMS, content=sharing()).status_code == 200


def test_faults_that_make_no_sense_are_refused_and_the_old_ones_stay(client: httpx.Client) -> None:
    set_faults(client, {"error_500": 1})
    wrongs: list[dict[str, Any]] = [
        {"error_501": 1},
        {"reset": 2},
        {"reset": 0.6, "hang": 0.6},
        {"campaigns": {"error_501": [SMS_ID]}},
        {"campaigns": {"reset": [SMS_ID], "hang": [SMS_ID]}},
        {"customers": {"act_before_fault": PHONES}},
    ]
    for wrong in wrongs:
        assert client.post("/_sandbox/faults", json=wrong).status_code == 400
    assert client.get("/_sandbox/faults").json()["error_500"] == 1


def test_faults_meet_their_share_of_calls_and_only_their_vendors() -> None:
    faults = Faults(reset=0.1, hang=0.2, code={"13000": 0.3}, vendors=frozenset({"pisano"}))
    dice = random.Random(7)
    met = [pick(faults, "pisano", dice.random()) for _ in range(20_000)]
    for kind, share in [("reset", 0.1), ("hang", 0.2), ("13000", 0.3), (None, 0.4)]:
        assert met.count(kind) / len(met) == pytest.approx(share, abs=0.02)
    assert pick(faults, "radar", 0.0) is None


def test_faults_of_a_campaign_meet_all_its_calls_and_no_others(client: httpx.Client) -> None:
    set_faults(client, {"campaigns": {"13000": [SMS_ID]}})
    answers = [client.post(SMS, content=sharing(phone)) for phone in PHONES]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(400, 13000)}
    assert client.post(PUSH, content=sharing()).status_code == 200
    assert client.post("/auth/login", json=LOGIN).status_code == 200


def test_faults_of_a_customer_meet_the_calls_that_carry_it(client: httpx.Client) -> None:
    set_faults(client, {"customers": {"gateway_403": PHONES[:1]}})
    together = client.post(SMS, content=sharing())
    assert (together.status_code, "code" in together.text) == (403, False)
    assert client.post(PUSH, content=sharing(PHONES[0])).status_code == 403
    assert client.post(SMS, content=sharing(PHONES[1])).status_code == 200
    assert client.get("/_sandbox/summary").json()["accepted_recipients"] == 1


def test_a_fault_of_a_customer_precedes_the_one_of_the_campaign_and_chance(
    client: httpx.Client,
) -> None:
    faults = {"customers": {"gateway_404": PHONES[:1]}, "campaigns": {"gateway_403": [SMS_ID]}}
    set_faults(client, {**faults, "error_500": 1, "act_before_fault": False})
    statuses = [client.post(SMS, content=sharing(phone)).status_code for phone in PHONES]
    assert [*statuses, client.post(PUSH, content=sharing(PHONES[1])).status_code] == [404, 403, 500]


def test_a_code_for_a_campaign_meets_only_its_own_vendor(client: httpx.Client) -> None:
    set_faults(client, {"campaigns": {"50001": [SMS_ID]}})
    assert client.post(SMS, content=sharing()).status_code == 200


def test_the_vendors_refuse_a_token_in_their_own_forms(client: httpx.Client) -> None:
    set_faults(client, {"unauthorized": 1})
    pisano = client.post(SMS, content=sharing())
    radar = client.post("/auth/login", json=LOGIN)
    assert (pisano.status_code, pisano.json()["code"]) == (401, 13001)
    assert (radar.status_code, radar.json()["code"]) == (401, "40100")
    assert client.get("/_sandbox/summary").json()["accepted_calls"] == 0


def test_faults_of_a_customer_are_shown_without_its_address(client: httpx.Client) -> None:
    customers = {"gateway_403": PHONES[:1]}
    set_faults(client, {"customers": customers})
    assert PHONES[0] not in client.get("/_sandbox/faults").text
    assert PHONES[0] not in repr(Faults.model_validate({"customers": customers}))
    twice = {"customers": {"gateway_403": PHONES, "reset": PHONES[:1]}}
    refused = client.post("/_sandbox/faults", json=twice)
    assert (refused.status_code, PHONES[0] in refused.text) == (400, False)


def test_the_same_seed_brings_the_same_faults() -> None:
    settings = SandboxSettings(faults=Faults(error_500=0.5), seed=3)
    first, second = Double(settings, lambda: 0.0), Double(settings, lambda: 0.0)
    statuses = [call(first) for _ in range(50)]
    assert statuses == [call(second) for _ in range(50)]
    assert set(statuses) == {200, 500}


def test_a_throttled_call_is_plain_text_without_a_hint_and_invites_no_customer() -> None:
    now = [100.0]
    settings = SandboxSettings(pisano_quota=Quota(limits=["1/5s"]))
    double = Double(settings, lambda: now[0])
    assert call(double) == 200
    refused = double.call("POST", PUSH, HEADERS, sharing())
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("text/plain")
    assert "retry-after" not in refused.headers
    now[0] = 105.0
    assert call(double) == 200
    summary = double.journal.summary()
    assert (summary["throttled"], summary["accepted_calls"], summary["last_call"]) == (1, 2, 105.0)


def test_the_hint_when_to_come_back_is_a_setting_and_whole_seconds() -> None:
    quota = Quota(limits=["1/5s", "1/20s"], algorithm="sliding", send_retry_after=True)
    now = [100.25]
    double = Double(SandboxSettings(pisano_quota=quota), lambda: now[0])
    call(double)
    now[0] = 100.5
    refused = double.call("POST", SMS, HEADERS, sharing())
    assert refused.headers["retry-after"] == "20"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((SMS, b"{}"), (SMS, sharing())),
        ((SMS + "/", b""), (PUSH, sharing())),
        (("/auth/login", orjson.dumps(LOGIN)), ("/invitation", b"{}")),
        (("/auth/login", b""), ("/auth/login", b"")),
    ],
)
def test_every_call_of_a_vendor_counts_whatever_its_endpoint_and_answer(
    first: tuple[str, bytes], second: tuple[str, bytes]
) -> None:
    one = Quota(limits=["1/5s"])
    double = Double(SandboxSettings(pisano_quota=one, radar_quota=one), lambda: 100.0)
    assert double.call("POST", first[0], HEADERS, first[1]).status_code != 429
    assert double.call("POST", second[0], HEADERS, second[1]).status_code == 429


def test_one_vendors_quota_is_not_the_others() -> None:
    settings = SandboxSettings(pisano_quota=Quota(limits=["1/5s"]))
    double = Double(settings, lambda: 100.0)
    call(double)
    login = double.call("POST", "/auth/login", HEADERS, orjson.dumps(LOGIN))
    assert login.status_code == 200


def test_a_reset_is_a_new_start() -> None:
    double = Double(SandboxSettings(pisano_quota=Quota(limits=["1/5s"])), lambda: 100.0)
    assert [call(double), call(double)] == [200, 429]
    double.faults = Faults(error_500=1)
    double.reset()
    assert call(double) == 200
    assert double.journal.summary()["calls"] == 1


def test_the_journal_file_holds_every_call_with_its_recipients(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    double = Double(SandboxSettings(journal_file=file), lambda: 7.5)
    call(double)
    call(double, "+905321234567", "bad")
    double.reset()
    call(double, "+905321234569")
    double.journal.close()
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert [(line["time"], line["accepted"], line["recipients"]) for line in lines] == [
        (7.5, True, PHONES),
        (7.5, False, ["+905321234567", "bad"]),
        (7.5, True, ["+905321234569"]),
    ]


def test_latency_is_drawn_as_its_kind_says() -> None:
    dice = random.Random(5)
    assert draw_latency(Latency(ms=50), dice) == 0.05
    uniform = [draw_latency(Latency(kind="uniform", ms=50, spread=20), dice) for _ in range(500)]
    assert 0.03 <= min(uniform) < 0.035
    assert 0.065 < max(uniform) <= 0.07
    tail = Latency(kind="lognormal", ms=50, spread=1)
    drawn = sorted(draw_latency(tail, dice) for _ in range(2000))
    assert drawn[1000] == pytest.approx(0.05, rel=0.1)
    assert drawn[-1] > 0.5


def test_calls_wait_side_by_side_for_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for its answer until all do: one after the other, none would ever get one."""
    calls, asked = 40, []
    all_wait = asyncio.Event()

    async def pause(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == calls:
            all_wait.set()
        await all_wait.wait()

    async def many(base_url: str) -> list[int]:
        async with httpx.AsyncClient(
            base_url=base_url, headers=HEADERS, timeout=PATIENCE
        ) as client:
            made = [client.post(SMS, content=sharing()) for _ in range(calls)]
            return [answer.status_code for answer in await asyncio.gather(*made)]

    monkeypatch.setattr(app, "_pause", pause)
    with SandboxServer(SandboxSettings(latency=Latency(ms=200))) as base_url:
        assert asyncio.run(many(base_url)) == [200] * calls
    assert asked == [pytest.approx(0.1)] * 2 * calls


def test_a_client_that_leaves_in_the_middle_of_its_request_disturbs_no_other(
    client: httpx.Client,
) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as raw:
        raw.sendall(f"POST {SMS} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{{".encode())
    assert client.post(SMS, content=sharing()).status_code == 200
    assert client.get("/_sandbox/summary").json()["calls"] == 1


def test_stopping_cuts_a_hanging_call_and_frees_the_port() -> None:
    server = SandboxServer(SandboxSettings(faults=Faults(hang=1)))

    async def hang_and_stop(base_url: str) -> None:
        async with httpx.AsyncClient(
            base_url=base_url, headers=HEADERS, timeout=PATIENCE
        ) as client:
            waiting = asyncio.ensure_future(client.post(SMS, content=sharing()))
            while (await client.get("/_sandbox/summary")).json()["calls"] == 0:
                pass
            await asyncio.to_thread(server.stop)
            with pytest.raises(httpx.TransportError):
                await waiting

    base_url = server.start()
    asyncio.run(hang_and_stop(base_url))
    with socket.create_server(("127.0.0.1", int(base_url.rsplit(":", 1)[1]))):
        pass


def test_a_test_may_look_into_the_journal_and_start_again_after_a_stop() -> None:
    server = SandboxServer(SandboxSettings())
    with pytest.raises(RuntimeError, match="never started"):
        _ = server.double
    for _ in range(2):
        with server as base_url:
            httpx.post(base_url + SMS, headers=HEADERS, content=sharing())
            with pytest.raises(RuntimeError, match="running already"):
                server.start()
        assert server.double.journal.accepted == {SMS_ID: dict.fromkeys(PHONES, 1)}


def test_a_taken_port_is_said_by_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SandboxServer(SandboxSettings(port=taken.getsockname()[1]))
        with pytest.raises(OSError, match="in use"):
            server.start()
        server.stop()


def test_serving_in_the_callers_loop_ends_when_it_is_cancelled() -> None:
    async def run() -> int:
        settings = SandboxSettings()
        listener = listen(settings)
        base_url = url_of(listener)
        serving = asyncio.ensure_future(serve(settings, listener))
        async with httpx.AsyncClient(base_url=base_url) as client:
            status = (await client.get("/_sandbox/summary")).status_code
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return status

    assert asyncio.run(run()) == 200


def test_a_misspelt_setting_is_refused_and_no_credential_is_shown() -> None:
    with pytest.raises(ValidationError):
        SandboxSettings.model_validate({"prot": 1})
    shown = repr(SandboxSettings())
    assert "sandbox-token" not in shown
    assert "sandbox-password" not in shown
