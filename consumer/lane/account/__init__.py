"""Accounts: circuit breakers and login sessions."""
