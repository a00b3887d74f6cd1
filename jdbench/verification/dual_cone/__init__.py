"""Statements of Proposition 1 that any solver of the dual cone's programs must keep."""
