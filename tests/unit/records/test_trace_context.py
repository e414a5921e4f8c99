"""Trace contexts by W3C's standard: what is carried, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.trace_context import checked_traceparent, is_sampled, traceparent_in

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
HEX = "0123456789abcdef"


def test_last_header_of_the_name_counts() -> None:
    """A forwarder adds its own behind that of the producer."""
    headers = [("traceparent", b"x"), ("other", None), ("Traceparent", SAMPLED.encode())]
    assert traceparent_in(headers) == SAMPLED
    assert traceparent_in([("traceparent", None), ("baggage", b"user=anna")]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        SAMPLED.upper(),
        SAMPLED[:-1],
        f"{SAMPLED}-more",  # version 00 has no more
        f"{SAMPLED}x",
        f"cc-{TRACE}-{SPAN}-01more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_no_trace_context(text: str) -> None:
    assert checked_traceparent(text) == ""


def test_later_version_is_cut_to_what_is_known() -> None:
    assert checked_traceparent(f"cc-{TRACE}-{SPAN}-01-what-the-future") == f"cc-{TRACE}-{SPAN}-01"


@given(st.integers(0, 255))
def test_lowest_flag_says_whether_it_is_sampled(flags: int) -> None:
    text = f"00-{TRACE}-{SPAN}-{flags:02x}"
    assert checked_traceparent(text) == text
    assert is_sampled(text) == bool(flags & 1)
    assert not is_sampled("")


@given(st.binary(max_size=80))
def test_no_header_is_carried_but_in_its_form(content: bytes) -> None:
    found = traceparent_in([("traceparent", content)])
    assert found == "" or (len(found) == 55 and set(found) <= {*HEX, "-"})
