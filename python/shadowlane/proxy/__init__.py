"""A reverse proxy with the lane built in, for gateways that nobody can change."""
