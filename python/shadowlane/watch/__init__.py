"""``shadowlane status --watch``: a lane on one screen, anew every few seconds."""
