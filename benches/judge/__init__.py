"""How good the judge is, measured."""
