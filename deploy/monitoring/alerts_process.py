"""Alerts on the program itself: its stages, its config, its Kafka."""

from __future__ import annotations

from consumer.observability.metrics.labels import NO_LANES
from deploy.monitoring import recording as at
from deploy.monitoring.alert import Alert
from deploy.monitoring.queries import PREFIX, by, gauge, increase
from deploy.monitoring.thresholds import (
    CLOCK_WRONG,
    LOOP_SILENCE,
    SESSIONS,
    SILENT_SLOTS,
    SLOT_MINUTES,
    STEADY_HOURS,
    STEADY_SLOTS,
    THROTTLED,
)

_LOOPS = f'{PREFIX}loop_heartbeat_timestamp_seconds{{loop!~"{"|".join(NO_LANES)}"}}'
_RUNNING = f'max {by("lane")} (label_replace({_LOOPS}, "lane", "$1", "loop", "(.*)"))'
"""Lanes for which a process runs a loop: the owner, and processes on standby."""

_HOUR = SILENT_SLOTS * SLOT_MINUTES


def _steady(days: int) -> str:
    """Topics that had records all around this time of day, so many days ago: from two hours before
    to one after, so that a shop which opens later or closes earlier than then is not missed."""
    before = 24 * days - 1
    slots = f"({at.EVENTS} > 0)[{STEADY_HOURS}h:{SLOT_MINUTES}m] offset {before}h"
    return f"count_over_time({slots}) >= {STEADY_SLOTS}"


_STALLED = (
    f"max_over_time({at.EVENTS}[{_HOUR - SLOT_MINUTES}m]) == 0\n"
    f"and {at.LAG} == 0\n"
    f"and {_steady(7)}\n"
    f"and ({_steady(1)} or {_steady(14)})"
)
"""Inputs that are read to their ends and have no record for an hour, as they had a week ago, and
yesterday or a week before that. A day on which shops are closed is so every week; after it the day
before says nothing."""

PROCESS = [
    Alert(
        "StageStopped",
        "critical",
        f"{gauge('stage_stopped', 'instance', 'loop')} == 1",
        "{{ $labels.loop }} stopped on {{ $labels.instance }} and must not go on by itself.",
        "The log's `stage_stopped` says why, and what to do.",
        "Stopped stages",
        "1m",
    ),
    Alert(
        "InputStopped",
        "critical",
        f"sum {by('topic')} ({PREFIX}input_stopped) > 0",
        "Topic {{ $labels.topic }}: {{ $value }} partitions are not read, and do not go on by "
        "themselves.",
        "`survey-dispatcher inputs list` says why, `inputs resume {{ $labels.topic }}` where to go "
        "on.",
        "Stopped inputs",
        "1m",
    ),
    Alert(
        "InputStalled",
        "warning",
        _STALLED,
        "Topic {{ $labels.topic }}: no record for an hour, at a time at which it always had some.",
        "See whether its producer writes: compare the newest record of the topic with the clock.",
        "Records of inputs",
        "15m",
    ),
    Alert(
        "RegistryUnreachable",
        "critical",
        f"sum {by('topic')} ({PREFIX}input_waits_for_schema) > 0",
        "Topic {{ $labels.topic }}: {{ $value }} partitions wait for a schema of the registry.",
        "The log's `registry_unreachable` says why; without it the registry lacks the schema.",
        "Inputs that wait for a schema",
        "5m",
    ),
    Alert(
        "NoOwner",
        "critical",
        f"{_RUNNING}\nunless {gauge('lane_lag_records', 'lane')}\nor absent({PREFIX}build_info)",
        "{{ with $labels.lane }}Lane {{ . }} has no owner{{ else }}No dispatcher is seen: "
        "none runs, or none is scraped{{ end }}.",
        "See whether the sender's processes run, and reach Kafka.",
        "Lane owners",
        "5m",
    ),
    Alert(
        "ReplicaSilent",
        "warning",
        f"up == 0\nand on (namespace, job, instance) last_over_time({PREFIX}build_info[1h])",
        "{{ $labels.instance }} does not answer: it has ended, is frozen, or cannot be reached.",
        "Ask `survey-dispatcher status` of each replica; end the process that gives no answer.",
        "Since the last turn",
        "5m",
    ),
    Alert(
        "LaneContested",
        "critical",
        f"{increase('lane_contested_total', 15, 'lane')} > 0",
        "Lane {{ $labels.lane }} is taken in turn by processes with different configs.",
        "Find the second application with this `application_id`.",
        "Takeovers",
    ),
    Alert(
        "ClockWrong",
        "warning",
        f"abs({gauge('clock_ahead_seconds', 'instance')}) > {CLOCK_WRONG}",
        "The clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} away from Kafka's.",
        "Run NTP there and on the brokers.",
        "Clocks",
        "5m",
    ),
    Alert(
        "ConfigContested",
        "critical",
        f"{increase('other_config_invitations_total', 5, 'lane')} > 0",
        "Routers with another config than its owner's write to lane {{ $labels.lane }}.",
        "Find the second application with this `application_id`, or the replica that was left out.",
        "Takeovers",
        "10m",
    ),
    Alert(
        "SessionsFail",
        "warning",
        f"{increase('transactions_aborted_total', 15, 'stage')} > {SESSIONS}",
        "{{ $labels.stage }} lost its session {{ $value | printf `%.0f` }} times in 15 minutes.",
        "The log's `session_ended` says why.",
        "Lost sessions",
    ),
    Alert(
        "KafkaThrottles",
        "warning",
        f"{increase('kafka_throttle_seconds_total', 15, 'stage')} > {THROTTLED}",
        "Quotas of Kafka held {{ $labels.stage }} back for {{ $value | humanizeDuration }} in 15 "
        "minutes.",
        "Raise the quota of the client that the log's `kafka_throttles` names.",
        "Quotas of Kafka",
        "5m",
    ),
    Alert(
        "OrphanedLane",
        "warning",
        f"{gauge('orphaned_lane_records', 'lane')} > 0",
        "Lane {{ $labels.lane }} left the config and holds {{ $value }} records.",
        "`survey-dispatcher lanes drain {{ $labels.lane }}` moves them, `lanes close` ends them.",
        "Orphaned lanes",
        "30m",
    ),
    Alert(
        "ConfigRefused",
        "warning",
        f"{PREFIX}config_last_reload_successful == 0",
        "{{ $labels.instance }} refuses the config on disk and goes on with the former one.",
        "`survey-dispatcher validate` says what is wrong, with the line.",
        "Config",
        "5m",
    ),
    Alert(
        "BrokerUnreachable",
        "critical",
        f"{gauge('broker_up', 'instance')} == 0",
        "{{ $labels.instance }} reaches no Kafka broker.",
        "The log's `kafka_unreachable` says why; all goes on by itself afterwards.",
        "Kafka",
        "3m",
    ),
    Alert(
        "LoopStuck",
        "critical",
        f"time() - {gauge('loop_heartbeat_timestamp_seconds', 'instance', 'loop')} "
        f"> {LOOP_SILENCE}\n"
        f"unless on (namespace, job, instance) {gauge('broker_up', 'instance')} == 0\n"
        f"unless {gauge('stage_stopped', 'instance', 'loop')} == 1",
        "{{ $labels.loop }} on {{ $labels.instance }} has not turned for {{ $value "
        "| humanizeDuration }}.",
        "Restart this replica: the lane goes on at another one, from its checkpoint.",
        "Since the last turn",
        "1m",
    ),
]
