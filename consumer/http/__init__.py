"""HTTP calls to vendors: connections, pools, TLS."""
