"""Which panel moves under which fault of the recorded run, and which alerts ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.deploy.recorded import RULES_WORK


@dataclass(frozen=True, slots=True)
class Moves:
    """Under this fault some series of the panel (with these labels) goes further up than while all
    works (`usual`), or down below what is usual. `metric`: only queries that name it."""

    fault: str
    labels: Mapping[str, str] = field(default_factory=dict)
    up: bool = True
    metric: str = ""
    usual: str = "works"


PISANO = {"lane": "pisano"}
OPT_OUTS = {"feed": "suppressions"}
UNREADABLE = {**OPT_OUTS, "kind": "dead_letter"}
_ruled = partial(Moves, usual=RULES_WORK)
MOVES: Mapping[tuple[str, str], Sequence[Moves]] = {
    ("manager", "Surveys accepted"): [Moves("crowd")],
    ("manager", "Waiting now"): [Moves("crowd")],
    ("manager", "Delayed"): [Moves("parked")],
    ("manager", "Sent in time"): [Moves("works")],
    ("manager", "Accepted of all that count"): [Moves("silence", up=False)],
    ("manager", "Time until the backlog is sent"): [Moves("crowd")],
    ("manager", "Accepted by route"): [Moves("crowd", {"route": "store"})],
    ("manager", "Ended without a survey, by route"): [Moves("silence", {"reason": "no_answer"})],
    ("manager", "Burn rate"): [Moves("silence", PISANO, metric="results_bad")],
    ("manager", "Invitations by campaign"): [Moves("crowd", {"campaign": "purchase-sms"})],
    ("manager", "Accepted"): [Moves("crowd", PISANO)],
    ("manager", "Waiting by campaign"): [Moves("crowd", {"campaign": "purchase-sms"})],
    ("manager", "Time to survey"): [Moves("crowd")],
    ("manager", "Quota used up"): [Moves("crowd", PISANO)],
    ("manager", "Customers a call"): [Moves("crowd", {"campaign": "purchase-sms"})],
    ("manager", "Ended without a survey"): [
        Moves("silence", {"reason": "no_answer"}),
        Moves("killed", {"reason": "owner_lost"}),
        Moves("bad recipients", {"reason": "vendor_rejected"}),
    ],
    ("manager", "Purchases without an invitation"): [
        Moves("unreadable", {"disposition": "dead_letter"}),
        Moves("unusable", {"reason": "too_old"}),
        Moves("unusable", {"reason": "no_recipient"}),
    ],
    ("operations", "Waiting customers"): [Moves("crowd", PISANO), Moves("trouble", PISANO)],
    ("operations", "Oldest waiting customer"): [Moves("crowd", PISANO), Moves("trouble", PISANO)],
    ("operations", "Drain forecast"): [Moves("crowd", PISANO)],
    ("operations", "Settled"): [Moves("crowd", PISANO), Moves("trouble", PISANO, up=False)],
    ("operations", "Lane lag and span"): [Moves("crowd", PISANO)],
    ("operations", "Buffered and spilled"): [Moves("crowd", PISANO)],
    ("operations", "Memory of the buffer"): [Moves("crowd", PISANO)],
    ("operations", "Delay topics"): [Moves("parked", {"step": "1m"})],
    ("operations", "Permits left"): [Moves("crowd", PISANO, up=False)],
    ("operations", "Next permit"): [Moves("crowd", PISANO)],
    ("operations", "429 answers"): [
        Moves("throttled", PISANO),
        Moves("throttled", PISANO, up=False),
    ],
    ("operations", "Batches, and why they were sealed"): [Moves("crowd", {"why": "full"})],
    ("operations", "Batch size"): [Moves("crowd", PISANO)],
    ("operations", "Divided batches"): [Moves("bad recipients", PISANO)],
    ("operations", "Calls by answer"): [
        Moves("throttled", {"answer": "429"}),
        Moves("silence", {"answer": "timeout"}),
        Moves("credentials", {"answer": "401"}),
    ],
    ("operations", "Vendor codes"): [
        Moves("trouble", {"code": "13000"}),
        Moves("credentials", {"code": "13001"}),
    ],
    ("operations", "Call duration"): [Moves("silence", PISANO)],
    ("operations", "Calls in flight"): [Moves("silence", PISANO)],
    ("operations", "Logins"): [Moves("wrong password", {"outcome": "retry"})],
    ("operations", "Credentials refused"): [
        Moves("credentials", {"vendor": "pisano"}),
        Moves("wrong password", {"vendor": "radar"}),
    ],
    ("operations", "Circuit open"): [Moves("trouble", {"vendor": "pisano"})],
    ("operations", "Paused"): [Moves("paused", {"name": "visit"})],
    ("operations", "Parked campaigns"): [Moves("parked")],
    ("operations", "Open circuits of campaigns"): [Moves("sick campaign")],
    ("operations", "In doubt"): [Moves("silence", PISANO)],
    ("operations", "Results"): [Moves("silence", {"status": "unknown"})],
    ("operations", "Dead letters"): [
        Moves("unreadable", {"reason": "not_json"}),
        Moves("foreign", {"stage": "pisano"}),
    ],
    ("operations", "Input lag"): [Moves("flood")],
    ("operations", "Records of inputs"): [Moves("flood")],
    ("operations", "Inputs that wait for a schema"): [Moves("registry away")],
    ("operations", "Events by what became of them"): [Moves("flood", {"disposition": "unmatched"})],
    ("operations", "Transaction time"): [Moves("kafka slow")],
    ("operations", "Lost sessions"): [Moves("kafka away")],
    ("operations", "Kafka errors"): [Moves("kafka away")],
    ("operations", "Kafka"): [Moves("kafka away", up=False)],
    ("operations", "Lane owners"): [Moves("standby", {"loop": "pisano"})],
    ("operations", "Takeovers"): [Moves("killed", PISANO), Moves("contested", PISANO)],
    ("operations", "Orphaned lanes"): [Moves("orphans", {"lane": "radar"})],
    ("operations", "Since the last turn"): [Moves("kafka away")],
    ("operations", "Poll gap"): [Moves("kafka away")],
    ("operations", "Stopped stages"): [Moves("stopped", {"loop": "radar"})],
    ("operations", "Config"): [Moves("config refused", up=False)],
    ("operations", "Reloads"): [Moves("config refused", {"result": "refused"})],
    ("operations", "Memory"): [Moves("flood")],
    ("operations", "CPU"): [Moves("flood")],
    ("operations", "Open files"): [Moves("silence")],
    ("operations", "Held back on purpose"): [
        _ruled("limit met", {"reason": "contact_limit"}),
        _ruled("pace met", {"reason": "pace_met"}),
        _ruled("opted out", {"reason": "opted_out"}),
    ],
    ("operations", "Held back by contact rules"): [
        _ruled("limit met", {"rule": "everyone", "reason": "contact_limit"}),
        _ruled("pace met", {"rule": "few", "reason": "pace_met"}),
    ],
    ("operations", "Contact store"): [_ruled("store down", up=False)],
    ("operations", "State of the contact store"): [_ruled("store back", {"phase": "waiting"})],
    ("operations", "Decisions of the contact store"): [_ruled("store slow")],
    ("operations", "Questions without an answer"): [_ruled("store down")],
    ("operations", "Waiting for the contact store"): [
        _ruled("store down", PISANO),
        _ruled("feed behind", PISANO),
    ],
    ("operations", "Lag of feeds"): [_ruled("feed behind", OPT_OUTS, metric="feed_lag_seconds")],
    ("operations", "Held back by feeds"): [_ruled("feed behind")],
    ("operations", "Records of feeds"): [
        _ruled("opted out", {**OPT_OUTS, "kind": "suppressed"}),
        _ruled("unreadable opt-outs", UNREADABLE),
    ],
    ("operations", "Answers"): [_ruled("answers fell", {"campaign": "purchase-sms"}, up=False)],
}

STILL = {
    ("operations", "Versions"): "a table of ones: see the test of its own",
    ("operations", "Quotas of Kafka"): "there is none here: test_quotas_of_kafka has one",
    ("operations", "Transaction size"): "the same",
    ("operations", "Stopped inputs"): "no offset is lost here: test_stopped_inputs has it",
    ("manager", "By day, route and reason"): "a table: see the test of its own",
    ("manager", "Allowance of late surveys left"): "of a month: budget.test.yaml has its parts",
    ("manager", "Allowance of results not accepted left"): "the same",
    ("operations", "Operators' commands"): "none is given here: test_live_commands has one",
    ("operations", "Clocks"): "all clocks are right here: test_delay_topics has a wrong one",
    ("operations", "Refused deletions"): "all are allowed here: test_delay_topics has one",
    ("operations", "Reading paused"): "needs half a million spilled ones: test_floods has it",
}
"""Panels that no fault of this run moves."""

WITHOUT_DATA = {
    ("operations", "Refused deletions"),
    ("operations", "Stopped inputs"),
}
"""Panels whose series begin with their first event, which this run does not have."""

MARKED = {
    "Config taken": "input silent",
    "Config refused": "config refused",
    "Start": "standby",
}
"""What the dashboards mark in every curve → a fault with one."""

FIRES = {
    "input silent": {"InputStalled"},
    "registry away": {"RegistryUnreachable"},
    "trouble": {"CircuitOpen"},
    "silence": {"InDoubtResults"},
    "credentials": {"CredentialsRefused"},
    "throttled": {"VendorThrottles"},
    "unreadable": {"DeadLettersGrow"},
    "foreign": {"DeadLettersGrow"},
    "config refused": {"ConfigRefused"},
    "orphans": {"OrphanedLane"},
    "killed": {"InDoubtResults"},
    "kafka away": {"BrokerUnreachable"},
    "contested": {"LaneContested"},
    "stopped": {"StageStopped"},
}
"""Fault → its alerts."""

FIRES_OF_RULES = {
    "unreadable opt-outs": {"OptOutsUnreadable"},
    "feed behind": {"SuppressionFeedBehind"},
    "store down": {"ContactStoreDown"},
    "answers fell": {"ResponseRateFell"},
}
"""The same of the application with contact rules."""
