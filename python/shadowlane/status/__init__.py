"""The lane now: counters, rings, cap, limits, what mirroring adds; and the doctor."""
