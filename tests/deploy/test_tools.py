"""The checks' own tools: what is missing is named with the command that gets it."""

from __future__ import annotations

import pytest

from tests.support.pod import bytes_of
from tests.support.tools import GO_AT_LEAST, GoTool, go_version


@pytest.mark.parametrize(
    ("told", "new_enough"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.24 linux/arm64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("go version devel", False),
    ],
)
def test_an_old_go_is_not_used(told: str, new_enough: bool) -> None:
    """Debian's own cannot build Helm."""
    assert (go_version(told) >= GO_AT_LEAST) is new_enough


def test_a_missing_tool_says_what_installs_it() -> None:
    """And is no reason to skip anything."""
    with pytest.raises(AssertionError, match=r"^nothing v0 is missing: make deploy-tools"):
        GoTool("nothing", "example.com/nothing", "v0").run()


@pytest.mark.parametrize(("text", "number"), [("512Mi", 512 << 20), ("1Gi", 1 << 30)])
def test_quantities_are_read(text: str, number: int) -> None:
    """As Kubernetes counts."""
    assert bytes_of(text) == number


@pytest.mark.parametrize("text", ["1G", "512", "", "1.5Gi"])
def test_quantities_of_another_form_are_refused(text: str) -> None:
    """A limit that is misread would be no limit."""
    with pytest.raises(ValueError, match="expected Ki, Mi or Gi"):
        bytes_of(text)
