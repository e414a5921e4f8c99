"""The routing config: models, loading with line numbers, secrets, cross checks."""

from consumer.config.load import load
from consumer.config.models import Config
from consumer.config.shape import config_schema
from consumer.config.topics import Topics

__all__ = ["Config", "Topics", "config_schema", "load"]
