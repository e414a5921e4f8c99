"""Alerts on the rules before a survey, and on the store that they need."""

from __future__ import annotations

from deploy.monitoring.alert import Alert
from deploy.monitoring.queries import PREFIX, by, gauge, increase
from deploy.monitoring.thresholds import FEED_START, RESPONSES_FELL, RESPONSES_LEAST

_ASKING = f"max {by()} ({PREFIX}contacts_asking_invitations) > 0"
_ANSWERS = "responses_total"
_ASKED = 'results_total{status="accepted"}'
_UNREADABLE = 'feed_records_total{feed="suppressions", kind="dead_letter"}'


_PROCESS = "namespace, job, instance"
_STORE_UP = (
    f"max {by('instance')} ({PREFIX}contact_store_up\n"
    f"and on ({_PROCESS}) {PREFIX}contact_decision_seconds_count)"
)
"""Of processes with a contact store: a router has none, and shows 0."""

_CLOSED = (
    f"{gauge('feeds_hold_back', 'instance')} == 1\n"
    f"and on ({_PROCESS}) {PREFIX}contact_store_up == 1\n"
    f"and on ({_PROCESS}) time() - {PREFIX}process_start_time_seconds > {FEED_START}\n"
    f"and on (namespace, job) ({_ASKING})"
)
"""Invitations wait for opt-outs that the store has not taken over, or that Kafka does not tell of.
With a store that is down ContactStoreDown rings."""


def _behind(feeds: str, *labels: str) -> str:
    """Feeds that lie further behind than they may, whatever is sent meanwhile."""
    late = f"{PREFIX}feed_lag_seconds{{{feeds}}} > {PREFIX}feed_max_lag_seconds{{{feeds}}}"
    return f"max {by(*labels)} ({late})"


def _grown(counter: str, window: str, before: str = "") -> str:
    return f"sum {by()} (increase({PREFIX}{counter}[{window}]{before}))"


CONTACTS = [
    Alert(
        "ContactStoreDown",
        "critical",
        f"{_STORE_UP} == 0\nand on (namespace, job) ({_ASKING})",
        "The contact store of {{ $labels.instance }} does not answer, or grants nothing yet; "
        "no survey is sent meanwhile.",
        "See why: `survey-dispatcher status`.",
        "Contact store",
        "5m",
    ),
    Alert(
        "SuppressionFeedBehind",
        "critical",
        _behind('feed="suppressions"') + f"\nor max {by()} ({_CLOSED})",
        "Opt-outs may be unread: their feed lies further behind than `max_lag`, or the store "
        "behind the feed.",
        "See which: the log's `feeds_hold_back`, and whether the feed's writer and reader work.",
        "Lag of feeds",
        "1m",
    ),
    Alert(
        "FeedBehind",
        "warning",
        _behind('feed!="suppressions"', "feed"),
        "The feed {{ $labels.feed }} lies {{ $value | humanizeDuration }} behind, further than its "
        "`max_lag`.",
        "See whether the feed's writer and reader work.",
        "Lag of feeds",
        "1m",
    ),
    Alert(
        "OptOutsUnreadable",
        "critical",
        f"{increase(_UNREADABLE, 15)} > 0",
        "About {{ $value | printf `%.0f` }} opt-outs in 15 minutes cannot be read, and are not "
        "obeyed.",
        "See what is wrong with them: `survey-dispatcher dlq list`.",
        "Records of feeds",
        "0m",
    ),
    Alert(
        "ResponseRateFell",
        "warning",
        f"({_grown(_ANSWERS, '1d')} or 0 * {_grown(_ASKED, '1d')}) / {_grown(_ASKED, '1d')}\n"
        f"< {RESPONSES_FELL} * {_grown(_ANSWERS, '7d', ' offset 1d')}"
        f" / {_grown(_ASKED, '7d', ' offset 1d')}\n"
        f"and {_grown(_ANSWERS, '7d', ' offset 1d')} > {RESPONSES_LEAST}",
        "Of the customers asked in a day {{ $value | humanizePercentage }} answered, less than "
        "half as many as in the week before.",
        "See whether surveys arrive: ask the vendor how many it sent.",
        "Answers",
        "1h",
    ),
]
