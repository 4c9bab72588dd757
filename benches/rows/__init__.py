"""What reading many stored rows costs, see :mod:`.__main__`."""
