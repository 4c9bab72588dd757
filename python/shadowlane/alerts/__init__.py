"""Alerts of a lane: what is wrong, who is told of it, and what each of them answered. Needs the ``worker`` extra."""
