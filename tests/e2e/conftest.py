"""A Chromium for the tests of a file: while it runs, Playwright's loop runs in this thread, and no
other test of the process may call `asyncio.run`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.e2e.browsing import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless one; without it the test fails, and says what installs it."""
    with browser() as running:
        yield running


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser window of one's own."""
    made = chromium.new_context()
    yield made
    made.close()
