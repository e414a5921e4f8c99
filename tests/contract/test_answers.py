"""Every row of the vendors' tables, answered by the sandbox over HTTP: what follows from it.

For the invitations, for the lane, in the metrics and in the log; `EFFECTS` is what the
documentation promises, so the two cannot part.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.config.load import load
from consumer.records.invitation import Invitation
from consumer.sandbox.pisano import CODES as SANDBOX_CODES
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SandboxSettings
from consumer.vendors import pisano
from consumer.vendors.answer_kinds import Kind
from consumer.vendors.answers import row_of_status
from tests.support import local_http
from tests.support.caller import Caller, calling
from tests.support.lanes import invitation

SMS = "ae51458c-9e82-417f-8f1d-e074891ea5c1"
PROGRAMME = "1cf118a0326d47aa851a90b9674e90aa"
EVENTS = {"pos": {"topics": ["pos"], "format": "json"}}
CUSTOMERS = 4


def document(base_url: str) -> dict[str, Any]:
    """A config of both vendors, each with a lane of its own and no quota."""
    quota = {"limits": [], "first_start": "unused", "linger": "0s"}
    return {
        "version": 1,
        "application_id": "contract",
        "kafka": {"bootstrap.servers": "nowhere.example:9092"},
        "pseudonym": {"key_id": "k1", "key": "a-key-for-the-contract"},
        "quotas": {"cloud": quota, "radar": quota},
        "vendors": {
            "pisano": {
                "type": "pisano",
                "base_url": base_url,
                "token": "sandbox-token",
                "quota": "cloud",
            },
            "radar": {
                "type": "customer_radar",
                "base_url": base_url,
                "username": "sandbox",
                "password": "sandbox-password",
                "client": "8291a9ed952342c5b5fe2915f2189e7c",
                "quota": "radar",
            },
        },
        "campaigns": {
            "sms": {"vendor": "pisano", "channel": "sms", "id": SMS},
            "visit": {"vendor": "radar", "channel": "invitation", "id": PROGRAMME},
        },
        "inputs": EVENTS,
        "routes": [
            {
                "name": name,
                "input": "pos",
                "recipient": {"phone": "phone"},
                "send": [name],
                "data": {"locationDisplayId": "'here'"} if name == "visit" else {},
            }
            for name in ("sms", "visit")
        ],
    }


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with SandboxServer(SandboxSettings()) as url:
        yield url


@contextmanager
def lane_of(url: str, lane: str, **changes: Any) -> Iterator[Caller]:
    """A caller of the lane; `changes` to its vendor's account."""
    local_http.post(f"{url}/_sandbox/reset").raise_for_status()
    raw = document(url)
    raw["vendors"]["pisano" if lane == "cloud" else "radar"] |= changes
    with calling(load(json.dumps(raw)), lane) as caller:
        yield caller
    faults(url, {})


def faults(url: str, rates: Mapping[str, Any]) -> None:
    """Trouble from now on."""
    local_http.post(f"{url}/_sandbox/faults", json=rates).raise_for_status()


def customers(campaign: str, number: int = CUSTOMERS) -> list[Invitation]:
    """Distinct ones that the sandbox would accept."""
    made = []
    for n in range(number):
        one = invitation(n, f"r{n}", campaign)
        one["address"] = {"phone": f"+9053212{n:05d}"}
        one["data"] = {"locationDisplayId": PROGRAMME} if campaign == "visit" else {}
        made.append(one)
    return made


def reasons(caller: Caller) -> Counter[str]:
    """Reason → results."""
    return Counter(result["reason"].value for result in caller.results)


def kind_of(code: str) -> Kind:
    """What a Pisano code leads to, with the status that the vendor's page gives for it."""
    kind = pisano.CODES[code].kind
    status = SANDBOX_CODES.get(code, (400,))[0]
    return row_of_status(status).kind if kind is Kind.BY_STATUS else kind


@pytest.mark.parametrize("code", list(pisano.CODES))
def test_a_code_of_pisano_leads_to_what_the_table_says(sandbox: str, code: str) -> None:
    with lane_of(sandbox, "cloud") as caller, capture_logs() as logs:
        faults(sandbox, {"code": {code: 1.0}})
        caller.invite(customers("sms"))
        caller.settle()
        EXPECTED[kind_of(code)](caller)
        assert caller.sample("vendor_codes_total", lane="cloud", vendor="pisano", code=code)
        first = next(log for log in logs if log["event"] == "call")
        assert (first["code"], first["customers"]) == (code, CUSTOMERS)
        assert not [log for log in logs if "+905" in repr(log) or "sandbox-token" in repr(log)]


def _accounts_stop(caller: Caller) -> None:
    """One more customer is tried at once: a single refusal may be a stray one."""
    assert caller.results == []
    assert caller.made == 2
    assert caller.lane.windows["sms"].count == CUSTOMERS
    assert caller.lane.accounts.snapshot("pisano").credentials_refused


def _campaign_parks(caller: Caller) -> None:
    assert caller.results == []
    assert (caller.made, len(caller.put_off)) == (1, CUSTOMERS)
    assert caller.lane.windows["sms"].parked_until > caller.now


def _recipients_are_sought(caller: Caller) -> None:
    """All are refused here: two stand alone for it, then it is about the campaign."""
    assert reasons(caller) == {"vendor_rejected": 2}
    assert len(caller.put_off) == CUSTOMERS - 2
    assert caller.sample("bisections_total", lane="cloud") == 1
    assert caller.sample("bisect_calls_total", lane="cloud") == caller.made - 1


def _tried_again(caller: Caller) -> None:
    assert caller.results == []
    assert caller.made == 1
    assert caller.lane.windows["sms"].not_before > 0
    assert [held.attempt for held in caller.lane.windows["sms"]] == [1] * CUSTOMERS


