"""The demonstration: two real retrieval services, a gateway with the middleware, a real client, and the report."""
