"""A call is built for every account and campaign before a config is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumer.errors import ConfigError
from consumer.vendors.pisano import Pisano
from tests.unit.config.support import VALID, load_text

BATCH = """\
  own:
    type: http_batch
    base_url: https://own.example{base}
    path: /v2/{{campaign}}/invite
    addresses: [phone]
    body: {{people: $recipients, tenant: {tenant}}}
    recipient: {{mobile: $phone, level: {level}, name: $data.name}}
    quota: radar
campaigns:
  own: {{vendor: own, channel: sms, id: "7"}}
"""


def text(tenant: str = "7", level: str = "7", base: str = "") -> str:
    account = BATCH.format(tenant=tenant, level=level, base=base)
    used = VALID.replace("campaigns:\n", account)
    return used.replace("send: [purchase-sms,", "send: [own, purchase-sms,").replace(
        "      custom_attributes:", "      name: customer.name\n      custom_attributes:"
    )


@pytest.mark.parametrize("number", [2**64, 10**30, -(2**63) - 1])
@pytest.mark.parametrize("place", ["tenant", "level"])
def test_a_number_that_no_body_can_hold_is_refused(number: int, place: str, tmp_path: Path) -> None:
    """It was valid, and every call raised."""
    with pytest.raises(ConfigError) as refused:
        load_text(text(**{place: str(number)}), tmp_path)
    (problem,) = refused.value.problems
    where = "body.tenant" if place == "tenant" else "recipient.level"
    assert problem.path == f"vendors.own.{where}"
    assert problem.line == (26 if place == "tenant" else 27)
    assert "64 bits" in problem.hint


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 1.5])
def test_a_number_at_the_bound_is_taken(number: float, tmp_path: Path) -> None:
    assert load_text(text(str(number), str(number)), tmp_path).warnings == ()


def test_the_path_of_an_own_vendor_is_looked_for_in_its_url(tmp_path: Path) -> None:
    (warning,) = load_text(text(base="/api/v2"), tmp_path).warnings
    assert str(warning).startswith("config.yaml:23: vendors.own.base_url: ends in /v2")


def test_a_campaigns_id_fits_into_a_url(tmp_path: Path) -> None:
    """The URL was refused by the HTTP client, at every call."""
    long = text().replace('id: "7"', f'id: "{"7" * 70_000}"')
    with pytest.raises(ConfigError) as refused:
        load_text(long, tmp_path)
    (problem,) = refused.value.problems
    assert problem.path == "campaigns.own.id"
    assert "expected at most 4000" in problem.message


def test_a_literal_in_double_quotes_is_told_in_a_code_too(tmp_path: Path) -> None:
    code = '    code: errors[?kind=="E"]|[0]\n    quota: radar\ncampaigns'
    (warning,) = load_text(text().replace("    quota: radar\ncampaigns", code), tmp_path).warnings
    assert (warning.line, warning.path) == (28, "vendors.own.code")
    assert warning.message == '"E" is a field here, not text'


def test_whatever_a_vendor_raises_is_a_problem_without_the_errors_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: Any) -> None:
        raise RuntimeError("pisano-hunter2")

    monkeypatch.setattr(Pisano, "build", build)
    with pytest.raises(ConfigError) as refused:
        load_text(VALID, tmp_path)
    assert {problem.path for problem in refused.value.problems} == {"vendors.pisano-tr"}
    assert "RuntimeError" in str(refused.value)
    assert "hunter2" not in str(refused.value)
