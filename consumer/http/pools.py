"""Connection pools of earlier configs: open while a call can use them, then closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consumer.http.calls import Account, Calls

LOOK_EVERY = 0.5
"""Seconds between two checks whether a lane still commands calls by a former config."""


class RetiredPools:
    """One `Calls` for each config that is or was in use; they share unchanged accounts.

    All methods belong to the event loop that makes the calls.
    """

    def __init__(self) -> None:
        self._live: list[Calls] = []

    def add(self, calls: Calls) -> None:
        """Track these calls: they may be commanded from now on."""
        self._live.append(calls)

    async def retire(self, calls: Calls, in_use: Callable[[], bool]) -> None:
        """Wait until no lane commands these calls and the last one has ended; then close unused
        accounts."""
        while in_use():  # noqa: ASYNC110 - the lanes' threads send no signal
            await asyncio.sleep(LOOK_EVERY)
        await calls.ended()
        self._live.remove(calls)
        for account in calls.accounts.values():
            if not any(account is kept for kept in self._accounts()):
                await account.client.close()

    async def close(self) -> None:
        """Close all accounts at the end of the process."""
        for account in self._accounts():
            await account.client.close()
        self._live.clear()

    def _accounts(self) -> list[Account]:
        """Return each account once."""
        every = (account for calls in self._live for account in calls.accounts.values())
        return list({id(account): account for account in every}.values())
