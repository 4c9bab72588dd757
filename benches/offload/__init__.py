"""What a worker takes of the processor for a copy when it forwards, judges, or does all."""
