"""`survey-dispatcher status`: of a process that runs, and of a lane whose topics alone tell."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from rich.console import Console
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config.sections import Quota
from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka.lane_logs import LaneView
from consumer.kafka.queries import members
from consumer.lane.offsets.bitmap import pack
from consumer.observability.status.report import StatusReport
from consumer.observability.status.status import (
    AccountStatus,
    CallStatus,
    CampaignStatus,
    ContactStoreStatus,
    LaneStatus,
    Level,
    Note,
    StatusSnapshot,
    load,
)
from consumer.operations.status import screen
from consumer.operations.status.lane import Found, lane_notes, lane_status
from consumer.operations.status.status import read_process
from consumer.operations.status.view import drained, lasting, next_permit, picture
from consumer.records.checkpoint import Checkpoint, InFlight, Owner
from tests.e2e.feed import MadeUp, usual
from tests.e2e.serving import served
from tests.support.kafka import free_ports

NOW = 1_795_385_000.0
QUOTA = Quota.model_validate({"limits": ("20/10s",), "skew": "0s", "share": 0.5})
CHECKPOINT = Checkpoint(
    lane="cloud",
    topic_id=None,
    base=40,
    done=pack([], 40),
    in_flight=[
        InFlight(
            batch_id="cloud.7.1",
            campaign="sms",
            attempt=1,
            sealed_at=NOW - 3,
            first=40,
            offsets=pack([40, 42, 43], 40),
        )
    ],
    permit_log=[NOW - 4, NOW - 2],
    config_version="3f9a",
)
OWNER = Owner(instance="dispatcher-0", config_version="3f9a", at=NOW - 900)
VIEW = LaneView("cloud", 40, 50, 10, 1, OWNER, "3f9a", CHECKPOINT)


def text_of(now: StatusSnapshot, width: int = 80) -> str:
    """What the terminal shows."""
    out = StringIO()
    Console(file=out, width=width).print(picture(now))
    return out.getvalue()


@pytest.fixture
def made() -> MadeUp:
    """The usual process after some minutes."""
    one = usual()
    one.advance(60)
    return one


# -- of a process ---------------------------------------------------------------------------------


def test_a_running_process_is_asked_for_its_status(made: MadeUp) -> None:
    with served(made) as url:
        assert read_process(url).calls[0].batch == made.report.snapshot().calls[0].batch


def test_the_command_prints_what_the_process_says(made: MadeUp) -> None:
    with served(made) as url:
        done = CliRunner().invoke(app, ["status", "--url", url])
        as_json = CliRunner().invoke(app, ["status", "--url", url, "--json"])
    assert done.exit_code == 0
    assert "pisano-cloud" in done.output
    assert "b2b-email is parked" in done.output
    assert load(as_json.output.encode()).lanes[0].name == "pisano-cloud"


def test_the_terminal_shows_what_rules_held_back_and_the_store(made: MadeUp) -> None:
    now = replace(
        made.report.snapshot(),
        held_back={"everyone": {"contact_limit": 1234}, "": {"duplicate": 2}},
        contacts=ContactStoreStatus("reading", waiting=50),
    )
    shown = text_of(now)
    assert "held back by everyone: contact_limit 1,234" in shown
    assert "held back by no rule: duplicate 2" in shown
    assert "contact store: reading, 50 invitations wait for it" in shown
    down = replace(now, contacts=ContactStoreStatus(phase="ready", why="refused"))
    assert "contact store: does not answer" in text_of(down)
    assert "contact store: not asked yet" in text_of(replace(now, contacts=ContactStoreStatus()))
    assert "contact store" not in text_of(replace(now, contacts=None))


def test_a_process_that_does_not_answer_is_an_error_that_says_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(OperationError, match=r"nothing listens.*--url.*--config routing\.yaml"):
        read_process(url)


def test_another_servers_answer_is_an_error_that_says_so(made: MadeUp) -> None:
    with served(made) as url, pytest.raises(OperationError, match=r"answered HTTP 404.*--url"):
        read_process(f"{url}metrics")


def test_a_frozen_process_is_told_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_args, **_settings: httpx.Response(503))
    with pytest.raises(OperationError, match=r"HTTP 503.*frozen.*end that process"):
        read_process("localhost:9464")


def test_an_answer_of_another_kind_is_refused_without_repeating_it(
    made: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StatusReport, "json", lambda _report: b"ayse@example.test")
    with served(made) as url, pytest.raises(OperationError, match="no status of this") as error:
        read_process(url)
    assert "ayse" not in str(error.value)


@pytest.mark.parametrize(
    "words", [("--watch", "--json"), ("--url", "http://localhost:1", "--config", "routing.yaml")]
)
def test_what_excludes_each_other_is_said(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["status", *words])
    assert done.exit_code == 2
    assert "choose one" in done.output


# -- of topics ------------------------------------------------------------------------------------


def test_permits_left_equal_what_the_next_owner_would_have() -> None:
    """10 of 20 calls are ours; two answers count, and the batch in flight at its latest."""
    now = lane_status(Found(VIEW, QUOTA, 0), NOW)
    (limit,) = now.limits
    assert (limit.name, limit.calls, limit.left) == ("20/10s", 10, 7.0)
    assert (now.waiting, now.owner) == (10, None)
    assert [(each.batch, each.customers, each.age) for each in now.in_flight] == [
        ("cloud.7.1", 3, 3.0)
    ]


def test_a_lane_that_a_429_closed_says_until_when() -> None:
    closed = CHECKPOINT.model_copy(update={"closed_until": NOW + 30, "limits_part": 0.5})
    now = lane_status(Found(replace(VIEW, checkpoint=closed), QUOTA, 1), NOW)
    assert (now.held_back_by, now.next_permit) == ("429", 30.0)
    assert (now.limits_in_use, now.limits[0].calls) == (0.5, 5)
    assert now.owner == "dispatcher-0"


def test_an_earlier_429_holds_nothing_back() -> None:
    past = CHECKPOINT.model_copy(update={"closed_until": NOW - 1})
    now = lane_status(Found(replace(VIEW, checkpoint=past), QUOTA, 1), NOW)
    assert (now.held_back_by, now.next_permit) == (None, 0.0)


@pytest.mark.parametrize(("first_start", "base", "left"), [("used", 0, 0), ("unused", 0, 10),
                                                           ("unused", 40, 0)])  # fmt: skip
def test_without_a_checkpoint_the_quota_counts_as_a_takeover_would_count_it(
    first_start: str, base: int, left: int
) -> None:
    """A lane whose log was cut has called before."""
    quota = QUOTA.model_copy(update={"first_start": first_start})
    view = LaneView("cloud", base, 50, 10)
    now = lane_status(Found(view, quota, 0), NOW)
    assert now.limits[0].left == left
    assert now.in_flight == []


def test_a_lane_without_an_owner_is_reported_with_its_last_owner_and_its_batches() -> None:
    said = list(lane_notes(Found(VIEW, QUOTA, 0)))
    assert [each.level for each in said] == [Level.BAD, Level.WARN]
    assert "no process owns it, the last was dispatcher-0" in said[0].what
    assert said[1].what.endswith("ended while they were called: 1")


def test_a_lane_with_an_owner_needs_no_note() -> None:
    assert not list(lane_notes(Found(VIEW, QUOTA, 1)))


def test_a_checkpoint_of_a_later_version_is_said() -> None:
    said = list(lane_notes(Found(LaneView("cloud", None, 50, 10), QUOTA, 1)))
    assert [("later version" in each.what, each.level) for each in said] == [(True, Level.BAD)]


class Groups:
    """An admin client whose group has these answers, one after the other."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def describe_consumer_groups(self, names: list[str], **_: object) -> dict[str, Future[object]]:
        future: Future[object] = Future()
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            future.set_exception(KafkaException(KafkaError(answer)))
        else:
            future.set_result(answer)
        return {names[0]: future}


