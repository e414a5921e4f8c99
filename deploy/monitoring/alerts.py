"""All alerts, by what they are about."""

from __future__ import annotations

from deploy.monitoring import recording as at
from deploy.monitoring.alert import Alert
from deploy.monitoring.alerts_contacts import CONTACTS
from deploy.monitoring.alerts_process import PROCESS
from deploy.monitoring.objectives import OBJECTIVES
from deploy.monitoring.queries import by, gauge, increase
from deploy.monitoring.thresholds import (
    BACKLOG,
    BACKLOG_HOURS,
    CIRCUIT_SHARE,
    DEAD_LETTERS,
    FORECAST,
    HOUR,
    MINUTE,
    NEAR_EXPIRY,
    PARKED_SHARE,
    STALLED_MINUTES,
)

EXPIRED = 'results_total{reason="expired_waiting"}'
UNKNOWN = 'results_total{status="unknown"}'
UNREADABLE = 'events_total{disposition="dead_letter"}'
FOREIGN = 'dead_letters_total{stage!~"router|feeds"}'
"""Records on the program's own topics that it did not write there."""

OF_FEEDS = 'feed_records_total{feed!="suppressions",kind="dead_letter"}'
"""Answers and receipts; of an unreadable opt-out OptOutsUnreadable tells."""

CUSTOMERS = [
    Alert(
        "LaneStalled",
        "critical",
        f"{at.WAITING} > 0\nand {at.SETTLED} == 0\n"
        f"and min_over_time({at.NEXT_PERMIT}[{STALLED_MINUTES}m]) == 0",
        "Lane {{ $labels.lane }}: {{ $value }} customers wait, a call is allowed, and none ends.",
        "See what the last calls were answered: `survey-dispatcher status`.",
        "Waiting customers",
        "10m",
    ),
    Alert(
        "OldestInvitationNearExpiry",
        "critical",
        f"{at.OLDEST} > {NEAR_EXPIRY}\nor {increase(EXPIRED, 15, 'lane')} > 0",
        "Lane {{ $labels.lane }}, campaign {{ $labels.campaign }}: customers wait for so long that "
        "their surveys expire.",
        "See why the lane is slow; give it more quota, or take customers out.",
        "Oldest waiting customer",
        "5m",
    ),
    Alert(
        "DrainForecastBeyondDay",
        "warning",
        f"{at.DRAIN} > {FORECAST}\nand {at.WAITING} > {BACKLOG}\n"
        f"and {at.WAITING} > {BACKLOG_HOURS * HOUR // (STALLED_MINUTES * MINUTE)} * {at.SETTLED}",
        "Lane {{ $labels.lane }}: at the present rates its backlog takes "
        "{{ $value | humanizeDuration }}.",
        "More customers come than the quota can ask: see `survey-dispatcher simulate`.",
        "Drain forecast",
        "30m",
    ),
    Alert(
        "InDoubtResults",
        "warning",
        f"{increase(UNKNOWN, 15, 'lane')} > 0",
        "Lane {{ $labels.lane }}: about {{ $value | printf `%.0f` }} surveys may or may not "
        "have been sent.",
        "See first that each replica answers `survey-dispatcher status`; then decide whether to "
        "ask these customers again.",
        "In doubt",
    ),
    Alert(
        "DeadLettersGrow",
        "warning",
        f"{increase(UNREADABLE, 15, 'topic')} > {DEAD_LETTERS}\n"
        f"or {increase(FOREIGN, 15, 'stage')} > 0\n"
        f"or {increase(OF_FEEDS, 15, 'feed')} > {DEAD_LETTERS}",
        "{{ with $labels.topic }}Topic {{ . }}{{ end }}{{ with $labels.feed }}Feed {{ . }}{{ end }}"
        "{{ with $labels.stage }}Own topics of {{ . }}{{ end }}: about "
        "{{ $value | printf `%.0f` }} records in 15 minutes cannot be read.",
        "See what is wrong with them: `survey-dispatcher dlq list`.",
        "Dead letters",
        "5m",
    ),
    Alert(
        "LagWithoutProgress",
        "critical",
        f"count {by('topic')} ({at.PARTITION_LAG} > 0\nand changes({at.POSITION}[10m]) == 0)",
        "Topic {{ $labels.topic }}: on {{ $value }} partitions events wait, and none is routed.",
        "`survey-dispatcher inputs list` names them, and says whether a producer's open "
        "transaction holds them back; else see the router's loop, and its log.",
        "Input lag",
        "5m",
    ),
]

VENDOR = [
    Alert(
        "CredentialsRefused",
        "critical",
        f"{gauge('credentials_refused', 'lane', 'vendor')} == 1",
        "The vendor refuses the credentials of account {{ $labels.vendor }}.",
        "Put a valid secret in its file; it is read again by itself.",
        "Credentials refused",
        "2m",
    ),
    Alert(
        "CampaignParked",
        "warning",
        f"avg_over_time({at.PARKED}[15m]) > {PARKED_SHARE}",
        "The vendor cannot use campaign {{ $labels.campaign }}; its customers wait.",
        "Compare the campaign's id and channel with the vendor's console.",
        "Parked campaigns",
        "5m",
    ),
    Alert(
        "VendorThrottles",
        "warning",
        f"{at.THROTTLED} > 0",
        "Lane {{ $labels.lane }}: the vendor answered 429, so another program spends its quota.",
        "Find the other program that calls with this account, and lower `share` until then.",
        "429 answers",
    ),
    Alert(
        "CircuitOpen",
        "warning",
        f"{gauge('circuit_open', 'lane', 'vendor')} == 1",
        "The vendor of account {{ $labels.vendor }} has been answering with trouble for a while.",
        "Ask the vendor; all goes on by itself when it recovers.",
        "Circuit open",
        "15m",
    ),
    Alert(
        "CampaignCircuitOpen",
        "warning",
        f"avg_over_time({at.CAMPAIGN_CIRCUIT}[5m]) > {CIRCUIT_SHARE}",
        "The vendor fails or refuses the calls of campaign {{ $labels.campaign }}; its customers "
        "wait, those of other campaigns do not.",
        "Mend the campaign at the vendor, then `survey-dispatcher campaigns retry "
        "{{ $labels.campaign }}`.",
        "Open circuits of campaigns",
        "15m",
    ),
]

ALERTS = [*CUSTOMERS, *VENDOR, *CONTACTS, *PROCESS, *OBJECTIVES]
