"""A valid config, its secrets, and a way to spoil it."""

from __future__ import annotations

from pathlib import Path

from consumer.config import Config, load

HERE = Path(__file__).parent
VALID = (HERE / "valid.yaml").read_text(encoding="utf-8")
ENV = {
    "BROKER_PASSWORD": "broker-hunter2",
    "PSEUDONYM_KEY": "0123456789abcdef-pseudonym-key",
    "PISANO_TOKEN": "pisano-hunter2",
}
RADAR_PASSWORD = "radar-hunter2"
SECRETS = (*ENV.values(), RADAR_PASSWORD)


def edited(old: str, new: str) -> str:
    """The valid config with one place replaced."""
    assert VALID.count(old) == 1, f"{old!r} stands {VALID.count(old)} times in valid.yaml"
    return VALID.replace(old, new)


def load_text(text: str, folder: Path, env: dict[str, str] | None = None) -> Config:
    """Load a text with the secrets of the valid config at hand."""
    (folder / "radar-password").write_text(RADAR_PASSWORD + "\n", encoding="utf-8")
    return load(text, env=ENV if env is None else env, base=folder, name="config.yaml")
