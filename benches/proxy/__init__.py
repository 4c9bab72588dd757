"""What `shadowlane proxy` adds to a request, beside nginx and Envoy as plain proxies, in the same run."""
