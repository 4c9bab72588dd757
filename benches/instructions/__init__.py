"""Instruction counts of admission, the offer and the drain: the same whatever else the machine does."""
