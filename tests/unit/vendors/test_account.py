"""A vendor account's base URL: https, plain, and in one normal form."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from consumer.vendors.base import Account


def account(base_url: str, *, allow_http: object = False) -> Account:
    entry = {"type": "x", "quota": "q", "base_url": base_url, "allow_http": allow_http}
    return Account.model_validate(entry)


@pytest.mark.parametrize(
    ("base_url", "kept"),
    [
        ("https://a.test", "https://a.test"),
        ("https://a.test/", "https://a.test"),
        ("https://A.test:443/api//", "https://a.test/api"),
        ("https://a.test:8443/x", "https://a.test:8443/x"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.2", "http://127.0.0.2"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_a_good_base_url_is_kept_in_normal_form(base_url: str, kept: str) -> None:
    assert account(base_url).base_url == kept


def test_http_on_any_host_needs_allow_http() -> None:
    assert account("http://10.0.0.5", allow_http=True).base_url == "http://10.0.0.5"


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("http://a.test", "https"),
        ("http://10.0.0.5", "https"),
        ("http://localhost.evil.test", "https"),
        ("http://127.0.0.1.evil.test", "https"),
        ("ftp://a.test", "URL"),
        ("a.test", "URL"),
        ("", "URL"),
        ("https://", "URL"),
        ("https://a.test:hush-hush", "URL"),
        ("https://user@a.test", "user name"),
        ("https://:hush-hush@a.test", "user name"),
        ("http://localhost:hush-hush@a.test", "user name"),
        ("https://a.test?", "query"),
        ("https://a.test?token=hush-hush", "query"),
        ("https://a.test/#", "query"),
    ],
)
def test_a_bad_base_url_is_refused_with_its_reason_and_without_its_value(
    base_url: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        account(base_url)

    assert [error["loc"] for error in refused.value.errors()] == [("base_url",)]
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_refused_allow_http_is_the_only_problem_reported() -> None:
    with pytest.raises(ValidationError) as refused:
        account("http://a.test", allow_http="yes")

    assert [error["loc"] for error in refused.value.errors()] == [("allow_http",)]
