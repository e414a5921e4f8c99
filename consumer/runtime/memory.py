"""Settings of Python's and the system's memory management, for a long run over many records."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Final

KEPT_BYTES: Final = 16 * 2**20
"""Freed memory that stays for the next records: a poll of records and what is made of them."""

LARGE_BYTES: Final = 8 * 2**20
"""Size from which a block is taken from the system and returned to it alone. Bodies of calls and
batches of records are below it."""

HEAPS: Final = 2
"""Heaps that all threads share: by default eight for each core, each with gaps of its own."""

# malloc.h of the GNU C library
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def calm_garbage_collector() -> None:
    """Make garbage collection rarer. Buffered invitations are many and form no cycles; searching
    them for cycles costs a third."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def keep_freed_memory() -> None:
    """Keep what one poll freed for the next one, where the C library is GNU's. Before any thread.

    By default it returns each free 128 kB to the system and faults them in again at the next poll:
    0.6 page faults a record, a fifth of the router's CPU. Two heaps instead of sixteen saved 31 of
    227 MB. Set from inside, because the environment (`MALLOC_ARENA_MAX`) is read before Python
    starts.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_ARENA_MAX, HEAPS)