def test_a_group_whose_coordinator_is_not_there_yet_is_asked_again() -> None:
    """So it is for a moment after a broker has started."""
    coming = KafkaError.COORDINATOR_LOAD_IN_PROGRESS
    groups = Groups(
        coming, coming, SimpleNamespace(members=[SimpleNamespace(client_id=name) for name in "ab"])
    )
    assert members(cast("AdminClient", groups), "surveys.lane.cloud") == 2


def test_a_group_that_may_not_be_seen_is_an_error_at_once() -> None:
    groups = Groups(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(
        KafkaSessionError, match=r"surveys\.lane\.cloud: GROUP_AUTHORIZATION_FAILED"
    ):
        members(cast("AdminClient", groups), "surveys.lane.cloud")


# -- the picture ----------------------------------------------------------------------------------


def test_the_text_fits_into_80_columns_and_has_all_that_the_page_has(made: MadeUp) -> None:
    now = made.report.snapshot()
    shown = text_of(now)
    assert max(map(len, shown.splitlines())) <= 80
    for lane in now.lanes:
        assert lane.name in shown
        for limit in lane.limits:
            assert f"{int(limit.left)} of {limit.calls}" in shown
    accepted = sum(now.results["accepted"].values())
    assert f"accepted {accepted:,}" in shown
    assert "no_time 3" in shown
    assert "10m 128" in shown
    assert "parked" in shown


def test_what_moves_a_cursor_is_not_printed() -> None:
    call = CallStatus(NOW, "\x1b[2Jcloud", "p", "b", "s\x07", 1, "\x1b]0;x", "accepted", 0.1)
    now = StatusSnapshot(
        at=NOW,
        notes=[Note(Level.BAD, "\x1b[2J", "\x1b[2J")],
        lanes=[LaneStatus("\x1b[2J", "\x1b[2J", waiting=1)],
        calls=[call],
        router_lag={"\x1b[2J": 1},
    )
    shown = text_of(now)
    assert not [each for each in shown if not each.isprintable() and each != "\n"]


def test_a_picture_from_topics_says_that_no_process_was_asked() -> None:
    now = StatusSnapshot(at=NOW, lanes=[lane_status(Found(VIEW, QUOTA, 0), NOW)])
    shown = text_of(now)
    assert "no process was asked" in shown
    assert "cloud.7.1" in shown
    assert "accepted" not in shown


def test_many_campaigns_are_counted_when_they_are_not_shown() -> None:
    made = usual()
    made.advance(10)
    lane = made.own[0].status(made.now)
    many = replace(lane, campaigns=[*lane.campaigns] * 3, campaigns_more=100)
    assert "and 106 more campaigns" in text_of(StatusSnapshot(at=NOW, lanes=[many]))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (47.4, "47 s"), (600, "10 min"), (12_000, "3 h 20 min"),
     (187_200, "2 d 4 h")],
)  # fmt: skip
def test_times_are_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_the_next_permit_and_the_drain_have_words_for_never() -> None:
    assert next_permit(LaneStatus("a", next_permit=None)) == "after an answer"
    assert next_permit(LaneStatus("a")) == "now"
    assert next_permit(LaneStatus("a", next_permit=2.0)) == "in 2.0 s"
    assert drained(LaneStatus("a", drain=None)) == "never"
    assert drained(LaneStatus("a", drain=60.0)) == "60 s"
    assert drained(LaneStatus("a")) == "–"


