"""What several hosts share, on real PostgreSQL and Redis: rows, judges of one stream, a fleet's shares and switch."""
