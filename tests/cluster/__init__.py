"""The chart on a real Kubernetes: `make cluster-check` (deploy/README.md has the last figures)."""
