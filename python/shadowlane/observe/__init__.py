"""What a person sees: status, report, verdict, doctor. Reads the lane and the store, never writes to either."""
