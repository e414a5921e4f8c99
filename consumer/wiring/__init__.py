"""From a config to the parts it asks for: router, lanes, accounts."""
