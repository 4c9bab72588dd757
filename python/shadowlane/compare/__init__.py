"""Comparing answers that are logged already: a file of exchanges instead of a lane."""
