"""Operator commands: resend, replay dead letters, drain a lane that left the config."""