def test_while_calls_are_held_back_permit_and_drain_say_so() -> None:
    refused = AccountStatus("p", credentials_refused=True)
    stopped = LaneStatus("a", drain=31.0, stopped="the vendor refuses account p")
    assert next_permit(stopped) == "for trials only, while the vendor refuses account p"
    assert drained(stopped) == "not meanwhile"
    some = LaneStatus("a", drain=31.0, accounts=[refused, AccountStatus("q")])
    assert (next_permit(some), drained(some)) == ("now", "31 s without account p")


def test_what_is_delayed_or_parked_is_told_apart_with_its_reason_and_next_try() -> None:
    parked = CampaignStatus(
        "b2b", 6, 0.0, parked=True, delayed=6, tries_at=60.0, why="HTTP 404: campaign not usable"
    )
    shown = LaneStatus("a", "here", 9, [parked, CampaignStatus("sms", 3, 1.0)], delayed=6)
    text = text_of(StatusSnapshot(0.0, lanes=[shown]), 160)
    assert "waiting 9 (3 in the lane, 6 delayed)" in text
    assert "6 waiting (0 in the lane, 6 parked)" in text
    assert "parked, next try 00:01:00Z (HTTP 404: campaign not usable)" in text


# -- watching -------------------------------------------------------------------------------------


def test_a_watched_process_may_go_and_come_back(
    made: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be had for a while is said above the last picture; Ctrl-C ends it in peace."""
    out = StringIO()
    terminal = Console(file=out, width=80, height=80, force_terminal=True)
    monkeypatch.setattr(screen, "console", lambda: terminal)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    def look() -> StatusSnapshot:
        if len(slept) == 1:
            raise KafkaSessionError("the broker is away")
        return made.report.snapshot()

    screen.watch(look, 7.0, sleep)
    assert slept == [7.0] * 3
    assert "the broker is away" in out.getvalue()
    assert "pisano-cloud" in out.getvalue()


def test_watching_needs_a_terminal(made: MadeUp) -> None:
    with pytest.raises(OperationError, match="needs a terminal"):
        screen.watch(made.report.snapshot, 1.0)


def test_what_cannot_be_had_at_the_first_look_ends_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look() -> StatusSnapshot:
        raise OperationError("nobody answers")

    terminal = Console(file=StringIO(), force_terminal=True)
    monkeypatch.setattr(screen, "console", lambda: terminal)
    with pytest.raises(OperationError, match="nobody answers"):
        screen.watch(look, 1.0)
