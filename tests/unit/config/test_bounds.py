"""Values that a config may not have, for the program could not keep its promises with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config.checks.references import STAGES
from consumer.config.topic_names import BRANCHES, TAILS, Topics
from consumer.errors import ConfigError
from consumer.observability.metrics.labels import NO_LANES
from tests.unit.config.support import edited, load_text


def refused(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load_text(text, folder)
    return [f"{problem.path}: {problem.message}" for problem in refusal.value.problems]


@pytest.mark.parametrize(
    "name", ["router", "ladder", "delay", "results", "dead-letters", "dead_letters", "replayed"]
)
def test_no_quota_has_the_name_of_another_part(name: str, tmp_path: Path) -> None:
    """A lane called `ladder` was ready and never sent: two stages shared its thread's name."""
    text = edited("  radar: {limits: [1/1s]}", f"  {name}: {{limits: [1/1s]}}")
    text = text.replace("quota: radar", f"quota: {name}")
    if "_" in name and name.replace("_", "-") in TAILS:
        load_text(text, tmp_path)  # dead_letters is another name to Kafka than dead-letters
        return
    (problem,) = refused(text, tmp_path)
    assert problem.startswith(f"quotas.{name}: is ")


def test_every_stage_without_a_lane_is_reserved() -> None:
    assert set(NO_LANES) <= STAGES


@pytest.mark.parametrize("branch", sorted(BRANCHES))
@pytest.mark.parametrize("form", ["surveys.{}", "surveys.{}.eu", "surveys_{}", "a.b_{}.c"])
def test_no_application_shares_topics_with_the_lanes_of_another(
    branch: str, form: str, tmp_path: Path
) -> None:
    """`surveys.invitations.results` is the results topic of one, and a lane's of another."""
    (problem,) = refused(
        edited("application_id: surveys", f"application_id: {form.format(branch)}"), tmp_path
    )
    assert problem.startswith(f"application_id: has '{branch}' behind a dot or _")


@pytest.mark.parametrize("name", ["invitations", "lane", "surveys.eu", "my-lane", "lanes.invited"])
def test_other_applications_are_free(name: str, tmp_path: Path) -> None:
    config = load_text(edited("application_id: surveys", f"application_id: {name}"), tmp_path)
    assert config.topics == Topics(name)


@pytest.mark.parametrize(
    "topic",
    [
        "surveys_results",
        "surveys_dead-letters",
        "surveys.invitations_x",
        "__consumer_offsets",
        "..",
    ],
)
def test_no_input_reads_what_is_not_events(topic: str, tmp_path: Path) -> None:
    (problem,) = refused(edited("topics: [web.orders]", f"topics: ['{topic}']"), tmp_path)
    assert problem.startswith("inputs.web.topics[0]: ")


def test_an_inputs_name_may_begin_as_the_applications_does(tmp_path: Path) -> None:
    load_text(edited("topics: [web.orders]", "topics: [surveys_orders, surveys]"), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "limits: [1/1s]",
            "limits: [1000001/1d]",
            "quotas.radar.limits[0]: expected at most 1000000 calls",
        ),
        ("limits: [1/1s]", "limits: [999999999/1d]", "quotas.radar.limits[0]: expected at most"),
        ("limits: [1/1s]", "limits: [1/3651d]", "quotas.radar.limits[0]: expected at most 3650d"),
        (
            "limits: [1/1s]",
            "limits: [" + ", ".join(["1/1s"] * 17) + "]",
            "quotas.radar.limits: expected at most 16",
        ),
        (
            "limits: [1/1s]",
            "limits: [1/1s], max_buffered_bytes: 1000",
            "quotas.radar.max_buffered_bytes: expected at least 1048576",
        ),
        (
            "expire_after: 72h",
            "expire_after: 999999999d",
            "routes[0].policy.expire_after: expected at most 3650d",
        ),
        (
            "limits: [1/1s]",
            "limits: [1/1s], call_timeout: 999999999d",
            "quotas.radar.call_timeout: expected at most 3650d",
        ),
    ],
)
def test_a_bound_is_said(old: str, new: str, problem: str, tmp_path: Path) -> None:
    (said,) = refused(edited(old, new), tmp_path)
    assert said.startswith(problem)


def test_values_at_the_bound_are_taken(tmp_path: Path) -> None:
    text = edited("limits: [1/1s]", "limits: [1000000/3650d], max_buffered_bytes: 1048576")
    (limit,) = load_text(text, tmp_path).quotas["radar"].limits
    assert limit.calls == 1_000_000


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "::1", "127.0.0.1", "localhost", "pod-0.svc"])
def test_an_admin_host_is_an_address_or_a_name(host: str, tmp_path: Path) -> None:
    text = edited("port: 9464", f"port: 9464, host: '{host}'")
    assert load_text(text, tmp_path).admin.host == host


@pytest.mark.parametrize(
    "host",
    ["999.1.1.1", "1.2.3", "a b", "http://x", "x/", "a..b", ":::", "x" * 64, "x:1", "ı.example"],
)
def test_what_no_server_can_listen_at_is_refused(host: str, tmp_path: Path) -> None:
    """It ended the process with a defect."""
    (problem,) = refused(edited("port: 9464", f"port: 9464, host: '{host}'"), tmp_path)
    assert problem == "admin.host: expected an IP address or a host name, as in 0.0.0.0"


def test_a_sentence_lists_some_of_many_names(tmp_path: Path) -> None:
    """A thousand wrong names of a thousand made a message of megabytes."""
    many = "".join(f"  q{number}: {{limits: []}}\n" for number in range(1000))
    text = edited("vendors:\n", many + "vendors:\n").replace("quota: radar", "quota: rada")
    with pytest.raises(ConfigError) as refusal:
        load_text(text, tmp_path)
    (hint,) = [each.hint for each in refusal.value.problems if each.path == "vendors.radar.quota"]
    assert hint.startswith("did you mean 'radar'? there are: pisano-cloud, radar, q0")
    assert hint.endswith("and 982 more")
