"""Days of traffic through the real store and gate: what the verdict is, after how many hours, and how often it errs."""
