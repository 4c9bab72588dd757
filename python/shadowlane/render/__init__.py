"""Markup, drawings and text that several pages and commands share."""
