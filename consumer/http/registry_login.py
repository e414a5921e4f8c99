"""How a client logs in to a schema registry: password, token, or OAuth's client credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final

import httpx
import orjson

from consumer.config.registry_section import OAuth, Registry
from consumer.errors import RegistryUnavailable

_EARLIER: Final = 30.0
"""Seconds before its end at which a token is replaced."""

_USUAL: Final = 300.0
"""Seconds that a token is used whose answer does not say how long it is valid."""


def login_of(section: Registry, steady: Callable[[], float] = time.monotonic) -> httpx.Auth | None:
    """Return how to log in, or None."""
    if section.oauth is not None:
        return TokenLogin(section.oauth, steady)
    if section.bearer is not None:
        return _Bearer(section.bearer.get_secret_value())
    if section.basic_auth is not None:
        user, _, password = section.basic_auth.get_secret_value().partition(":")
        return httpx.BasicAuth(user, password)
    return None


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class TokenLogin(httpx.Auth):
    """Asks the identity provider for a token, and again before it ends or after a 401."""

    requires_response_body = True

    def __init__(self, section: OAuth, steady: Callable[[], float]) -> None:
        self._section, self._steady = section, steady
        self._token, self._ends = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`. Raises RegistryUnavailable."""
        if self._steady() >= self._ends:
            self._take((yield self._request()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        request.headers.update(self._section.headers)
        response = yield request
        if response.status_code == 401:
            self._ends = 0.0  # the next attempt asks for another

    def _request(self) -> httpx.Request:
        section = self._section
        form = {
            "grant_type": "client_credentials",
            "client_id": section.client_id,
            "client_secret": section.client_secret.get_secret_value(),
        }
        if section.scope is not None:
            form["scope"] = section.scope
        return httpx.Request("POST", section.token_url, data=form)

    def _take(self, response: httpx.Response) -> None:
        try:
            answer: Any = orjson.loads(response.content)
            token, seconds = answer["access_token"], float(answer.get("expires_in", _USUAL))
        except (ValueError, KeyError, TypeError, AttributeError):
            token, seconds = None, 0.0
        if response.status_code != 200 or not isinstance(token, str) or not token.isascii():
            status = response.status_code
            raise RegistryUnavailable(f"no token, status {status}: check `oauth` of `registry`")
        self._token, self._ends = token, self._steady() + max(seconds - _EARLIER, seconds / 2)
