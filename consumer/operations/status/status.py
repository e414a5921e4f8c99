"""`survey-dispatcher status`: of a running process, or from its topics."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
from confluent_kafka import Consumer, Message, TopicPartition

from consumer.errors import OperationError
from consumer.kafka.lane_logs import orphans, read_lane
from consumer.kafka.log_scan import count_records
from consumer.kafka.queries import (
    Offsets,
    committed_offsets,
    end_offsets,
    low_offsets,
    members,
    topic_names,
)
from consumer.kafka.records.messages import content_of
from consumer.lane.state.delay_steps import STEPS
from consumer.observability.status.notes import notes
from consumer.observability.status.status import StatusSnapshot, load
from consumer.operations import pauses
from consumer.operations.access import Access
from consumer.operations.dead_letters.letters import LetterPlace, letter_of
from consumer.operations.status.lane import Found, lane_notes, lane_status

LOCAL = "http://localhost:9464"

PATIENCE = 5.0
"""Seconds that a process has for its answer."""

OTHERWISE = (
    "Expected the admin port of a running dispatcher (`admin: {port: 9464}` in its config): say "
    "where with --url, or read the topics of a stopped one with --config routing.yaml"
)


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, f"no connection within {PATIENCE:g} s"),
    (httpx.ConnectError, "nothing listens there, or another protocol (http or https?)"),
    (httpx.TimeoutException, f"a connection, and no answer within {PATIENCE:g} s: frozen?"),
    (httpx.RemoteProtocolError, "what listens there does not speak HTTP"),
    (httpx.InvalidURL, "that is no URL"),
)
"""Why there is no answer, in an operator's words."""


def url_of(text: str) -> str:
    """Return the status URL of the process that an operator names: a URL, or a host and a port.
    Raises OperationError."""
    scheme, colon, rest = text.strip().rpartition("://")
    where = rest.rstrip("/").removesuffix("/status.json")
    try:
        url = httpx.URL(f"{scheme if colon else 'http'}://{where}/status.json")
        usable = url.scheme in {"http", "https"} and bool(url.host)
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise OperationError(
            f"--url takes http://host:port or host:port, as in {LOCAL}, not {text!r}"
        )
    return str(url)


def read_process(url: str, token: str | None = None, ca: Path | None = None) -> StatusSnapshot:
    """Return the snapshot of the process at `url`. `token`: of its admin port; `ca`: a PEM file of
    the authority to trust. Raises OperationError."""
    where = url_of(url)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        trusted: ssl.SSLContext | bool = ca is None or ssl.create_default_context(cafile=ca)
    except OSError:  # an SSLError is one
        raise OperationError(f"--ca: {ca} cannot be read, or holds no certificate in PEM") from None
    try:
        # Without a proxy: the process is on this host, or behind a forwarded port.
        answer = httpx.get(
            where, timeout=PATIENCE, trust_env=False, headers=headers, verify=trusted
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reasons = (words for kind, words in _REASONS if isinstance(error, kind))
        why = next(reasons, type(error).__name__)
        raise OperationError(f"{where}: {why}. {OTHERWISE}") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise OperationError(
            f"{where} wants a token: set SURVEY_DISPATCHER_TOKEN to `admin.token` of its config"
        )
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise OperationError(
            f"{where} answered HTTP 503: a dispatcher runs there, and its router or sender gives "
            "no answer: it begins, or it is frozen. Try again; if it stays so, end that process: "
            "another takes its work over"
        )
    if answer.status_code != httpx.codes.OK:
        raise OperationError(f"{where} answered HTTP {answer.status_code}. {OTHERWISE}")
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind != "application/json":
        raise OperationError(f"{where} answered {kind or 'no content type'}. {OTHERWISE}")
    try:
        return load(answer.content)
    except ValueError as error:
        raise OperationError(
            f"{where}: the answer is no status of this version ({error}). Use the command of the "
            "version that runs there"
        ) from None


def read_topics(access: Access) -> StatusSnapshot:
    """Return a snapshot from checkpoints, logs and groups; it may be a moment old."""
    now, there = access.now(), frozenset(topic_names(access.admin))
    topics = access.topics
    with access.reader() as reader:
        found = list(_lanes(access, reader, there))
        left = orphans(access.admin, topics, access.config.lanes)
        held = {name: read_lane(access.admin, reader, topics, name).waiting for name in left}
        letters = _letters(access, reader, there)
        put_off = _put_off(access, reader, there)
    steps = {step: topics.delayed(step) for step in STEPS}
    inputs = [*access.config.input_topics, topics.replayed, topics.uploads]
    shown = StatusSnapshot(
        at=now,
        lanes=[lane_status(lane, now) for lane in found],
        dead_letters={"on the topic": letters},
        router_lag=_behind(access, there.intersection(inputs)),
        delayed={step: put_off[topic] for step, topic in steps.items() if topic in put_off},
        orphans=held,
        pauses=pauses.look(access),
    )
    special = [note for lane in found for note in lane_notes(lane)]
    return replace(shown, notes=[*special, *notes(shown)])


def _lanes(access: Access, reader: Consumer, there: frozenset[str]) -> Iterator[Found]:
    config, topics = access.config, access.topics
    for name in config.lanes:
        if topics.invitations(name) in there:
            view = read_lane(access.admin, reader, topics, name)
            owners = members(access.admin, topics.lane_group(name))
            yield Found(view, config.quotas[name], owners)


def _behind(access: Access, topics: frozenset[str]) -> dict[str, int]:
    """Return topic → offsets that the router has not read, a producer's markers included."""
    names = sorted(topics)
    begin, end = low_offsets(access.admin, names), end_offsets(access.admin, names)
    read = _committed(access, access.topics.router_group, sorted(end))
    behind = dict.fromkeys(names, 0)
    for place, last in end.items():
        behind[place[0]] += max(0, last - read.get(place, begin[place]))
    return behind


def _committed(access: Access, group: str, places: Sequence[tuple[str, int]]) -> Offsets:
    """Return a group's committed offsets, read without joining it."""
    if not places:
        return {}
    with access.reader(group) as asker:
        found = committed_offsets(asker, [TopicPartition(*place) for place in places])
    return {place: committed.offset for place, committed in found.items() if committed.offset >= 0}


def _letters(access: Access, reader: Consumer, there: frozenset[str]) -> int:
    """Return the number of dead letters on their topic, without the marks of replayed ones."""
    names = sorted(there.intersection([access.topics.dead_letters]))
    begin, ends = low_offsets(access.admin, names), end_offsets(access.admin, names, committed=True)
    return sum(count_records(reader, begin, ends, _is_letter).values())


def _is_letter(record: Message) -> bool:
    return letter_of(LetterPlace(0, 0), content_of(record).headers) is not None


def _put_off(access: Access, reader: Consumer, there: frozenset[str]) -> dict[str, int]:
    """Return delay topic → records that wait there."""
    names = sorted(there.intersection(access.topics.delayed(step) for step in STEPS))
    lows, ends = low_offsets(access.admin, names), end_offsets(access.admin, names, committed=True)
    read = _committed(access, access.topics.delay_group, sorted(ends))
    begin = {place: max(low, read.get(place, low)) for place, low in lows.items()}
    return {topic: n for (topic, _), n in count_records(reader, begin, ends).items()}
