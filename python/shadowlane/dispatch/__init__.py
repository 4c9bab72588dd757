"""One copy's way to one shadow: its limits, a slot, the call, and perhaps another try."""
