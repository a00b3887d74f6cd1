"""Solvers of the dual cone's program in unit rows, one a file."""
