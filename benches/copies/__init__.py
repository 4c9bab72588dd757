"""What scoring and storing a copy takes of the worker's processor time."""
