"""A schema registry with Confluent's API, as far as decoding needs it: a schema by its name.

A 404 with the registry's own code says that there is no such schema. Everything else but a schema
(no connection, 401, 403, 429, 5xx, another server's 404) is no word on it: the records wait.
"""

from __future__ import annotations

import ssl
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import orjson

from consumer.config.registry_section import Registry
from consumer.errors import RegistryUnavailable
from consumer.http.registry_login import login_of
from consumer.http.tls import context_of

_ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json"
_LARGEST: Final = 10 * 2**20
"""Bytes of an answer."""

_MOST_REFERENCES: Final = 200


class Reference(NamedTuple):
    """A schema that another one uses. `name`: what the other one calls it; in Protobuf the path of
    its import."""

    name: str
    text: str


class FoundSchema(NamedTuple):
    """A schema: its text and type (AVRO, JSON, PROTOBUF), and the schemas that it uses, each after
    those that it uses itself. The text of Protobuf is a .proto file or base64 of its
    FileDescriptorProto."""

    text: str
    kind: str
    references: tuple[Reference, ...] = ()


class Subjects(NamedTuple):
    """The subjects of a registry; `date`: the header of its answer, or empty."""

    names: frozenset[str]
    date: str


class SchemaRegistry:
    """A client of one registry. Its calls block, for `timeout` each at most."""

    def __init__(self, section: Registry, transport: httpx.BaseTransport | None = None) -> None:
        self._url = section.url
        self._client = httpx.Client(
            auth=login_of(section),
            headers={"Accept": _ACCEPT, "User-Agent": "survey-dispatcher"},
            timeout=section.timeout,
            trust_env=False,
            verify=_context(section),
            transport=transport,
        )

    def schema(self, name: str) -> FoundSchema | None:
        """Return the schema of an id or GUID; None if the registry says that it has none. Raises
        RegistryUnavailable."""
        answer = self._schema(f"/schemas/{'ids' if name.isdigit() else 'guids'}/{name}")
        if answer is None:
            return None
        found = dict[tuple[str, int, str], Reference]()
        try:
            self._add_references(answer, found)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise RegistryUnavailable("an answer that is not of its API") from None
        return FoundSchema(_text(answer), _kind(answer), tuple(found.values()))

    def register(self, subject: str, schema: str) -> int:
        """Register a JSON schema under a subject, again without harm; return its id. Raises
        RegistryUnavailable, also where the registry refuses it."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        response, answer = self._ask("POST", path, {"schema": schema, "schemaType": "JSON"})
        if response.status_code == 409:
            raise RegistryUnavailable(f"an earlier schema of {subject} is not compatible with it")
        found = answer.get("id") if isinstance(answer, dict) else None
        if response.status_code != 200 or not isinstance(found, int):
            raise _refusal(response)
        return found

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def subjects(self) -> Subjects:
        """Return the names of all subjects, and the clock there. Raises RegistryUnavailable."""
        response, answer = self._ask("GET", "/subjects")
        if response.status_code != 200 or not isinstance(answer, list):
            raise _refusal(response)
        names = frozenset(name for name in answer if isinstance(name, str))
        return Subjects(names, response.headers.get("date", ""))

    def _add_references(
        self, answer: dict[str, Any], found: dict[tuple[str, int, str], Reference]
    ) -> None:
        for reference in answer.get("references") or ():
            place = str(reference["subject"]), int(reference["version"]), str(reference["name"])
            if place in found or len(found) >= _MOST_REFERENCES:
                continue
            subject, version, name = place
            used = self._schema(f"/subjects/{quote(subject, safe='')}/versions/{version}")
            if used is None:
                raise RegistryUnavailable("it lacks a schema that another one refers to")
            self._add_references(used, found)
            found[place] = Reference(name, _text(used))

    def _schema(self, path: str) -> dict[str, Any] | None:
        """Return a schema; of Protobuf its descriptor, if the registry makes one of its text."""
        found = self._get(path)
        if found is not None and _kind(found) == "PROTOBUF":
            return self._get(f"{path}?format=serialized")
        return found

    def _get(self, path: str) -> dict[str, Any] | None:
        """Return the registry's answer; None for a 404 of its own. Raises RegistryUnavailable."""
        response, answer = self._ask("GET", path)
        if response.status_code == 200 and isinstance(answer, dict):
            return answer
        if response.status_code == 404 and _says_missing(answer):
            return None
        raise _refusal(response)

    def _ask(
        self, method: str, path: str, document: object | None = None
    ) -> tuple[httpx.Response, Any]:
        """Return the answer to a request, and its document; None where it is no JSON. Raises
        RegistryUnavailable without an answer."""
        try:
            response = self._client.request(method, self._url + path, json=document)
        except httpx.HTTPError as error:  # its text may repeat the address
            raise RegistryUnavailable(f"no answer ({type(error).__name__})") from None
        try:
            return response, orjson.loads(response.content[:_LARGEST])
        except orjson.JSONDecodeError:
            return response, None


def _refusal(response: httpx.Response) -> RegistryUnavailable:
    return RegistryUnavailable(f"status {response.status_code}{_hint(response.status_code)}")


def _context(section: Registry) -> ssl.SSLContext | bool:
    return context_of(section) if section.encrypted else False


def _says_missing(answer: object) -> bool:
    """Return whether a 404 is the registry's: 40401 (subject), 40402 (version), 40403 (schema)."""
    code = answer.get("error_code") if isinstance(answer, dict) else None
    return isinstance(code, int) and code // 100 == 404


def _hint(status: int) -> str:
    if status in (401, 403):
        return ": check the login of `registry`, and its rights"
    return ": check `url` of `registry`" if 300 <= status < 400 or status == 404 else ""


def _kind(answer: dict[str, Any]) -> str:
    return str(answer.get("schemaType") or "AVRO")


def _text(answer: dict[str, Any]) -> str:
    text = answer.get("schema")
    if not isinstance(text, str):
        raise RegistryUnavailable("an answer without a schema: check `url` of `registry`")
    return text
