"""Receives telemetry over OTLP/HTTP, and makes the calls to models that it tells of exchanges of a lane."""
