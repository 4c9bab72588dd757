"""The copies as OpenTelemetry spans (extra ``otel``). The worker imports :mod:`.traces` where ``[telemetry]`` asks."""
