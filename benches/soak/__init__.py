"""Many requests through one gateway and one worker: what grows, leaks."""
