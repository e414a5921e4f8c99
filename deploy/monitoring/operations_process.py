"""The on-call's rows about Kafka and the program itself."""

from __future__ import annotations

from consumer.observability.metrics.labels import NO_LANES
from deploy.monitoring.panels import Panel, Query, Row, one
from deploy.monitoring.recording import EVENTS
from deploy.monitoring.series import grown, now, of, per_second, quantile, recorded
from deploy.monitoring.thresholds import LOOP_SILENCE

_LOOPS = of("loop_heartbeat_timestamp_seconds", f'loop!~"{"|".join(NO_LANES)}"')
_STAGES = ("stage",)

KAFKA = Row(
    "Kafka",
    (
        Panel(
            "Input lag",
            "Events that are not routed yet, as of the router's last commit.",
            one(
                f"sum by (topic) ({now('consumer_lag_records', 'topic', 'partition', lane=False)})",
                "{{topic}}",
            ),
            alerts=("LagWithoutProgress",),
        ),
        Panel(
            "Records of inputs",
            "Records of each input in a quarter of an hour, and those of a week before.",
            (
                Query(f"sum by (topic) ({recorded(EVENTS)})", "{{topic}}"),
                Query(f"sum by (topic) ({recorded(EVENTS)} offset 7d)", "{{topic}} a week before"),
            ),
            alerts=("InputStalled",),
        ),
        Panel(
            "Events by what became of them",
            "routed, unmatched, or ended before a lane.",
            one(per_second(of("events_total"), "disposition"), "{{disposition}}"),
            unit="suffix:/s",
            kind="stack",
        ),
        Panel(
            "Transaction time",
            "95 of 100 commits took no longer.",
            one(quantile(0.95, "transaction_duration_seconds", *_STAGES, lane=False), "{{stage}}"),
            unit="s",
        ),
        Panel(
            "Quotas of Kafka",
            "Seconds a second for which a quota of the cluster holds the stage's clients back.",
            one(per_second(of("kafka_throttle_seconds_total"), "stage"), "{{stage}}"),
            unit="s",
            alerts=("KafkaThrottles",),
        ),
        Panel(
            "Transaction size",
            "Records that the next transaction may carry: fewer while Kafka is slow.",
            one(now("transaction_records_limit", "stage", lane=False), "{{stage}}"),
        ),
        Panel(
            "Lost sessions",
            "Each is an aborted transaction: its stage started again from the committed offsets.",
            one(grown(of("transactions_aborted_total"), "stage"), "{{stage}}"),
            alerts=("SessionsFail",),
        ),
        Panel(
            "Kafka errors",
            "What librdkafka reported, by its name of it.",
            one(grown(of("kafka_errors_total"), "stage", "error"), "{{stage}} {{error}}"),
            kind="stack",
        ),
        Panel(
            "Kafka",
            "Whether any broker answers.",
            one(now("broker_up", "instance", lane=False), "{{instance}}"),
            kind="states",
            alerts=("BrokerUnreachable",),
            words=("away", "there"),
            bad=0,
        ),
        Panel(
            "Lane owners",
            "Owner: processes that have the lane, 1 but for a moment when it moves. Loops: "
            "processes that could.",
            (
                Query(f"count by (lane) ({of('lane_lag_records', lane=True)})", "{{lane}} owner"),
                Query(f"count by (loop) ({_LOOPS})", "{{loop}} loops"),
            ),
            alerts=("NoOwner",),
        ),
        Panel(
            "Takeovers",
            "A start, a stop or a rebalance moves a lane once; contested: two configs take turns, "
            "or other routers write to it.",
            (
                Query(grown(of("takeovers_total", lane=True), "lane"), "{{lane}} taken over"),
                Query(grown(of("lane_contested_total", lane=True), "lane"), "{{lane}} contested"),
                Query(
                    grown(of("other_config_invitations_total", lane=True), "lane"),
                    "{{lane}} other config",
                ),
            ),
            alerts=("LaneContested", "ConfigContested"),
        ),
        Panel(
            "Stopped inputs",
            "Partitions of inputs that stand still until `inputs resume` says where to go on.",
            one(now("input_stopped", "topic", lane=False), "{{topic}}"),
            alerts=("InputStopped",),
        ),
        Panel(
            "Inputs that wait for a schema",
            "Partitions whose records name a schema that the registry does not say.",
            one(now("input_waits_for_schema", "topic", lane=False), "{{topic}}"),
            alerts=("RegistryUnreachable",),
        ),
        Panel(
            "Operators' commands",
            "Read by the processes, each by all of them.",
            one(grown(of("operator_commands_total"), "command"), "{{command}}"),
        ),
        Panel(
            "Orphaned lanes",
            "Records of lanes that left the config.",
            one(now("orphaned_lane_records", "lane", lane=False), "{{lane}}"),
            alerts=("OrphanedLane",),
        ),
        Panel(
            "Clocks",
            "How far each machine's clock is ahead of Kafka's, and how often it was stepped.",
            (
                Query(now("clock_ahead_seconds", "instance", lane=False), "{{instance}} ahead"),
                Query(grown(of("clock_steps_total"), "instance"), "{{instance}} stepped"),
            ),
            alerts=("ClockWrong",),
        ),
        Panel(
            "Refused deletions",
            "Records that Kafka does not let the program delete: personal data stays there.",
            one(grown(of("deletions_refused_total"), "topic"), "{{topic}}"),
        ),
    ),
)

PROCESS = Row(
    "Processes",
    (
        Panel(
            "Since the last turn",
            "How long ago each loop last went round.",
            one(
                "time() - "
                + now("loop_heartbeat_timestamp_seconds", "instance", "loop", lane=False),
                "{{instance}} {{loop}}",
            ),
            unit="s",
            alerts=("LoopStuck", "ReplicaSilent"),
            limit=LOOP_SILENCE,
        ),
        Panel(
            "Poll gap",
            "Between two polls of a consumer: 99 of 100 were shorter. At 300 s the group drops it.",
            one(quantile(0.99, "poll_gap_seconds", *_STAGES, lane=False), "{{stage}}"),
            unit="s",
        ),
        Panel(
            "Stopped stages",
            "Yes: it must not go on by itself; the log's `stage_stopped` says why.",
            one(now("stage_stopped", "instance", "loop", lane=False), "{{instance}} {{loop}}"),
            kind="states",
            alerts=("StageStopped",),
        ),
        Panel(
            "Config",
            "Whether the config on disk is the one in use.",
            one(now("config_last_reload_successful", "instance", lane=False), "{{instance}}"),
            kind="states",
            alerts=("ConfigRefused",),
            words=("refused", "in use"),
            bad=0,
        ),
        Panel(
            "Reloads",
            "Attempts to read a changed config, by result.",
            one(grown(of("config_reloads_total"), "result"), "{{result}}"),
        ),
        Panel(
            "Memory",
            "Resident memory of each process.",
            one(now("process_resident_memory_bytes", "instance", lane=False), "{{instance}}"),
            unit="bytes",
        ),
        Panel(
            "CPU",
            "Seconds of processor time a second.",
            one(per_second(of("process_cpu_seconds_total"), "instance"), "{{instance}}"),
        ),
        Panel(
            "Open files",
            "Connections count as well.",
            one(now("process_open_fds", "instance", lane=False), "{{instance}}"),
        ),
        Panel(
            "Versions",
            "Program and config of each process: the same everywhere but during a roll-out.",
            (
                Query(of("build_info")),
                Query(of("config_info")),
            ),
            kind="table",
        ),
    ),
)
