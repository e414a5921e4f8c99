"""The checks of `deploy/`: image, compose file, chart; `make deploy-check` runs them."""
