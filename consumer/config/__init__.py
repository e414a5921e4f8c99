"""The routing config: models, loading with line numbers, secrets, cross checks."""

from consumer.config.load import load
from consumer.config.models import Config
from consumer.config.schema_lookup import config_schema
from consumer.config.topic_names import Topics

__all__ = ["Config", "Topics", "config_schema", "load"]
