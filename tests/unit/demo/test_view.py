"""The demo's frame: it fits a small terminal, and its bars tell the truth."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from prometheus_client.samples import Sample
from rich.console import Console

from consumer.demo import view
from consumer.demo.tally import Tally
from consumer.records.result import Status

LANES = {
    "pisano-cloud": ("20/0.125s", "40/0.625s", "80/3.125s", "160/15.625s"),
    "radar": ("10/1s",),
}


def sample(name: str, number: float, **labels: str) -> Sample:
    return Sample(f"survey_dispatcher_{name}", labels, number)


def busy_samples() -> list[Sample]:
    """A demo of a hundred thousand events, half way through: numbers at their widest."""
    samples = [
        sample("events_total", 90_000, disposition="routed"),
        sample("events_total", 10_000, disposition="unmatched"),
    ]
    for lane, limits in LANES.items():
        samples += [
            sample("waiting_invitations", 123_456, lane=lane),
            sample("calls_total", 12_345, lane=lane),
            sample("batch_size_invitations_sum", 12_345_000, lane=lane),
            sample("calls_in_flight", 16, lane=lane),
            sample("next_permit_seconds", 15.6, lane=lane),
        ]
        for limit in limits:
            left = int(limit.split("/")[0])
            samples.append(sample("permits_left", left, lane=lane, limit=limit))
    return samples


def drawn(width: int, results: int) -> list[str]:
    """The lines of a frame after so many results."""
    tally = Tally(Counter({Status.ACCEPTED: results}), _ids=set(map(str, range(results))))
    paper = io.StringIO()
    picture = view.draw_frame(busy_samples(), LANES, tally, 100_000, 100_000, 9464)
    Console(file=paper, width=width).print(picture)
    return paper.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100])
def test_every_limit_stands_in_one_line_with_its_bar(width: int) -> None:
    lines = drawn(width, 45_000)
    for limit in [each for limits in LANES.values() for each in limits]:
        (line,) = [each for each in lines if f" {limit.split('/')[0]} of {limit}" in each]
        assert "━" in line
    assert not [each for each in lines if "…" in each]


@pytest.mark.parametrize("width", [80, 100])
def test_a_lane_takes_as_many_lines_as_it_has_limits(width: int) -> None:
    lines = drawn(width, 45_000)
    names = [number for number, line in enumerate(lines) if line.startswith(tuple(LANES))]
    assert names[1] - names[0] == len(LANES["pisano-cloud"])


def test_the_last_bar_is_full_when_every_invitation_has_its_result() -> None:
    half, full = drawn(80, 45_000), drawn(80, 90_000)
    assert _bar(half) < _bar(full)
    assert _bar(full) == _bar(full, "events fed")


def _bar(lines: list[str], name: str = "results") -> int:
    """Characters that are filled; without colours the rest of a bar is blank."""
    (line,) = [each for each in lines if name in each]
    return line.count("━")
