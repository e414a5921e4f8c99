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
from consumer.http.registry_login import login_of
from consumer.http.schema_registry import FoundSchema, Reference, SchemaRegistry

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
    assert client.schema("7") == FoundSchema(
        "top", "AVRO", (Reference("b", "b"), Reference("a", "a"))
    )


def test_protobuf_is_asked_for_as_its_descriptor() -> None:
    """Registries that make none of a text (Apicurio's) answer with the text again."""
    protobuf = {"schemaType": "PROTOBUF"}
    top = protobuf | {"references": [{"name": "c.proto", "subject": "c", "version": 1}]}
    client, _ = registry(
        {
            "/schemas/ids/7": top | {"schema": "message A {}"},
            "/schemas/ids/7?format=serialized": top | {"schema": "CgA="},
            "/subjects/c/versions/1": protobuf | {"schema": "message C {}"},
            "/subjects/c/versions/1?format=serialized": protobuf | {"schema": "message C {}"},
        }
    )
    used = Reference("c.proto", "message C {}")
    assert client.schema("7") == FoundSchema("CgA=", "PROTOBUF", (used,))


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
        ((401, b"{}"), "status 401: check the login"),
        ((403, b"{}"), "status 403: check the login"),
        ((408, b"{}"), "status 408$"),
        ((425, b"{}"), "status 425$"),
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


OAUTH = {"token_url": "https://login.example/token", "client_id": "me", "client_secret": "s3cret"}


class Login:
    """An identity provider and a registry; `valid`: the token that the registry takes."""

    def __init__(self) -> None:
        self.now, self.given, self.valid = 0.0, 0, ""
        self.forms: list[str] = []
        self.refuses: httpx.Response | None = None
        self.seen: httpx.Headers | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.example":
            self.forms.append(request.content.decode())
            if self.refuses is not None:
                return self.refuses
            self.given += 1
            self.valid = f"token-{self.given}"
            return httpx.Response(200, json={"access_token": self.valid, "expires_in": 100})
        self.seen = request.headers
        fits = request.headers["authorization"] == f"Bearer {self.valid}"
        return httpx.Response(200 if fits else 401, json={"schema": "x"})


def client_with_token(login: Login, **more: str) -> SchemaRegistry:
    section = {"url": URL, "oauth": OAUTH | more}
    made = Registry.model_validate_json(json.dumps(section))
    client = SchemaRegistry(made, httpx.MockTransport(login))
    way = login_of(made, lambda: login.now)
    assert way is not None
    client._client.auth = way
    return client


def test_token_is_asked_for_once_and_again_before_it_ends() -> None:
    login = Login()
    client = client_with_token(login, scope="read", logical_cluster="lsrc-1", identity_pool_id="p")
    for now, given in ((0.0, 1), (69.0, 1), (70.0, 2)):
        login.now = now
        assert client.schema("7")
        assert login.given == given
    form = "grant_type=client_credentials&client_id=me&client_secret=s3cret&scope=read"
    assert login.forms[0] == form
    assert login.seen is not None
    assert login.seen["target-sr-cluster"] == "lsrc-1"
    assert login.seen["confluent-identity-pool-id"] == "p"


def test_refused_token_is_replaced_at_the_next_attempt() -> None:
    login = Login()
    client = client_with_token(login)
    assert client.schema("7")
    login.valid = "another"
    with pytest.raises(RegistryUnavailable, match="status 401"):
        client.schema("7")
    assert client.schema("7")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"access_token": 7}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "soon"}),
        httpx.Response(200, content=b"<html>"),
    ],
)
def test_without_a_token_the_records_wait(answer: httpx.Response) -> None:
    login = Login()
    login.refuses = answer
    with pytest.raises(RegistryUnavailable, match=r"no token, status \d+: check `oauth`") as caught:
        client_with_token(login).schema("7")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "section",
    [
        {"url": "http://registry.example"},
        {"url": "https://user:word@registry.example"},
        {"url": URL, "basic_auth": "user"},
        {"url": URL, "bearer": "two words"},
        {"url": URL, "bearer": "token", "basic_auth": "user:word"},
        {"url": URL, "bearer": "token", "oauth": OAUTH},
        {"url": URL, "oauth": OAUTH | {"token_url": "http://login.example/token"}},
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


SUBJECT = "/subjects/surveys.results-value/versions"


def test_schema_is_registered_as_json_schema() -> None:
    client, server = registry({SUBJECT: {"id": 17}})
    assert client.register("surveys.results-value", '{"type": "object"}') == 17
    sent = json.loads(server.requests[0].content)
    assert sent == {"schema": '{"type": "object"}', "schemaType": "JSON"}
    client.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((409, b'{"error_code": 409}'), "an earlier schema of s is not compatible with it"),
        ((401, b""), "status 401: check the login of `registry`, and its rights"),
        ((200, b"<html>"), "status 200"),
        ((200, b'{"id": "x"}'), "status 200"),
        (httpx.ConnectError("to https://registry.example"), r"no answer \(ConnectError\)"),
    ],
)
def test_refused_registration_says_why(answer: Any, why: str) -> None:
    client, _ = registry({"/subjects/s/versions": answer})
    with pytest.raises(RegistryUnavailable, match=why):
        client.register("s", "{}")
