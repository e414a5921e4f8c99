"""A real Chromium, and all that it complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium. Raises RuntimeError with what installs it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError("no Chromium is installed: run `make browser`")
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


@dataclass(slots=True)
class Visit:
    """A page that is open. `said`: console lines and errors; `asked`: hosts of its requests."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def text(self, selector: str) -> str:
        """The text a reader sees there."""
        return self.page.inner_text(selector)

    def number(self, selector: str) -> float:
        """The number a reader sees there."""
        return float(self.text(selector).replace(",", ""))


def visit(context: BrowserContext, url: str) -> Visit:
    """Open the page and wait for its first numbers."""
    page = context.new_page()
    seen = Visit(page)
    page.on("console", lambda line: seen.said.append(f"{line.type}: {line.text}"))
    page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    page.on("request", lambda request: seen.asked.add(urlsplit(request.url).netloc))
    page.goto(url)
    page.wait_for_selector("#live[data-state=live]")
    return seen
