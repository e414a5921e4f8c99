"""The config of a schema registry: where it is, and how this program logs in to it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from consumer.config.durations import PositiveDuration
from consumer.config.fields import Text
from consumer.config.section import Section
from consumer.vendors.protocol import Certificates, PrivateKey, checked_token, plain_url


class OAuth(Section):
    """OAuth's client credentials: a token of an identity provider instead of a password."""

    token_url: Annotated[str, Field(examples=["https://login.example/oauth2/token"])]
    """Where a token is asked for: https, or http on a loopback host."""
    client_id: Text
    """The id of this program there."""
    client_secret: SecretStr
    """Its secret: ${file:PATH}."""
    scope: Text | None = None
    """The scope to ask for."""
    logical_cluster: Text | None = None
    """Confluent Cloud: the registry's logical cluster, lsrc-…."""
    identity_pool_id: Text | None = None
    """Confluent Cloud: the identity pool, pool-…."""

    @field_validator("token_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        return plain_url(value, http_allowed=False)

    @property
    def headers(self) -> dict[str, str]:
        """What the registry is told beside the token."""
        said = {
            "target-sr-cluster": self.logical_cluster,
            "Confluent-Identity-Pool-Id": self.identity_pool_id,
        }
        return {name: value for name, value in said.items() if value is not None}


class Registry(Section):
    """A schema registry with Confluent's API: formats whose records name a schema need it."""

    # Precedes `url`, whose validator reads it.
    allow_http: bool = False
    """Accept http on any host: for a registry in the same private network."""
    url: Annotated[str, Field(examples=["https://registry.example"])]
    """https, or http on a loopback host; with the path of the API, as in …/apis/ccompat/v7."""
    basic_auth: Annotated[SecretStr | None, Field(examples=["key:secret"])] = None
    """user:password, or key:secret."""
    bearer: SecretStr | None = None
    """A token; instead of `basic_auth`."""
    oauth: OAuth | None = None
    """OAuth's client credentials; instead of both."""
    ca: Certificates | None = None
    """CA certificates to trust, and no others: ${file:PATH}."""
    client_cert: Certificates | None = None
    """Our certificate for the registry: ${file:PATH}."""
    client_key: PrivateKey | None = None
    """The key of `client_cert`: ${file:PATH}."""
    timeout: PositiveDuration = 3.0
    """How long an answer is waited for; meanwhile no input is read."""

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str, info: ValidationInfo) -> str:
        return plain_url(value, http_allowed=info.data.get("allow_http", True))

    @field_validator("basic_auth")
    @classmethod
    def _user_and_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().partition(":")[2]:
            raise ValueError("must be user:password")
        return value

    @field_validator("bearer")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else checked_token(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.client_cert is None) != (self.client_key is None):
            raise ValueError("`client_cert` and `client_key` go together")
        if sum(way is not None for way in (self.basic_auth, self.bearer, self.oauth)) > 1:
            raise ValueError("expected one of `basic_auth`, `bearer` and `oauth`")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether an address of it needs certificates."""
        urls = [self.url, *([self.oauth.token_url] if self.oauth else [])]
        return any(url.startswith("https:") for url in urls)
