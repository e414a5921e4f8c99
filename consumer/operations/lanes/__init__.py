"""Drain a lane, list lanes, reopen or retry."""
