"""A vendor account's base URL: https, plain, in one normal form; and what a way to it may need."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from consumer.vendors.protocol import Account


def account(base_url: str, *, allow_http: object = False, **more: str) -> Account:
    entry = {"type": "x", "quota": "q", "base_url": base_url, "allow_http": allow_http}
    return Account.model_validate(entry | more)


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


CERT, KEY = "-----BEGIN CERTIFICATE-----\nx", "-----BEGIN EC PRIVATE KEY-----\nx"


def test_certificates_and_a_proxy_are_kept_as_secrets() -> None:
    proxy = "http://me:hush-hush@proxy.test:3128"
    ways = {"ca": CERT, "client_cert": CERT, "client_key": KEY, "proxy": proxy}

    kept = account("https://a.test", **ways)

    assert {name: getattr(kept, name).get_secret_value() for name in ways} == ways
    assert "hush" not in repr(kept)
    assert "BEGIN" not in repr(kept)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("ca", "/etc/ca.pem", r"PEM text .* a file is written"),
        ("client_cert", KEY, "PEM text"),
        ("client_key", CERT, "PEM text"),
        ("proxy", "https://hush-hush.test", "must be http://"),
        ("proxy", "http://a.test/hush-hush", "must be http://"),
        ("proxy", "http://a.test?hush-hush", "must be http://"),
        ("proxy", "socks5://hush-hush.test", "such as http://host:port"),
        ("proxy", "proxy.test:3128", "such as http://host:port"),
        ("proxy", "", "such as http://host:port"),
    ],
)
def test_a_way_that_cannot_be_gone_is_refused_without_its_value(
    key: str, value: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        account("https://a.test", **{key: value})

    assert [error["loc"] for error in refused.value.errors()] == [(key,)]
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("alone", [{"client_cert": CERT}, {"client_key": KEY}])
def test_a_client_certificate_needs_its_key(alone: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="go together"):
        account("https://a.test", **alone)
