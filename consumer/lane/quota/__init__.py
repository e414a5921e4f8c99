"""Rate limits: permits, quota backoff, forecast."""
