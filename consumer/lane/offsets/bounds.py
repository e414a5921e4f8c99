"""Bounds of a checkpoint by parts: its topic takes 8 MiB, a reader 64 MiB of bitmaps.

    part        what keeps it within its bound
    done        a lane at the bound reads nothing new until enough of it is settled
    in flight   no call is sealed beyond the bound, but one
    tried       the rest is left out: its attempts are counted from 0 again
    quota       cells instead of stamps (consumer/lane/quota/cells.py)

A bitmap reaches from its first offset to its last, and costs little where it is empty. So both its
bytes and its reach are bounded.
"""

from __future__ import annotations

from consumer.lane.offsets.bitmap import LARGEST

DONE_BYTES = 4_500_000
"""Text of the settled offsets: 5,000,000 pending offsets among 60,000,000."""

DONE_REACH = LARGEST * 8 // 4
"""Offsets from the base to the newest record that was read: 134,217,728."""

IN_FLIGHT_BYTES = 1_500_000
IN_FLIGHT_REACH = LARGEST * 8 // 4
IN_FLIGHT_MARKS = 1_500_000
"""Text, offsets and invitations of all calls in flight or in doubt."""

TRIED_BYTES = 1_000_000
TRIED_REACH = LARGEST * 8 // 8
TRIED_MARKS = 3_000_000
"""Text, offsets and invitations of all that wait for a retry."""
