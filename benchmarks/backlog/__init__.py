"""Backlogs larger than memory: outage, parked campaign, takeover, checkpoint near its bound."""
