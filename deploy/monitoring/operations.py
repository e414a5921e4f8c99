"""The dashboard of the on-call: what is wrong, where, and since when."""

from __future__ import annotations

from deploy.monitoring.operations_contacts import RULES
from deploy.monitoring.operations_process import KAFKA, PROCESS
from deploy.monitoring.panels import Panel, Query, Row, one
from deploy.monitoring.series import NEVER, grown, now, of, per_second, quantile
from deploy.monitoring.thresholds import DEAD_LETTERS, FORECAST, NEAR_EXPIRY

TITLE = "Survey dispatcher: operations"

_DELAYED = ("stage", "lane", "campaign")

LANES = Row(
    "Lanes",
    (
        Panel(
            "Waiting customers",
            "Buffered in memory or spilled to the log, for each campaign; and what waits on the "
            "delay topics: for a due time, for a rule, or because the campaign is parked.",
            (
                Query(now("waiting_invitations", "lane", "campaign"), "{{lane}} {{campaign}}"),
                Query(
                    f"sum by (lane, campaign) ({now('campaign_delayed_invitations', *_DELAYED)})",
                    "{{lane}} {{campaign}} delayed",
                ),
            ),
            alerts=("LaneStalled",),
        ),
        Panel(
            "Oldest waiting customer",
            "How long the first in line has been waiting.",
            one(now("oldest_waiting_age_seconds", "lane", "campaign"), "{{lane}} {{campaign}}"),
            unit="s",
            alerts=("OldestInvitationNearExpiry",),
            limit=NEAR_EXPIRY,
        ),
        Panel(
            "Drain forecast",
            "Time until no invitation waits, at the present rates; 30 days stand for never.",
            one(f"clamp_max({now('backlog_drain_seconds', 'lane')}, {NEVER})", "{{lane}}"),
            unit="s",
            alerts=("DrainForecastBeyondDay",),
            limit=FORECAST,
        ),
        Panel(
            "Settled",
            "Records of the lane's topic that are settled: a result, a dead letter or delayed.",
            one(per_second(of("records_settled_total", lane=True), "lane"), "{{lane}}"),
            unit="suffix:/s",
        ),
        Panel(
            "Lane lag and span",
            "Lag: records not yet settled. Span: from the first of them to the last one read.",
            (
                Query(now("lane_lag_records", "lane"), "{{lane}} lag"),
                Query(now("span_offsets", "lane"), "{{lane}} span"),
            ),
        ),
        Panel(
            "Buffered and spilled",
            "Buffered: in memory. Spilled: only on the log, read again when there is room.",
            (
                Query(now("buffered_invitations", "lane"), "{{lane}} buffered"),
                Query(now("spilled_invitations", "lane"), "{{lane}} spilled"),
            ),
        ),
        Panel(
            "Memory of the buffer",
            "Bounded by `max_buffered_bytes` of the quota.",
            one(now("buffered_bytes", "lane"), "{{lane}}"),
            unit="bytes",
        ),
        Panel(
            "Reading paused",
            "Yes: buffer and spill limits are reached, reading is paused; the rest is lag.",
            one(now("lane_paused", "lane"), "{{lane}}"),
            kind="states",
        ),
        Panel(
            "Paused",
            "What the config or an operator's `pause` holds back; `resume` ends a command's.",
            one(now("paused", "kind", "name", "by", lane=False), "{{kind}} {{name}}, {{by}}"),
            kind="states",
        ),
        Panel(
            "Delay topics",
            "Invitations that wait on a step, and those that went there a second.",
            (
                Query(now("delayed_invitations", "step", lane=False), "waiting {{step}}"),
                Query(per_second(of("delayed_total", lane=True), "lane", "step"), "to {{step}} /s"),
            ),
        ),
    ),
)

PERMITS = Row(
    "Permits and batches",
    (
        Panel(
            "Permits left",
            "Calls allowed now, for each of the quota's limits; 0 at any of them closes the lane.",
            one(now("permits_left", "lane", "limit"), "{{lane}} {{limit}}"),
        ),
        Panel(
            "Next permit",
            "Until the next call is allowed.",
            one(now("next_permit_seconds", "lane"), "{{lane}}"),
            unit="s",
        ),
        Panel(
            "429 answers",
            "Another program spends the quota. Our limits are lowered for a while after one.",
            (
                Query(grown(of("throttled_total", lane=True), "lane"), "{{lane}} 429"),
                Query(now("limits_in_use_ratio", "lane"), "{{lane}} part of limits in use"),
            ),
            alerts=("VendorThrottles",),
        ),
        Panel(
            "Batches, and why they were sealed",
            "full: as many as a call takes. permit: the best use of one. max_wait: a customer had "
            "waited for long. linger: the vendor has no quota.",
            one(grown(of("batches_sealed_total", lane=True), "lane", "why"), "{{lane}} {{why}}"),
            kind="stack",
        ),
        Panel(
            "Batch size",
            "Customers of a call: half of the calls, and 95 of 100, had as many at most.",
            (
                Query(quantile(0.5, "batch_size_invitations", "lane"), "{{lane}} half"),
                Query(quantile(0.95, "batch_size_invitations", "lane"), "{{lane}} 95 of 100"),
            ),
        ),
        Panel(
            "Divided batches",
            "Batches that held a bad recipient, and the calls it took to find them.",
            (
                Query(grown(of("bisections_total", lane=True), "lane"), "{{lane}} divided"),
                Query(grown(of("bisect_calls_total", lane=True), "lane"), "{{lane}} calls"),
            ),
        ),
    ),
)

