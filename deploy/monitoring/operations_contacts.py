"""The on-call's row about the rules before a survey, and the contact store."""

from __future__ import annotations

from deploy.monitoring.panels import Panel, Query, Row, one
from deploy.monitoring.series import EVERY, grown, now, of, quantile

_DECIDES = f"rate({of('contact_decision_seconds_count')}[{EVERY}])"
"""Processes with a contact store: others show it as down."""

RULES = Row(
    "Rules before a survey",
    (
        Panel(
            "Held back on purpose",
            "Invitations that a rule ended, by reason; the lane `router` is what ended before any.",
            one(grown(of("results_total", 'status="suppressed"'), "lane", "reason"), "{{reason}}"),
            kind="stack",
        ),
        Panel(
            "Held back by contact rules",
            "Invitations that ended by a contact rule, a pace or a duplicate, for each rule.",
            one(grown(of("held_back_total", lane=True), "rule", "reason"), "{{rule}} {{reason}}"),
            kind="stack",
        ),
        Panel(
            "Contact store",
            "Down: the store does not answer, or grants nothing yet. Nothing is sent meanwhile.",
            one(
                f"max by (instance) ({of('contact_store_up')} and on (job, instance) {_DECIDES})",
                "{{instance}}",
            ),
            kind="states",
            alerts=("ContactStoreDown",),
            words=("down", "up"),
            bad=0,
        ),
        Panel(
            "State of the contact store",
            "waiting: for the lanes to report their calls in flight. reading: results and contacts "
            "are read. ready: the store grants.",
            one(now("contact_store_phase", "phase", lane=False), "{{phase}}"),
            kind="stack",
        ),
        Panel(
            "Decisions of the contact store",
            "95 of 100 questions were answered as fast as this.",
            one(quantile(0.95, "contact_decision_seconds", "question", lane=False), "{{question}}"),
            unit="s",
        ),
        Panel(
            "Questions without an answer",
            "Times that the contact store did not answer, or granted nothing yet.",
            one(grown(of("contact_store_failures_total"), "instance"), "{{instance}}"),
        ),
        Panel(
            "Waiting for the contact store",
            "Invitations that the store has not decided about.",
            one(now("contacts_asking_invitations", "lane"), "{{lane}}"),
        ),
        Panel(
            "Lag of feeds",
            "Since when a feed was not read to its end, and how long that may be. While opt-outs "
            "lie further behind, nothing is sent, unless the feed says `behind: send`.",
            (
                Query(now("feed_lag_seconds", "feed", lane=False), "{{feed}}"),
                Query(now("feed_max_lag_seconds", "feed", lane=False), "{{feed}} allowed"),
            ),
            unit="s",
            alerts=("SuppressionFeedBehind", "FeedBehind"),
        ),
        Panel(
            "Held back by feeds",
            "Yes: opt-outs may be unread, so nothing is sent.",
            one(now("feeds_hold_back", "instance", lane=False), "{{instance}}"),
            kind="states",
            words=("no", "yes"),
            bad=1,
        ),
        Panel(
            "Records of feeds",
            "What became of the records of feeds. A dead letter of suppressions is an opt-out that "
            "is not obeyed.",
            one(grown(of("feed_records_total"), "feed", "kind"), "{{feed}} {{kind}}"),
            alerts=("OptOutsUnreadable",),
        ),
        Panel(
            "Answers",
            "Answers to surveys, by what the feed says of the survey; beside the accepted results "
            "of a campaign they are its response rate.",
            one(grown(of("responses_total"), "route", "campaign"), "{{route}} {{campaign}}"),
            alerts=("ResponseRateFell",),
            kind="stack",
        ),
    ),
)
