"""What one core of a worker carries, see :mod:`.__main__`."""