EXPECTED = {
    Kind.CREDENTIALS: _accounts_stop,
    Kind.CAMPAIGN: _campaign_parks,
    Kind.RECIPIENT: _recipients_are_sought,
    Kind.TROUBLE: _tried_again,
}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error_500", "no_answer"),
        ("error_503", "no_answer"),
        ("reset", "no_answer"),
        ("truncate", "no_answer"),
        ("html_200", "no_answer"),
    ],
)
def test_an_answer_of_unknown_form_is_in_doubt_at_once(
    sandbox: str, fault: str, reason: str
) -> None:
    """A page under a 200 as well: whether the call passed what shows it is unknown."""
    with lane_of(sandbox, "cloud") as caller:
        faults(sandbox, {fault: 1.0})
        caller.invite(customers("sms"))
        caller.settle()
        assert reasons(caller) == {reason: CUSTOMERS}
        assert caller.made == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("html_200", "no_answer"), ("truncate", "no_answer"), ("error_500", "no_answer")],
)
def test_customer_radar_must_say_itself_that_it_succeeded(
    sandbox: str, fault: str, reason: str
) -> None:
    with lane_of(sandbox, "radar") as caller:
        caller.invite(customers("visit", 1))
        caller.settle()
        assert reasons(caller) == {"accepted": 1}
        faults(sandbox, {fault: 1.0, "vendors": ["radar"]})
        caller.invite(customers("visit"))
        caller.settle()
        assert reasons(caller) == {"accepted": 1, reason: CUSTOMERS}


def test_a_refused_login_keeps_all_invitations_and_a_right_one_sends_them(
    sandbox: str,
) -> None:
    with lane_of(sandbox, "radar", password="wrong") as caller:
        caller.invite(customers("visit"))
        caller.settle()
        assert caller.results == []
        assert caller.lane.accounts.snapshot("radar").credentials_refused
    with lane_of(sandbox, "radar") as caller:
        caller.invite(customers("visit"))
        caller.settle()
        assert reasons(caller) == {"accepted": CUSTOMERS}


def test_an_outage_costs_few_calls_and_ends_by_a_probe(sandbox: str) -> None:
    with lane_of(sandbox, "cloud") as caller, capture_logs() as logs:
        faults(sandbox, {"code": {"13000": 1.0}})
        caller.invite(customers("sms", 100))
        for _ in range(3):
            caller.settle()
            caller.skip(10)
        assert caller.lane.accounts.snapshot("pisano").circuit_open
        assert caller.made == 3
        for _ in range(20):
            caller.skip(60)
            caller.settle()
        assert caller.made <= 3 + 21
        assert max(held.attempt for held in caller.lane.windows["sms"]) <= 5
        faults(sandbox, {})
        caller.skip(60)
        caller.settle()
        assert not caller.lane.accounts.snapshot("pisano").circuit_open
        assert reasons(caller)["accepted"] >= 90
        told = [log["event"] for log in logs if log["event"] != "call"]
        assert [told[0], told[-1]] == ["circuit_opened", "vendor_recovered"]


@pytest.mark.parametrize("fault", ["gateway_403", "gateway_404"])
@pytest.mark.parametrize(("lane", "campaign"), [("cloud", "sms"), ("radar", "visit")])
def test_what_a_gateway_refuses_waits_and_goes_when_it_passes(
    sandbox: str, lane: str, campaign: str, fault: str
) -> None:
    with lane_of(sandbox, lane) as caller:
        faults(sandbox, {fault: 1.0})
        for customer in customers(campaign, 10):
            caller.invite([customer])
            caller.settle()
        assert caller.results == []
        faults(sandbox, {})
        for _ in range(40):
            caller.skip(60)
            caller.settle()
        waiting = len(caller.put_off)  # a parked campaign's come back from the delay topics
        assert reasons(caller)["accepted"] + waiting == 10
        assert set(reasons(caller)) <= {"accepted"}


@pytest.mark.parametrize("slash", [True, False])
def test_a_path_without_the_slash_that_it_needs_names_the_option(slash: bool) -> None:
    with (
        SandboxServer(SandboxSettings(pisano_trailing_slash=True)) as url,
        lane_of(url, "cloud", trailing_slash=slash) as caller,
        capture_logs() as logs,
    ):
        caller.invite(customers("sms"))
        caller.settle()
        hints = [log.get("hint", "") for log in logs if log["event"] == "call"]
        assert ["trailing_slash" in hint for hint in hints] == [not slash]
        assert reasons(caller)["accepted"] == (CUSTOMERS if slash else 0)


@pytest.mark.parametrize("bad", [1, 3])
def test_bad_recipients_are_found_and_no_customer_is_accepted_twice(bad: int) -> None:
    invited = customers("sms", 60)
    wrong = frozenset(each["address"]["phone"] for each in invited[7 :: 60 // bad])
    with (
        SandboxServer(SandboxSettings(bad_recipients=wrong)) as url,
        lane_of(url, "cloud") as caller,
        capture_logs() as logs,
    ):
        caller.invite(invited)
        caller.settle()
        assert reasons(caller) == {"accepted": 60 - len(wrong), "vendor_rejected": len(wrong)}
        summary = local_http.get(f"{url}/_sandbox/summary").json()
        assert (summary["accepted_recipients"], summary["repeated"]) == (60 - len(wrong), 0)
        (told,) = (log for log in logs if log["event"] == "batch_divided")
        assert (told["bad"], told["accepted"], told["customers"]) == (len(wrong), 60 - bad, 60)
        assert told["calls"] == caller.made - 1 <= 11 * bad
