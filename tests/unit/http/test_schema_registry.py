"""A schema registry's answers, as Confluent's API gives them: what is a word on a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from consumer.config.registry_section import Registry
from consumer.errors import RegistryUnavailable
from consumer.http.schema_registry import FoundSchema, SchemaRegistry

URL = "https://registry.example/apis/ccompat/v7"
GUID = "89791762-2336-4186-9674-299b90a802e2"


class Server:
    """Answers by path, and keeps the requests."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[request.url.raw_path.decode().removeprefix("/apis/ccompat/v7")]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            status, body = answer
            return httpx.Response(status, content=body)
        return httpx.Response(200, json=answer)


def registry(answers: Mapping[str, Any], **section: Any) -> tuple[SchemaRegistry, Server]:
    server = Server(answers)
    made = Registry.model_validate_json(json.dumps({"url": URL + "/", **section}))
    return SchemaRegistry(made, httpx.MockTransport(server)), server


def test_schema_is_asked_for_by_id_or_guid() -> None:
    client, _ = registry(
        {
            "/schemas/ids/7": {"schema": '"int"'},
            f"/schemas/guids/{GUID}": {"schema": "{}", "schemaType": "JSON"},
        }
    )
    assert client.schema("7") == FoundSchema('"int"', "AVRO")
    assert client.schema(GUID) == FoundSchema("{}", "JSON")


def test_referenced_schemas_come_in_the_order_of_their_use() -> None:
    client, _ = registry(
        {
            "/schemas/ids/7": {
                "schema": "top",
                "references": [
                    {"name": "a", "subject": "sub/ject", "version": 2},
                    {"name": "b", "subject": "b", "version": 1},
                ],
            },
            "/subjects/sub%2Fject/versions/2": {
                "schema": "a",
                "references": [{"name": "b", "subject": "b", "version": 1}],
            },
            "/subjects/b/versions/1": {"schema": "b"},
        }
    )
    assert client.schema("7") == FoundSchema("top", "AVRO", ("b", "a"))


@pytest.mark.parametrize("code", [40401, 40402, 40403])
def test_missing_schema_is_none(code: int) -> None:
    said = json.dumps({"error_code": code, "message": "Schema not found"}).encode()
    client, _ = registry({"/schemas/ids/7": (404, said)})
    assert client.schema("7") is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.ConnectError("registry.example"), r"no answer \(ConnectError\)"),
        (httpx.ReadTimeout("registry.example"), r"no answer \(ReadTimeout\)"),
        ((404, b"<html>"), "status 404: check `url`"),
        ((404, b"[]"), "status 404: check `url`"),
        ((404, b'{"error_code": 404}'), "status 404: check `url`"),
        ((302, b""), "status 302: check `url`"),
        ((401, b"{}"), "status 401: check `basic_auth`"),
        ((403, b"{}"), "status 403: check `basic_auth`"),
        ((408, b"{}"), "status 408$"),
        ((429, b"{}"), "status 429$"),
        ((500, b'{"error_code": 50001}'), "status 500$"),
        ((200, b"<html>"), "status 200$"),
        ({}, "an answer without a schema"),
        ({"schema": 7}, "an answer without a schema"),
        ({"schema": "x", "references": [{}]}, "not of its API"),
        ({"schema": "x", "references": 7}, "not of its API"),
    ],
)
def test_other_answers_are_no_word_on_the_schema(answer: Any, why: str) -> None:
    client, _ = registry({"/schemas/ids/7": answer})
    with pytest.raises(RegistryUnavailable, match=why) as caught:
        client.schema("7")
    assert "registry.example" not in str(caught.value)


def test_missing_reference_is_no_word_on_the_schema() -> None:
    missing = (404, b'{"error_code": 40401}')
    reference = {"name": "a", "subject": "a", "version": 1}
    schema = {"schema": "x", "references": [reference]}
    client, _ = registry({"/schemas/ids/7": schema, "/subjects/a/versions/1": missing})
    with pytest.raises(RegistryUnavailable, match="refers to"):
        client.schema("7")


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({}, None),
        ({"basic_auth": "user:pass:word"}, "Basic dXNlcjpwYXNzOndvcmQ="),
        ({"bearer": "token"}, "Bearer token"),
    ],
)
def test_login_is_sent(login: Mapping[str, str], header: str | None) -> None:
    client, server = registry({"/schemas/ids/7": {"schema": "x"}}, **login)
    client.schema("7")
    assert server.requests[0].headers.get("authorization") == header


@pytest.mark.parametrize(
    "section",
    [
        {"url": "http://registry.example"},
        {"url": "https://user:word@registry.example"},
        {"url": URL, "basic_auth": "user"},
        {"url": URL, "bearer": "two words"},
        {"url": URL, "bearer": "token", "basic_auth": "user:word"},
        {"url": URL, "client_cert": "-----BEGIN CERTIFICATE-----"},
    ],
)
def test_section_is_refused(section: Mapping[str, str]) -> None:
    with pytest.raises(ValidationError):
        Registry.model_validate_json(json.dumps(section))


def test_http_is_for_this_host_or_by_choice() -> None:
    for section in ({"url": "http://127.0.0.1:8081"}, {"url": "http://r:8081", "allow_http": True}):
        made = Registry.model_validate_json(json.dumps(section))
        assert made.url == section["url"]
        SchemaRegistry(made)
