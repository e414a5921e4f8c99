"""Every test here needs more than Python, so each gets the mark by its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.image import Image, built

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before `-m "not deploy"` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("deploy")


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image, built once for all tests; a minute, or more where packages come slowly."""
    with built() as image:
        yield image
