"""Makes the pictures of docs/images: `make screenshots`. The same seed makes the same pictures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from rich.console import Console
from rich.terminal_theme import MONOKAI

from consumer.operations.status.view import picture
from tests.e2e.browsing import browser, visit
from tests.e2e.feed import usual
from tests.e2e.serving import served

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WARM_UP = 240.0
TERMINAL = (
    '<body style="margin: 0"><pre style="margin: 0; padding: 1rem; background: #14171b; '
    "color: #e4e7eb; font: 14px/1.35 'DejaVu Sans Mono', monospace; width: max-content\">"
    "{code}</pre>"
)
VIEWS: Mapping[str, Mapping[str, Any]] = {
    "status-dark": {"viewport": {"width": 1320, "height": 1000}, "color_scheme": "dark"},
    "status-light": {"viewport": {"width": 1320, "height": 1000}, "color_scheme": "light"},
    "status-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def page_pictures(chromium: Browser, folder: Path) -> None:
    """The page, wide in dark and light, and on a phone."""
    made = usual()
    made.advance(WARM_UP)
    with served(made) as url:
        for name, options in VIEWS.items():
            context = chromium.new_context(reduced_motion="reduce", **options)
            visit(context, url).page.screenshot(path=folder / f"{name}.png")
            context.close()


def terminal_picture(chromium: Browser, folder: Path) -> None:
    """What `survey-dispatcher status` prints, at the same moment."""
    made = usual()
    made.advance(WARM_UP)
    console = Console(record=True, width=88, file=StringIO(), force_terminal=True)
    console.print(picture(made.report.snapshot()))
    page = chromium.new_page(viewport={"width": 820, "height": 100})
    page.set_content(console.export_html(code_format=TERMINAL, theme=MONOKAI, inline_styles=True))
    page.locator("pre").screenshot(path=folder / "status-terminal.png")


def main(folder: Path) -> None:
    """Write all pictures to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as chromium:
        page_pictures(chromium, folder)
        terminal_picture(chromium, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES)
