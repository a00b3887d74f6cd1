"""How many matrices a search tries: one table for the command line, for pytest and for Python."""

PROFILES = {"default": 160, "thorough": 2000, "nightly": 20_000}
"""Matrices tried for each property and dtype. Where a violation is claimed, ten times as many may be."""

EXAMPLES = PROFILES["default"]
"""What is tried where nothing else is asked for."""
