"""The live page of a lane, over HTTP: the verdict, what it stands on, and each pair. Needs the ``worker`` extra."""