VENDOR = Row(
    "Vendors",
    (
        Panel(
            "Calls by answer",
            "HTTP status, or how a call failed.",
            one(grown(of("calls_total", lane=True), "vendor", "answer"), "{{vendor}} {{answer}}"),
            kind="stack",
        ),
        Panel(
            "Vendor codes",
            "The vendor's own code in the answer, where it has one.",
            one(
                grown(of("vendor_codes_total", lane=True), "vendor", "code"), "{{vendor}} {{code}}"
            ),
            kind="stack",
        ),
        Panel(
            "Call duration",
            "From the first byte to the answer: half, and 95 of 100, were as fast as this.",
            (
                Query(quantile(0.5, "call_duration_seconds", "lane"), "{{lane}} half"),
                Query(
                    quantile(0.95, "call_duration_seconds", "lane"),
                    "{{lane}} 95 of 100",
                    exemplars=True,
                ),
            ),
            unit="s",
        ),
        Panel(
            "Calls in flight",
            "Calls without an answer yet.",
            one(now("calls_in_flight", "lane"), "{{lane}}"),
        ),
        Panel(
            "Logins",
            "By verdict, for vendors that need a session.",
            one(grown(of("logins_total"), "vendor", "outcome"), "{{vendor}} {{outcome}}"),
        ),
        Panel(
            "Credentials refused",
            "Yes: the vendor refuses the account; one customer at a time is tried now and then.",
            one(now("credentials_refused", "lane", "vendor"), "{{vendor}}"),
            kind="states",
            alerts=("CredentialsRefused",),
        ),
        Panel(
            "Circuit open",
            "Yes: the vendor answers with trouble; one customer at a time is tried now and then.",
            one(now("circuit_open", "lane", "vendor"), "{{vendor}}"),
            kind="states",
            alerts=("CircuitOpen",),
        ),
        Panel(
            "Parked campaigns",
            "Yes: the vendor cannot use the campaign; its customers wait on the delay topics.",
            one(now("campaign_parked", "lane", "campaign"), "{{campaign}}"),
            kind="states",
            alerts=("CampaignParked",),
        ),
        Panel(
            "Open circuits of campaigns",
            "Yes: the vendor fails or refuses this campaign; one customer at a time is tried.",
            one(now("campaign_circuit_open", "lane", "campaign"), "{{campaign}}"),
            kind="states",
            alerts=("CampaignCircuitOpen",),
        ),
    ),
)

RESULTS = Row(
    "Results",
    (
        Panel(
            "In doubt",
            "Sent without a clear answer: batches when it happened, results once they are final.",
            (
                Query(grown(of("in_doubt_batches_total", lane=True), "lane"), "{{lane}} batches"),
                Query(
                    grown(of("results_total", 'status="unknown"', lane=True), "lane", "reason"),
                    "{{lane}} {{reason}}",
                ),
            ),
            alerts=("InDoubtResults",),
        ),
        Panel(
            "Results",
            "By how they ended; the lane `router` is what ended before any.",
            one(grown(of("results_total"), "lane", "status"), "{{lane}} {{status}}"),
            kind="stack",
        ),
        Panel(
            "Dead letters",
            "What cannot be read, by reason: events, records of feeds, foreign records on our own "
            "topics.",
            (
                Query(
                    grown(of("events_total", 'disposition="dead_letter"'), "topic", "reason"),
                    "{{topic}} {{reason}}",
                ),
                Query(
                    grown(of("dead_letters_total", 'stage!="router"'), "stage", "reason"),
                    "{{stage}} {{reason}}",
                ),
            ),
            alerts=("DeadLettersGrow",),
            limit=DEAD_LETTERS,
        ),
    ),
)

ROWS = (LANES, PERMITS, VENDOR, RESULTS, RULES, KAFKA, PROCESS)
