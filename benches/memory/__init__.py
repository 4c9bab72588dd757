"""What a worker's process needs of memory, see :mod:`.__main__`."""
