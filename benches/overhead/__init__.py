"""What mirroring costs a user: one gateway under load, mirroring switched on and off in random order within one run."""
