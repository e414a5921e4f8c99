"""Plugins of survey-dispatcher for a company's own vendor, format, rule and store."""
