"""OAuth's client credentials of the double (RFC 6749, 4.4): tokens for one account's calls."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl

import orjson

from consumer.sandbox.settings import BatchLogin
from consumer.sandbox.wire import Received, Reply

_FORM = "application/x-www-form-urlencoded"


class BatchLogins:
    """The tokens that were given out, each for one login of the settings, until it expires."""

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._tokens: dict[str, tuple[BatchLogin, float]] = {}

    def answer(self, login: BatchLogin, request: Received) -> Reply:
        """Answer the request for a token; never raises."""
        if not _is_asked_rightly(login, request):
            return Reply(401, b'{"error": "invalid_client"}')
        token = secrets.token_urlsafe(32)
        live = {known: one for known, one in self._tokens.items() if one[1] > request.at}
        self._tokens = {**live, token: (login, request.at + self._lifetime)}
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(self._lifetime)}
        return Reply(200, orjson.dumps(body))

    def tokens_of(self, login: BatchLogin, now: float) -> list[str]:
        """Return the tokens that are valid for a login's calls."""
        return [
            token
            for token, (known, until) in self._tokens.items()
            if known == login and until > now
        ]


def _is_asked_rightly(login: BatchLogin, request: Received) -> bool:
    typed = request.headers.get("content-type", "").partition(";")[0].strip() == _FORM
    try:
        fields = dict(parse_qsl(request.body.decode("ascii"), strict_parsing=True))
    except ValueError:
        return False
    authorized = request.headers.get("authorization") == login.authorization
    return request.method == "POST" and typed and fields == login.fields and authorized
