"""The HTTP endpoint of a lane: the verdict for release tools, the backlog, health. Needs the ``worker`` extra."""
