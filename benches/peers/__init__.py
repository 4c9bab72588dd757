"""What mirroring costs beside Envoy, nginx, LiteLLM and a task that nobody awaits, in the same run."""
