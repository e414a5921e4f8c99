"""An invitation in memory: what is at hand, and what is read again from its bytes."""

from __future__ import annotations

import orjson
import pytest

from consumer.errors import UnreadableRecord
from consumer.lane.state.pending import OVERHEAD, PendingInvitation
from tests.support.lanes import NOW, held, invitation, written


def test_what_the_lane_decides_by_is_read_from_the_record() -> None:
    each = written(7, "visit", expires_at=NOW + 5, attempt=2, delays=3)
    assert (each.offset, each.campaign, each.recipient, each.arrived) == (7, "visit", "r7", NOW)
    assert (each.expires_at, each.attempt, each.delays) == (NOW + 5, 2, 3)
    assert each.size == len(each.value) + OVERHEAD


def test_a_first_time_invitation_was_in_no_call_and_never_delayed() -> None:
    assert (written(7).attempt, written(7).delays) == (0, 0)


def test_a_record_that_is_no_invitation_is_refused() -> None:
    with pytest.raises(UnreadableRecord):
        PendingInvitation.read(7, b"{}", NOW)


def test_an_invitation_keeps_its_bytes_and_is_parsed_on_demand() -> None:
    """Parsed invitations take twice the memory of their bytes."""
    each = written(7)
    assert each.invitation is not each.invitation
    assert each.invitation["id"] == "i7"


def test_one_that_has_no_bytes_keeps_its_invitation() -> None:
    assert held(7).invitation == invitation(7, "r7", "a")


def test_of_a_later_versions_record_only_its_delays_and_attempts_are_known() -> None:
    value = orjson.dumps({"version": 2, "attempt": 3, "delays": 4, "campaign": {"new": "form"}})
    later = PendingInvitation.from_later_version(7, value, NOW)
    assert later is not None
    assert (later.offset, later.value, later.attempt, later.delays) == (7, value, 3, 4)
    assert later.expires_at is None


@pytest.mark.parametrize(
    "value",
    [b"", b"?", b"[]", b"7", b'"version"', b"null", b"{}", b'{"version":1}', b'{"version":null}',
     b'{"version":"new"}', b'{"version":2,"delays":[]}'],
)  # fmt: skip
def test_anything_else_is_no_later_version(value: bytes) -> None:
    assert PendingInvitation.from_later_version(7, value, NOW) is None
