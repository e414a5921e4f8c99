"""The config of the admin server: probes, status page, metrics."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from consumer.config.fields import Host, Text
from consumer.config.section import Section
from consumer.vendors.protocol import checked_token


class AdminTls(Section):
    """A certificate of the admin server."""

    cert: Annotated[Text, Field(examples=["/run/tls/tls.crt"])]
    """PEM file with the certificate and those between it and an authority."""
    key: Annotated[Text, Field(examples=["/run/tls/tls.key"])]
    """PEM file with its key, not encrypted."""


class Admin(Section):
    """The HTTP server for metrics and health; it shows no personal data."""

    host: Host = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the container
    """The address to listen at."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """The port to listen at; 0 lets the system choose."""
    page: bool = True
    """Serve the status page and `/status.json`, which the command `status` reads."""
    metrics: bool = True
    """Serve `/metrics`."""
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Serve `/metrics` here instead, without the token: for a network policy of its own."""
    token: Annotated[SecretStr, AfterValidator(checked_token)] | None = None
    """A token without which page and metrics answer 401; a browser asks for it as password."""
    tls: AdminTls | None = None
    """Serve https, probes too."""

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.metrics_port is not None and self.metrics_port == self.port:
            raise ValueError("`metrics_port` must differ from `port`")
        if self.metrics_port is not None and not self.metrics:
            raise ValueError("`metrics_port` needs `metrics: true`")
        return self
