"""``shadowlane init``: a commented configuration to begin with."""
